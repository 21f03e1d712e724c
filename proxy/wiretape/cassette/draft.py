"""From one interaction's lines to the interaction; from a line whose content may be hostile to what may be served."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from wiretape.cassette.format import METHOD, Ended, Interaction, may_stand
from wiretape.cassette.forms import Fetch, body_bytes, frame_bytes
from wiretape.cassette.ids import Expansion
from wiretape.cassette.lines import END, EVENT, REQUEST, RESPONSE, UNREADABLE, EndLine, Pairs, reason
from wiretape.cassette.scan import Damage, Source, Strip, line_number
from wiretape.exchange import Headers

EXPANSION_MAX = 32
"""Times the length of its lines that aliases may expand to: the longest id, 203 bytes, may stand as `{{rs#1}}`."""
_TARGET = re.compile(r"[^\x00-\x20\x7f]+")
_Made = TypeVar("_Made")


class Damaged(Exception):
    """A line holds what cannot be read or served."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(f"line {damage.line}: {damage.reason}")
        self.damage = damage


class Shelved(Struct, frozen=True, kw_only=True):
    """Where the lines of some interactions are, and what their aliases and blobs stand for."""

    source: Source
    ids: dict[str, str]
    fetch: Fetch
    room: int = 0
    """Bytes that an interaction's aliases may expand to beside the multiple of its own lines."""

    def aliases(self, strip: Strip) -> Expansion:
        """The id table, with room for one interaction's ids."""
        return Expansion(self.ids, EXPANSION_MAX * (strip.size + self.room))


def head_of(shelved: Shelved, strip: Strip, aliases: Expansion) -> Interaction:
    """The request with its body, and the end; the response is another's. Raises Damaged."""
    asked = _decoded(shelved.source, strip.request, lambda line: _request(line, shelved.fetch, aliases))
    end = EndLine(i=strip.index, how=Ended.RECORDER) if strip.end is None else ended_of(shelved, strip.end)
    return replace(asked, how=end.how, t0_ms=end.t0, chunks=end.ch, times_known=end.times == "known")


def answered(shelved: Shelved, strip: Strip, aliases: Expansion, asked: Interaction) -> Interaction:
    """The interaction with its response's head, and its body where it is no event stream. Raises Damaged."""
    if strip.response is None:
        return asked
    fetch = None if strip.events else shelved.fetch
    return _decoded(shelved.source, strip.response, lambda line: _response(asked, line, fetch, aliases))


def frames_in(shelved: Shelved, strip: Strip, aliases: Expansion) -> Iterable[bytes]:
    """The body's frames, one at a time. Raises Damaged."""
    return (frame_in(shelved, place, line, aliases) for place, line in strip.frames(shelved.source))


def frame_in(shelved: Shelved, place: int, line: bytes, aliases: Expansion) -> bytes:
    """The frame in one line, that stands at this place. Raises Damaged."""
    try:
        return frame_bytes(EVENT.decode(line), aliases)
    except UNREADABLE as error:
        raise Damaged(Damage(line_number(shelved.source, place), reason(error))) from error


def interaction_of(shelved: Shelved, strip: Strip) -> Interaction:
    """One interaction, whole. Raises Damaged."""
    aliases = shelved.aliases(strip)
    found = answered(shelved, strip, aliases, head_of(shelved, strip, aliases))
    frames = tuple(frames_in(shelved, strip, aliases))
    if not frames or found.status is None:
        return found
    return replace(found, body=b"".join(frames), frames=tuple(map(len, frames)))


def ended_of(shelved: Shelved, place: tuple[int, int]) -> EndLine:
    """An `end` line. Raises Damaged."""
    return _decoded(shelved.source, place, END.decode)


def was_edited(end: EndLine, size: int, sha: str) -> bool:
    """Whether a body is another than the one that was written."""
    return end.sha is not None and (end.sha, end.n) != (sha, size)


def _decoded(source: Source, place: tuple[int, int], make: Callable[[bytes], _Made]) -> _Made:
    try:
        return make(source.read(*place))
    except UNREADABLE as error:
        raise Damaged(Damage(line_number(source, place[0]), reason(error))) from error


def _request(data: bytes, fetch: Fetch, aliases: Expansion) -> Interaction:
    line = REQUEST.decode(data)
    return Interaction(
        index=line.i,
        session=line.ss,
        method=_checked(METHOD, line.m, "method"),
        target=_checked(_TARGET, aliases.expand(line.u), "target"),
        request_headers=_headers(line.h, aliases),
        request_body=body_bytes(line, aliases, fetch),
        request_enc=line.enc,
    )


def _response(asked: Interaction, data: bytes, fetch: Fetch | None, aliases: Expansion) -> Interaction:
    line = RESPONSE.decode(data)
    headers, body = _headers(line.h, aliases), b"" if fetch is None else body_bytes(line, aliases, fetch)
    return replace(asked, status=line.s, headers=headers, body=body, enc=line.enc)


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    if pattern.fullmatch(text) is None:
        raise ValueError(f"what stands there can be no {what}")
    return text


def _headers(pairs: Pairs, aliases: Expansion) -> Headers:
    return tuple(_field(name, aliases.expand(value)) for name, value in pairs)


def _field(name: str, value: str) -> tuple[bytes, bytes]:
    field = name.encode("latin-1"), value.encode("latin-1")
    if not may_stand(*field):
        raise ValueError(f"the header field {name[:80]!r} holds what may not stand in one")
    return field
