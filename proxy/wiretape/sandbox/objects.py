"""The objects of the Assistants API, each with its fields in the order of the wire.

The order, and which fields there are, follow captured traffic where it differs from the published schema
(reference chapter 6): run steps have `expires_at` and no `metadata`, runs have `tool_resources` and
`reasoning_effort`. Values are frozen; a change is a new value. Times are whole Unix seconds.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from wiretape.sandbox.content import Json, Part, plain

JsonObject = dict[str, Json]
Metadata = dict[str, str]

RUN_LIFE_S = 600
"""A run expires this many seconds after its creation."""
NO_FILES: JsonObject = {"code_interpreter": {"file_ids": []}}
"""Resources as the service shows them where there are none."""
TERMINAL = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})
"""The statuses of a run that has ended."""


class CodeInterpreter(Struct, frozen=True, tag_field="type", tag="code_interpreter"):
    """The hosted tool that runs code; the sandbox knows it by name only."""


class FileSearch(Struct, frozen=True, tag_field="type", tag="file_search"):
    """The hosted tool that searches files; the sandbox knows it by name only."""

    file_search: Json | UnsetType = UNSET


class Function(Struct, frozen=True):
    """A function the client can run; `parameters` is a JSON Schema."""

    name: str
    description: str | UnsetType = UNSET
    parameters: JsonObject | UnsetType = UNSET
    strict: bool | None = False


class FunctionTool(Struct, frozen=True, tag_field="type", tag="function"):
    """A function among an assistant's tools."""

    function: Function


Tool = CodeInterpreter | FileSearch | FunctionTool


class Assistant(Struct, frozen=True, kw_only=True):
    """An assistant."""

    id: str
    object: str = "assistant"
    created_at: int
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: tuple[Tool, ...]
    top_p: float | None
    temperature: float | None
    reasoning_effort: str | None
    tool_resources: JsonObject
    metadata: Metadata
    response_format: Json


class Thread(Struct, frozen=True, kw_only=True):
    """A thread; its messages and runs are kept beside it."""

    id: str
    object: str = "thread"
    created_at: int
    metadata: Metadata
    tool_resources: JsonObject

    @property
    def filled(self) -> Thread:
        """The thread as reading it and as streams show it: never without resources, unlike the answers to POST.

        Captured: ruby-openai's threads_retrieve.yml, openai-dotnet's BasicThreadOperationsWork.json, all streams.
        """
        return self if self.tool_resources else replace(self, tool_resources=NO_FILES)


class Deleted(Struct, frozen=True, kw_only=True):
    """What is left of a deleted object."""

    id: str
    object: str
    deleted: bool = True


class Reason(Struct, frozen=True):
    """Why something is incomplete."""

    reason: str


class PlainMessage(Struct, frozen=True, kw_only=True):
    """A message as the JSON endpoints answer it: ten fields, none of the four about its making."""

    id: str
    object: str = "thread.message"
    created_at: int
    assistant_id: str | None
    thread_id: str
    run_id: str | None
    role: Literal["user", "assistant"]
    content: tuple[Part, ...]
    attachments: tuple[Json, ...]
    metadata: Metadata


class ModifiedMessage(Struct, frozen=True, kw_only=True):
    """A message as modifying it answers: with `file_ids` of v1 for attachments.

    Captured, without exception: openai-dotnet's BasicMessageOperationsWork.json, ruby-openai's messages_modify.yml.
    """

    id: str
    object: str = "thread.message"
    created_at: int
    assistant_id: str | None
    thread_id: str
    run_id: str | None
    role: Literal["user", "assistant"]
    content: tuple[Part, ...]
    file_ids: tuple[str, ...]
    metadata: Metadata


class Message(Struct, frozen=True, kw_only=True):
    """A message as event streams carry it: fourteen fields."""

    id: str
    object: str = "thread.message"
    created_at: int
    assistant_id: str | None
    thread_id: str
    run_id: str | None
    status: str = "in_progress"
    incomplete_details: Reason | None = None
    incomplete_at: int | None = None
    completed_at: int | None = None
    role: Literal["user", "assistant"]
    content: tuple[Part, ...] = ()
    attachments: tuple[Json, ...] = ()
    metadata: Metadata = {}

    @property
    def plain(self) -> PlainMessage:
        """The message without the four fields that only streams have."""
        return PlainMessage(**{name: getattr(self, name) for name in PlainMessage.__struct_fields__})

    @property
    def modified(self) -> ModifiedMessage:
        """The message as modifying it answers."""
        known = {name: getattr(self, name) for name in PlainMessage.__struct_fields__ if name != "attachments"}
        return ModifiedMessage(**known, file_ids=tuple(dict.fromkeys(one["file_id"] for one in self.attachments)))

    @property
    def text(self) -> str:
        """All its text, parts joined by spaces."""
        return plain(self.content)
