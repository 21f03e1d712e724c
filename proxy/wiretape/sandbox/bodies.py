"""Request bodies: what each may hold, and how one that may not is refused."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from wiretape.sandbox.content import ImageFilePart, ImageUrlPart, Json, Part, Text, TextPart
from wiretape.sandbox.objects import (
    JsonObject,
    Metadata,
    Tool,
)
from wiretape.sandbox.refusals import Refused, missing
from wiretape.sandbox.work import ToolChoice, Truncation

Labels = Annotated[dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)]
Tools = Annotated[list[Tool], Meta(max_length=128)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Share = Annotated[float, Meta(ge=0, le=1)]
TokenBound = Annotated[int, Meta(ge=256)]
LongText = Annotated[str, Meta(max_length=256_000)]


class SentText(Struct, frozen=True, tag_field="type", tag="text"):
    """Text of a message as requests carry it: a plain string, where answers have an object."""

    text: Annotated[str, Meta(min_length=1, max_length=256_000)]

    @property
    def part(self) -> Part:
        """The same as answers carry it."""
        return TextPart(Text(self.text))


Content = (
    Annotated[str, Meta(min_length=1, max_length=256_000)]
    | Annotated[list[SentText | ImageFilePart | ImageUrlPart], Meta(min_length=1)]
)


class NewMessage(Struct, frozen=True):
    """POST /threads/{thread_id}/messages, and each message sent with a thread or a run."""

    role: Literal["user", "assistant"]
    content: Content
    attachments: list[JsonObject] | None = None
    metadata: Labels | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as answers carry it."""
        if isinstance(self.content, str):
            return (TextPart(Text(self.content)),)
        return tuple(part.part if isinstance(part, SentText) else part for part in self.content)


class AssistantFields(Struct, frozen=True, kw_only=True):
    """POST /assistants/{assistant_id}: only what is sent changes."""

    model: str | None = None
    name: Annotated[str, Meta(max_length=256)] | None = None
    description: Annotated[str, Meta(max_length=512)] | None = None
    instructions: LongText | None = None
    tools: Tools | None = None
    tool_resources: JsonObject | None = None
    metadata: Labels | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    response_format: Json = None
    reasoning_effort: str | None = None


class NewAssistant(AssistantFields, frozen=True, kw_only=True):
    """POST /assistants."""

    model: str


class NewThread(Struct, frozen=True, kw_only=True):
    """POST /threads."""

    messages: list[NewMessage] = []
    tool_resources: JsonObject | None = None
    metadata: Labels | None = None


class ThreadFields(Struct, frozen=True, kw_only=True):
    """POST /threads/{thread_id}."""

    tool_resources: JsonObject | None = None
    metadata: Labels | None = None


class MetadataFields(Struct, frozen=True, kw_only=True):
    """POST on a message or a run."""

    metadata: Labels | None = None


class NewRun(Struct, frozen=True, kw_only=True):
    """POST /threads/{thread_id}/runs, and with `thread` and `tool_resources` POST /threads/runs."""

    assistant_id: str
    model: str | None = None
    instructions: LongText | None = None
    additional_instructions: LongText | None = None
    additional_messages: list[NewMessage] | None = None
    thread: NewThread | None = None
    tools: Annotated[list[Tool], Meta(max_length=20)] | None = None
    tool_resources: JsonObject | None = None
    metadata: Labels | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    stream: bool | None = None
    max_prompt_tokens: TokenBound | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    truncation_strategy: Truncation | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: Json = None
    reasoning_effort: str | None = None


class ToolOutput(Struct, frozen=True):
    """The result of one call."""

    tool_call_id: str
    output: str = ""


class ToolOutputs(Struct, frozen=True):
    """POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs."""

    tool_outputs: list[ToolOutput]
    stream: bool | None = None


Body = TypeVar("Body")

_MISSING = re.compile(r"missing required field `(.+?)`")
_AT = re.compile(r" - at `\$\.?(.*)`$")


def read(body: bytes, kind: type[Body]) -> Body:
    """The body as that kind; an empty one counts as `{}`. Raises Refused with the parameter's name."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, "We could not parse the JSON body of your request. It must be a JSON object.") from error


def _refused(complaint: str) -> Refused:
    """The API's words for what msgspec found: `<what> - at `$.<path>``, or the same without a path."""
    found = _AT.search(complaint)
    path = found[1].removesuffix("[...]") if found else ""
    what = _AT.sub("", complaint)
    if absent := _MISSING.search(what):
        return missing(f"{path}.{absent[1]}".lstrip("."))
    code = "invalid_type" if "got `" in what else "invalid_value"
    named = f"Invalid value for '{path}': {what}." if path else f"Invalid body: {what}."
    return Refused(400, named.replace("`", "'"), param=path or None, code=code)


def labels(sent: Labels | None) -> Metadata:
    """Metadata as it is kept: never null."""
    return sent or {}
