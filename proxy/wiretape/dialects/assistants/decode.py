"""Bytes to typed objects: one decoder per shape, strict about JSON, forgiving about single fields.

Nearly every object decodes in one step. Where a field has an unforeseen type, the object is read again
field by field and that field is left at its default: a run must not be lost for an odd `temperature`.

An event's name comes from the `event:` field, else from an envelope `{"event": …, "data": …}` (LiteLLM,
Astra), else the family is guessed from `object` and `status`.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar, get_args

import msgspec
from msgspec import Raw, Struct

from wiretape.dialects.assistants.events import (
    AssistantStreamEvent,
    DoneEvent,
    ErrorEvent,
    MessageStreamEvent,
    RunStepStreamEvent,
    RunStreamEvent,
    ThreadCreated,
    UnknownEvent,
)
from wiretape.dialects.assistants.objects import NULL, Opaque, Wire
from wiretape.errors import DecodeFailed

T = TypeVar("T", bound=Struct)
END_MARK: Final = b"[DONE]"
_TROUBLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_KEYS = msgspec.json.Decoder(dict[str, Raw])


class Shape(Generic[T]):
    """A struct, and how bytes become it."""

    def __init__(self, struct: type[T]) -> None:
        self._struct = struct
        self._decode = msgspec.json.Decoder(struct).decode
        self._types = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}

    def read(self, data: bytes) -> T:
        """The object; raises DecodeFailed for what is no JSON object."""
        try:
            return self._decode(data)
        except msgspec.ValidationError:
            return self._salvage(data)
        except _TROUBLE as error:
            raise self._failed(error) from error

    def unknown_fields(self, data: bytes) -> int:
        """How many of the object's own keys the struct lacks; keys that are not UTF-8 count as one."""
        try:
            return len(_KEYS.decode(data).keys() - self._types.keys())
        except _TROUBLE:
            return 1

    def _salvage(self, data: bytes) -> T:
        try:
            fields = _KEYS.decode(data)
        except _TROUBLE as error:
            raise self._failed(error) from error
        fitting = {name: fields[name] for name in fields.keys() & self._types.keys() if self._fits(name, fields[name])}
        return self._decode(msgspec.json.encode(fitting))

    def _fits(self, name: str, value: Raw) -> bool:
        try:
            msgspec.json.decode(value, type=self._types[name])
        except _TROUBLE:
            return False
        return True

    def _failed(self, error: Exception) -> DecodeFailed:
        return DecodeFailed(f"Bytes that should be a {self._struct.__name__} are no JSON object: {error}.")


class Envelope(Wire, frozen=True, kw_only=True):
    """The keys that tell what an event is. `enabled` may stand beside `event` and `data` and means nothing."""

    event: str | None = None
    data: Opaque = NULL
    enabled: bool | None = None
    object: str | None = None
    status: str | None = None
    error: Opaque = NULL


EVENTS: Final[dict[str, type[AssistantStreamEvent]]] = {
    struct.event: struct
    for struct in (
        ThreadCreated,
        *get_args(RunStreamEvent),
        *get_args(RunStepStreamEvent),
        *get_args(MessageStreamEvent),
        ErrorEvent,
        DoneEvent,
    )
}
"""All 25 events by name."""
SHAPES: Final[dict[str, Shape[AssistantStreamEvent]]] = {
    name: Shape(struct) for name, struct in EVENTS.items() if struct is not DoneEvent
}
_READERS = {name: shape.read for name, shape in SHAPES.items()}
_ENVELOPE = Shape(Envelope)
_DONE = DoneEvent()
_WITHOUT_STATUS = {"thread": "thread.created"} | {name: name for name in SHAPES if name.endswith(".delta")}


def decode(name: str, data: bytes) -> AssistantStreamEvent | UnknownEvent:
    """The event of this name; raises DecodeFailed where its data is no JSON object."""
    read = _READERS.get(name)
    if read is not None:
        return read(data)
    return _DONE if name == _DONE.event or data.startswith(END_MARK) else UnknownEvent(name, data)


def unwrap(data: bytes) -> tuple[str, bytes]:
    """Name and data of an event without an `event:` field; the name is empty where nothing tells."""
    if data.startswith(END_MARK):
        return _DONE.event, data
    envelope = _ENVELOPE.read(data)
    if envelope.event is not None:
        return envelope.event, b"{}" if envelope.data == NULL else bytes(envelope.data)
    if envelope.object is None:
        return "" if envelope.error == NULL else ErrorEvent.event, data
    guess = f"{envelope.object}.{envelope.status}"
    return guess if guess in SHAPES else _WITHOUT_STATUS.get(envelope.object, envelope.object), data
