"""Assistants, threads and messages of the Assistants API (v2), as they are on the wire.

Everything is optional, because the wire is: the service leaves out fields that its schema demands, other
servers leave out more, and all add some. `None` stands for null and for absent alike. A field that we only
carry stays `Opaque`, undecoded JSON. Kinds that come in variants (content parts, tools, tool calls) are one
struct with a `type`, not a union: an unknown `type` must pass.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Raw, Struct

Seconds = int | float | None
"""Unix seconds; whole numbers at OpenAI, milliseconds at Alibaba Model Studio."""
NAME_CHARS_MAX: Final = 512
"""Of an id, a name or a code; services send at most 256. What is longer is left out, as it may be kept for long."""
Name = Annotated[str, Meta(max_length=NAME_CHARS_MAX)]
Opaque = Raw
"""JSON that is carried, not read."""
NULL: Final = Raw(b"null")


class Wire(Struct, frozen=True, kw_only=True, gc=False):
    """The root of all: frozen; a tree that JSON made has no cycles, so none is looked for."""


class FunctionTool(Wire, frozen=True, kw_only=True):
    """What a client offers to run."""

    name: str = ""
    description: str | None = None
    parameters: Opaque = NULL
    strict: bool | None = None


class Tool(Wire, frozen=True, kw_only=True):
    """`code_interpreter`, `file_search`, `function`, or a kind of another server."""

    type: str = ""
    function: FunctionTool | None = None
    file_search: Opaque = NULL


class Assistant(Wire, frozen=True, kw_only=True):
    """An assistant; `reasoning_effort` is always on the wire and not in the schema."""

    id: Name = ""
    object: str = "assistant"
    created_at: Seconds = None
    name: Name | None = None
    description: str | None = None
    model: Name | None = None
    instructions: str | None = None
    tools: tuple[Tool, ...] | None = ()
    top_p: float | None = None
    temperature: float | None = None
    reasoning_effort: str | None = None
    tool_resources: Opaque = NULL
    metadata: Opaque = NULL
    response_format: Opaque = NULL


class Deleted(Wire, frozen=True, kw_only=True):
    """The answer to DELETE; `object` is `assistant.deleted`, `thread.deleted` or `thread.message.deleted`."""

    id: str = ""
    object: str = ""
    deleted: bool = False


class Thread(Wire, frozen=True, kw_only=True):
    """A conversation."""

    id: str = ""
    object: str = "thread"
    created_at: Seconds = None
    metadata: Opaque = NULL
    tool_resources: Opaque = NULL


class FileReference(Wire, frozen=True, kw_only=True):
    """The file an annotation names; `quote` is in deltas only."""

    file_id: str | None = None
    quote: str | None = None


class Annotation(Wire, frozen=True, kw_only=True):
    """`file_citation` or `file_path`; indexes count characters of the text, end exclusive."""

    type: str = ""
    index: int | None = None
    text: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    file_citation: FileReference | None = None
    file_path: FileReference | None = None


class Text(Wire, frozen=True, kw_only=True):
    """Text with its annotations."""

    value: str | None = None
    annotations: tuple[Annotation, ...] | None = None


class ImageFile(Wire, frozen=True, kw_only=True):
    """An image that was uploaded or made."""

    file_id: str | None = None
    detail: str | None = None


class ImageUrl(Wire, frozen=True, kw_only=True):
    """An image elsewhere."""

    url: str | None = None
    detail: str | None = None


class ContentPart(Wire, frozen=True, kw_only=True):
    """`text`, `image_file`, `image_url` or `refusal`; `index` in deltas only; `text` is a string in requests."""

    type: str = ""
    index: int | None = None
    text: Text | str | None = None
    image_file: ImageFile | None = None
    image_url: ImageUrl | None = None
    refusal: str | None = None


class Reason(Wire, frozen=True, kw_only=True):
    """Why a message or a run is incomplete."""

    reason: Name | None = None


class Attachment(Wire, frozen=True, kw_only=True):
    """A file for the tools of a thread."""

    file_id: str | None = None
    tools: tuple[Tool, ...] | None = None


class Message(Wire, frozen=True, kw_only=True):
    """A message; `status` and the three fields after it are in streams only."""

    id: str = ""
    object: str = "thread.message"
    created_at: Seconds = None
    assistant_id: str | None = None
    thread_id: str | None = None
    run_id: str | None = None
    status: str | None = None
    incomplete_details: Reason | None = None
    incomplete_at: Seconds = None
    completed_at: Seconds = None
    role: str | None = None
    content: tuple[ContentPart, ...] | ContentPart | str | None = ()
    attachments: tuple[Attachment, ...] | None = ()
    metadata: Opaque = NULL


class MessageFragment(Wire, frozen=True, kw_only=True):
    """What a message delta adds; one part instead of a list of them at Alibaba Model Studio."""

    role: str | None = None
    content: tuple[ContentPart, ...] | ContentPart | None = None


class MessageDelta(Wire, frozen=True, kw_only=True):
    """A piece of a message."""

    id: str = ""
    object: str = "thread.message.delta"
    delta: MessageFragment = MessageFragment()


class ErrorBody(Wire, frozen=True, kw_only=True):
    """An error; the schema demands all four fields, and some servers send numbers as codes."""

    code: Name | int | None = None
    message: str | None = None
    param: str | None = None
    type: Name | None = None
