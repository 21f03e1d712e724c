"""The kinds of line in a cassette, typed: what each may hold, and no more than that is believed of it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from wiretape.cassette.format import STATUS_MAX, STATUS_MIN, Ended
from wiretape.cassette.forms import BodyFields, FrameFields
from wiretape.cassette.rules import NO_RULES, Rules

Count = Annotated[int, Meta(ge=0, le=1 << 53)]
Status = Annotated[int, Meta(ge=STATUS_MIN, le=STATUS_MAX)]
Alias = Annotated[str, Meta(min_length=1, max_length=80)]
Identity = Annotated[str, Meta(min_length=1, max_length=256)]
Pairs = tuple[tuple[str, str], ...]


class Peek(Struct):
    """What a line says of itself: its kind, and the interaction it belongs to."""

    k: str
    i: int | None = None


class TapeLine(Struct):
    """The first line."""

    v: int
    by: str = ""
    recorded: str = ""
    upstream: str = ""
    id: str = ""
    match: Rules = NO_RULES
    ids: dict[Alias, Identity] = {}


class RequestLine(BodyFields, kw_only=True):
    """A `req` line."""

    i: int
    m: str
    u: str
    ss: str = "default"
    h: Pairs = ()
    enc: str | None = None


class ResponseLine(BodyFields, kw_only=True):
    """A `res` line."""

    i: int
    s: Status
    h: Pairs = ()
    enc: str | None = None


class EventLine(FrameFields, kw_only=True):
    """An `ev` line."""

    i: int


class EndLine(Struct, kw_only=True):
    """An `end` line."""

    i: int
    how: Ended
    n: Count | None = None
    sha: str | None = None
    t0: Count = 0
    ch: tuple[tuple[Count, Count], ...] = ()
    times: str = "known"


PEEK = msgspec.json.Decoder(Peek)
TAPE = msgspec.json.Decoder(TapeLine)
REQUEST = msgspec.json.Decoder(RequestLine)
RESPONSE = msgspec.json.Decoder(ResponseLine)
EVENT = msgspec.json.Decoder(EventLine)
END = msgspec.json.Decoder(EndLine)

UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError, OverflowError)
"""All that reading and rendering a hostile line may raise: UnicodeError and binascii's are ValueErrors."""


def reason(error: Exception) -> str:
    """Why a line cannot be read, as the end of a sentence."""
    return "JSON nested too deep" if isinstance(error, RecursionError) else str(error).rstrip(".")


def is_object(line: bytes) -> bool:
    """Whether this is a whole line: no beginning of a JSON object is one."""
    try:
        PEEK.decode(line)
    except UNREADABLE:
        return False
    return True
