"""Request bodies: what each may hold. One that may not be is refused in the words of `complaints`."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Annotated, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Meta

from wiretape.sandbox.complaints import complaint
from wiretape.sandbox.content import ImageFilePart, ImageUrlPart, Json, Part, Text, TextPart
from wiretape.sandbox.objects import Metadata
from wiretape.sandbox.refusals import Refused
from wiretape.sandbox.sent_tools import (
    Attachment,
    FileId,
    Labels,
    Sent,
    SentFormat,
    SentTool,
    SentToolChoice,
    ToolResources,
    plain,
)

AssistantId = Annotated[str, Meta(pattern="^asst")]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Share = Annotated[float, Meta(ge=0, le=1)]
LongText = Annotated[str, Meta(max_length=256_000)]
MessageText = Annotated[str, Meta(min_length=1, max_length=256_000)]
Role = Literal["user", "assistant"]
Detail = Literal["auto", "low", "high"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

NESTED_MAX = 256
"""Objects and arrays within each other, in a body."""
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKET = re.compile(rb"[^][{}]+")

OUTPUT_MAX = 1_048_576
"""Characters of one tool's output."""

NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble "
    "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
)


class SentText(Sent, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """Text of a message as requests carry it: a plain string, where answers have an object."""

    text: MessageText

    @property
    def part(self) -> Part:
        """The same as answers carry it."""
        return TextPart(Text(self.text))


class ImageUrl(Sent, frozen=True, kw_only=True):
    """Where a picture is."""

    url: str
    detail: Detail | None = None

    @property
    def kept(self) -> Json:
        """The same as answers carry it (openai-dotnet, ThreadWithInitialMessagesWorks.json: `auto` is filled in)."""
        return {"url": self.url, "detail": self.detail or "auto"}


class SentImageUrl(Sent, frozen=True, kw_only=True, tag_field="type", tag="image_url"):
    """A picture elsewhere."""

    image_url: ImageUrl

    @property
    def part(self) -> Part:
        """The same as answers carry it."""
        return ImageUrlPart(self.image_url.kept)


class ImageFile(Sent, frozen=True, kw_only=True):
    """Which file a picture is in."""

    file_id: FileId
    detail: Detail | None = None


class SentImageFile(Sent, frozen=True, kw_only=True, tag_field="type", tag="image_file"):
    """An uploaded picture."""

    image_file: ImageFile

    @property
    def part(self) -> Part:
        """The same as answers carry it."""
        return ImageFilePart(plain(self.image_file))


Content = MessageText | Annotated[list[SentText | SentImageUrl | SentImageFile], Meta(min_length=1)]


class NewMessage(Sent, frozen=True, kw_only=True):
    """POST /threads/{thread_id}/messages, and each message sent with a thread or a run."""

    role: Role
    content: Content
    attachments: list[Attachment] | None = None
    metadata: Labels | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as answers carry it."""
        if isinstance(self.content, str):
            return (TextPart(Text(self.content)),)
        return tuple(part.part for part in self.content)

    @property
    def kept_attachments(self) -> tuple[Json, ...]:
        """The attachments as answers carry them."""
        return tuple(plain(self.attachments or []))


class AssistantFields(Sent, frozen=True, kw_only=True):
    """POST /assistants/{assistant_id}: only what is sent changes."""

    model: str | None = None
    name: Annotated[str, Meta(max_length=256)] | None = None
    description: Annotated[str, Meta(max_length=512)] | None = None
    instructions: LongText | None = None
    tools: Annotated[list[SentTool], Meta(max_length=128)] | None = None
    tool_resources: ToolResources | None = None
    metadata: Labels | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    response_format: SentFormat | None = None
    reasoning_effort: Effort | None = None


class NewAssistant(AssistantFields, frozen=True, kw_only=True):
    """POST /assistants."""

    model: str


class NewThread(Sent, frozen=True, kw_only=True):
    """POST /threads."""

    messages: list[NewMessage] | None = None
    tool_resources: ToolResources | None = None
    metadata: Labels | None = None


class ThreadFields(Sent, frozen=True, kw_only=True):
    """POST /threads/{thread_id}."""

    tool_resources: ToolResources | None = None
    metadata: Labels | None = None


class MetadataFields(Sent, frozen=True, kw_only=True):
    """POST on a message or a run."""

    metadata: Labels | None = None


class AutoTruncation(Sent, frozen=True, kw_only=True, tag_field="type", tag="auto"):
    """A run reads as much of its thread as the model can."""

    last_messages: None = None


class LastMessages(Sent, frozen=True, kw_only=True, tag_field="type", tag="last_messages"):
    """A run reads the last messages of its thread only."""

    last_messages: Annotated[int, Meta(ge=1)]


class RunFields(Sent, frozen=True, kw_only=True):
    """What a run takes, whichever way it is started."""

    assistant_id: AssistantId
    model: str | None = None
    instructions: LongText | None = None
    tools: Annotated[list[SentTool], Meta(max_length=20)] | None = None
    metadata: Labels | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    stream: bool | None = None
    max_prompt_tokens: Annotated[int, Meta(ge=256)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    """From 1: the reference says 256, but 16 was taken (ruby-openai's runs_create.yml and others)."""
    truncation_strategy: AutoTruncation | LastMessages | None = None
    tool_choice: SentToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: SentFormat | None = None


class NewRun(RunFields, frozen=True, kw_only=True):
    """POST /threads/{thread_id}/runs."""

    additional_instructions: LongText | None = None
    additional_messages: list[NewMessage] | None = None
    reasoning_effort: Effort | None = None


class NewThreadRun(RunFields, frozen=True, kw_only=True):
    """POST /threads/runs, which takes less of what adds to an assistant (reference 2)."""

    additional_instructions: ClassVar[None] = None
    additional_messages: ClassVar[None] = None
    reasoning_effort: ClassVar[None] = None
    thread: NewThread | None = None
    tool_resources: ToolResources | None = None


AnyRun = NewRun | NewThreadRun


class ToolOutput(Sent, frozen=True, kw_only=True):
    """The result of one call."""

    tool_call_id: str
    output: Annotated[str, Meta(max_length=OUTPUT_MAX)] = ""


class ToolOutputs(Sent, frozen=True, kw_only=True):
    """POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs."""

    tool_outputs: list[ToolOutput]
    stream: bool | None = None


Body = TypeVar("Body")


def read(body: bytes, kind: type[Body]) -> Body:
    """The body as that kind; an empty one counts as `{}`. Raises Refused with the parameter's name."""
    body = body or b"{}"
    if is_nested(body):
        raise Refused(400, NOT_JSON)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        return _look_again(body, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, NOT_JSON) from error


def is_nested(body: bytes) -> bool:
    """Whether JSON is nested so deep that it might be read but not written again, where it is kept within more."""
    if body.count(b"{") + body.count(b"[") <= NESTED_MAX:
        return False
    brackets = _NO_BRACKET.sub(b"", _STRING.sub(b"", body))
    return max(accumulate(1 if bracket in b"{[" else -1 for bracket in brackets), default=0) > NESTED_MAX


def _look_again(body: bytes, kind: type[Body]) -> Body:
    """Say what is wrong. Nothing is where a key comes twice and the last one, which counts, is right."""
    try:
        sent = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, NOT_JSON) from error
    if (refused := complaint(sent, kind)) is not None:
        raise refused
    return msgspec.convert(sent, kind)


def labels(sent: Labels | None) -> Metadata:
    """Metadata as it is kept: never null."""
    return sent or {}
