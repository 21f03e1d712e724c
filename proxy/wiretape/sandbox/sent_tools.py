"""Tools, their resources, and what else of a body is told apart by `type`: as requests carry it.

Limits are those of reference 2, 6.1, 6.5 and 6.9. What requests leave out answers fill in; `kept_tools` does it
for tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from wiretape.sandbox.chunks import Cut
from wiretape.sandbox.content import Json
from wiretape.sandbox.objects import CodeInterpreter, FileSearch, Function, FunctionTool, JsonObject, Tool
from wiretape.sandbox.refusals import invalid

FileId = Annotated[str, Meta(pattern="^file")]
StoreId = Annotated[str, Meta(pattern="^vs_")]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+\Z")]
Labels = Annotated[dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)]

FUNCTION_DESCRIPTION_MAX = 1_024
NO_PARAMETERS: JsonObject = {"type": "object", "properties": {}}
DEFAULT_RANKER = "default_2024_08_21"


class Sent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Part of a body: what it does not name is refused (v2 of the API did, v1 did not)."""


class SentCodeInterpreter(Sent, frozen=True, kw_only=True, tag_field="type", tag="code_interpreter"):
    """The hosted tool that runs code."""


class RankingOptions(Sent, frozen=True, kw_only=True):
    """How results of a file search are ranked; `hybrid_search` comes back in answers, and is sent again with them."""

    ranker: Literal["auto", "default_2024_08_21"] = "default_2024_08_21"
    score_threshold: Annotated[float, Meta(ge=0, le=1)]
    hybrid_search: Json = None


class FileSearchOptions(Sent, frozen=True, kw_only=True):
    """Options of the hosted tool that searches files."""

    max_num_results: Annotated[int, Meta(ge=1, le=50)] | None = None
    ranking_options: RankingOptions | None = None


class SentFileSearch(Sent, frozen=True, kw_only=True, tag_field="type", tag="file_search"):
    """The hosted tool that searches files."""

    file_search: FileSearchOptions | None = None


class SentFunction(Sent, frozen=True, kw_only=True):
    """A function the client can run."""

    name: Name
    description: Annotated[str, Meta(max_length=FUNCTION_DESCRIPTION_MAX)] | None = None
    parameters: JsonObject | None = None
    strict: bool | None = False


class SentFunctionTool(Sent, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """A function among the tools of an assistant or a run."""

    function: SentFunction


SentTool = SentCodeInterpreter | SentFunctionTool | SentFileSearch


class BareFileSearch(Sent, frozen=True, kw_only=True, tag_field="type", tag="file_search"):
    """The same where it has no options: in an attachment."""


class Attachment(Sent, frozen=True, kw_only=True):
    """A file that comes with a message, and the tools that may read it."""

    file_id: FileId
    tools: list[SentCodeInterpreter | BareFileSearch] | None = None


class CodeFiles(Sent, frozen=True, kw_only=True):
    """Files for the code interpreter."""

    file_ids: Annotated[list[FileId], Meta(max_length=20)] | None = None


class AutoStrategy(Sent, frozen=True, kw_only=True, tag_field="type", tag="auto"):
    """Chunks as the service thinks best."""

    @property
    def cut(self) -> Cut:
        """The default."""
        return Cut()


class SentCut(Sent, frozen=True, kw_only=True):
    """Sizes in tokens."""

    max_chunk_size_tokens: Annotated[int, Meta(ge=100, le=4_096)]
    chunk_overlap_tokens: Annotated[int, Meta(ge=0)]


class StaticStrategy(Sent, frozen=True, kw_only=True, tag_field="type", tag="static"):
    """Chunks of a given size."""

    static: SentCut

    @property
    def cut(self) -> Cut:
        """The sizes; raises Refused where the overlap is over half a chunk."""
        sent = self.static
        if sent.chunk_overlap_tokens * 2 > sent.max_chunk_size_tokens:
            raise invalid("chunking_strategy.static.chunk_overlap_tokens", "at most half of max_chunk_size_tokens.")
        return Cut(sent.max_chunk_size_tokens, sent.chunk_overlap_tokens)


Strategy = AutoStrategy | StaticStrategy


class StoreToMake(Sent, frozen=True, kw_only=True):
    """A vector store to be made along with an assistant or a thread."""

    file_ids: Annotated[list[FileId], Meta(max_length=10_000)] | None = None
    chunking_strategy: Strategy | None = None
    metadata: Labels | None = None


class SearchStores(Sent, frozen=True, kw_only=True):
    """Vector stores for the file search: known ones, or one to be made."""

    vector_store_ids: Annotated[list[StoreId], Meta(max_length=1)] | None = None
    vector_stores: Annotated[list[StoreToMake], Meta(max_length=1)] | None = None


class ToolResources(Sent, frozen=True, kw_only=True):
    """What the hosted tools work on."""

    code_interpreter: CodeFiles | None = None
    file_search: SearchStores | None = None


class NameOfFunction(Sent, frozen=True, kw_only=True):
    """The function a tool choice insists on."""

    name: Name


class FunctionChoice(Sent, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """A tool choice that insists on a function."""

    function: NameOfFunction


SentToolChoice = Literal["none", "auto", "required"] | FunctionChoice | SentCodeInterpreter | BareFileSearch


class TextFormat(Sent, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """Answers in plain text."""


class JsonObjectFormat(Sent, frozen=True, kw_only=True, tag_field="type", tag="json_object"):
    """Answers that are some JSON object."""


class JsonSchema(Sent, frozen=True, kw_only=True):
    """What an answer must conform to."""

    name: Name
    description: str | None = None
    schema: JsonObject | None = None
    strict: bool | None = None


class JsonSchemaFormat(Sent, frozen=True, kw_only=True, tag_field="type", tag="json_schema"):
    """Answers that conform to a schema."""

    json_schema: JsonSchema


SentFormat = Literal["auto"] | JsonObjectFormat | JsonSchemaFormat | TextFormat


def kept_tools(sent: Sequence[SentTool]) -> tuple[Tool, ...]:
    """Tools as answers show them (captured: openai-dotnet's FileSearchWorks.json and StreamingToolCall().json)."""
    return tuple(_kept(one) for one in sent)


def _kept(sent: SentTool) -> Tool:
    match sent:
        case SentFunctionTool(function=function):
            return FunctionTool(_function(function))
        case SentFileSearch(file_search=options):
            return FileSearch(_search(options or FileSearchOptions()))
        case SentCodeInterpreter():
            return CodeInterpreter()


def _function(sent: SentFunction) -> Function:
    parameters = NO_PARAMETERS if sent.parameters is None else sent.parameters
    described = {} if sent.description is None else {"description": sent.description}
    return Function(name=sent.name, parameters=parameters, strict=sent.strict, **described)


def _search(sent: FileSearchOptions) -> JsonObject:
    ranking = sent.ranking_options or RankingOptions(score_threshold=0.0)
    bound = {} if sent.max_num_results is None else {"max_num_results": sent.max_num_results}
    shown = {
        "ranker": ranking.ranker,
        "score_threshold": ranking.score_threshold,
        "hybrid_search": ranking.hybrid_search,
    }
    return {**bound, "ranking_options": shown}


def plain(sent: Any) -> Any:  # noqa: ANN401  any part of a body, as the JSON that it is
    """A part of a body as JSON once more, without what was not sent."""
    return msgspec.to_builtins(sent)
