"""From a file's bytes to a Tape. Whatever they hold, they make a Tape or a CassetteError that names the line.

Unknown kinds of line and unknown keys are ignored, an unknown version is refused. Nothing that is read is ever
run, and nothing of it reaches a header unless it could have stood in one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from wiretape.cassette.format import (
    METHOD,
    STATUS_MAX,
    STATUS_MIN,
    VERSION,
    Ended,
    Header,
    Interaction,
    Tape,
    may_stand,
)
from wiretape.cassette.forms import BodyFields, FrameFields, body_bytes, frame_bytes
from wiretape.cassette.ids import Aliases
from wiretape.cassette.rules import NO_RULES, Rules
from wiretape.errors import CassetteError
from wiretape.exchange import Headers

_Count = Annotated[int, Meta(ge=0, le=1 << 53)]
_Status = Annotated[int, Meta(ge=STATUS_MIN, le=STATUS_MAX)]
_Alias = Annotated[str, Meta(min_length=1, max_length=80)]
_Identity = Annotated[str, Meta(min_length=1, max_length=256)]
_Pairs = tuple[tuple[str, str], ...]

EXPANSION_MAX = 8
"""Times the file's length that its aliases may expand to: an alias is shorter than its id, but not by so much."""
_TARGET = re.compile(r"[^\x00-\x20\x7f]+")


class _Kind(Struct):
    k: str


class _Tape(Struct):
    v: int
    by: str = ""
    recorded: str = ""
    upstream: str = ""
    id: str = ""
    match: Rules = NO_RULES
    ids: dict[_Alias, _Identity] = {}


class _Request(BodyFields, kw_only=True):
    i: int
    m: str
    u: str
    ss: str = "default"
    h: _Pairs = ()
    enc: str | None = None


class _Response(BodyFields, kw_only=True):
    i: int
    s: _Status
    h: _Pairs = ()
    enc: str | None = None


class _Event(FrameFields, kw_only=True):
    i: int


class _End(Struct, kw_only=True):
    i: int
    how: Ended
    n: _Count | None = None
    sha: str | None = None
    t0: _Count = 0
    ch: tuple[tuple[_Count, _Count], ...] = ()
    times: str = "known"


_KINDS: dict[str, type[_Tape | _Request | _Response | _Event | _End]] = {
    "tape": _Tape,
    "req": _Request,
    "res": _Response,
    "ev": _Event,
    "end": _End,
}
_DECODERS = {kind: msgspec.json.Decoder(line) for kind, line in _KINDS.items()}
_KIND = msgspec.json.Decoder(_Kind)
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError, OverflowError)
"""All that reading and rendering a hostile line may raise: UnicodeError and binascii's are ValueErrors."""


def read(data: bytes, name: str, *, journal: bool = False) -> Tape:
    """The Tape in a file's bytes; `name` is the file's, for messages.

    A journal may end in a torn line, which is dropped. Interactions without an end are closed as cut by the
    recorder. Raises CassetteError.
    """
    reader = _Reader(EXPANSION_MAX * len(data))
    number = 0
    for number, line in _numbered(data[: good_bytes(data)] if journal else data):
        try:
            reader.feed(line)
        except _UNREADABLE as error:
            raise CassetteError(f"{name}, line {number}: {_reason(error)}.") from error
    if reader.header is None:
        raise CassetteError(f'{name}, line {number or 1}: no cassette begins here; the first line has "k":"tape".')
    return reader.finish(reader.header)


def good_bytes(data: bytes) -> int:
    """How many bytes are left when a torn last line is cut off.

    A line without its LF is whole if it is an object: no beginning of a JSON object is one.
    """
    start = data.rfind(b"\n") + 1
    return len(data) if _is_object(data[start:]) else start


def _is_object(line: bytes) -> bool:
    try:
        _KIND.decode(line)
    except _UNREADABLE:
        return False
    return True


def _numbered(data: bytes) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip())


def _reason(error: Exception) -> str:
    return "JSON nested too deep" if isinstance(error, RecursionError) else str(error).rstrip(".")


class _Draft:
    """An interaction whose end has not been read."""

    def __init__(self, request: _Request, aliases: Aliases) -> None:
        self.aliases = aliases
        self.response: _Response | None = None
        self.frames: list[bytes] = []
        self.requested(request)

    def requested(self, line: _Request) -> None:
        """The request; a later line replaces an earlier one, for a body that went on after the answer began."""
        self.method = _checked(METHOD, line.m, "method")
        self.target = _checked(_TARGET, self.aliases.expand(line.u), "target")
        self.request = line
        self.request_headers = _headers(line.h, self.aliases)
        self.request_body = body_bytes(line, self.aliases)

    def responded(self, line: _Response) -> None:
        self.headers = _headers(line.h, self.aliases)
        self.body = body_bytes(line, self.aliases)
        self.response = line

    def framed(self, line: _Event) -> None:
        self.frames.append(frame_bytes(line, self.aliases))

    def ended(self, line: _End) -> Interaction:
        answered = _Answered() if self.response is None else self._answered(self.response)
        return Interaction(
            index=self.request.i,
            session=self.request.ss,
            method=self.method,
            target=self.target,
            request_headers=self.request_headers,
            request_body=self.request_body,
            request_enc=self.request.enc,
            status=answered.status,
            headers=answered.headers,
            body=answered.body,
            enc=answered.enc,
            frames=tuple(len(frame) for frame in self.frames),
            how=line.how,
            t0_ms=line.t0,
            chunks=line.ch,
            times_known=line.times == "known",
        )

    def _answered(self, line: _Response) -> _Answered:
        body = b"".join(self.frames) if self.frames else self.body
        return _Answered(line.s, self.headers, body, line.enc)


class _Answered(Struct, frozen=True):
    status: int | None = None
    headers: Headers = ()
    body: bytes = b""
    enc: str | None = None


class _Reader:
    """Fed with a file's lines; ValueErrors say what is wrong with the line, without its number."""

    def __init__(self, expansion_max: int) -> None:
        self.header: Header | None = None
        self._expansion_max = expansion_max
        self._aliases = Aliases()
        self._open: dict[int, _Draft] = {}
        self._ended: dict[int, Interaction] = {}
        self._notes: list[str] = []

    def feed(self, data: bytes) -> None:
        """One line."""
        kind = _KIND.decode(data).k
        if kind not in _DECODERS:
            return
        line = _DECODERS[kind].decode(data)
        if isinstance(line, _Tape):
            self._began(line)
        elif self.header is None:
            raise ValueError('no cassette begins here; the first line has "k":"tape"')
        elif isinstance(line, _Request):
            self._requested(line)
        else:
            self._answered(line)

    def finish(self, header: Header) -> Tape:
        """The Tape, with what is still open closed as cut by the recorder."""
        for index in list(self._open):
            self._notes.append(f"Interaction {index} has no end: it is taken as cut by the recorder.")
            self._ends(_End(i=index, how=Ended.RECORDER))
        ordered = (self._ended[index] for index in sorted(self._ended))
        return Tape(header=header, interactions=tuple(ordered), notes=tuple(self._notes), ids=dict(self._aliases.table))

    def _began(self, line: _Tape) -> None:
        if line.v != VERSION:
            raise ValueError(f"version {line.v} of the format; this version of wiretape reads version {VERSION}")
        if self.header is not None:
            raise ValueError("a second cassette begins here; one file holds one")
        for problem in line.match.problems():
            raise ValueError(problem)
        self.header = Header(by=line.by, recorded=line.recorded, upstream=line.upstream, id=line.id, match=line.match)
        self._aliases = Aliases(line.ids, self._expansion_max)

    def _requested(self, line: _Request) -> None:
        if line.i in self._ended:
            raise ValueError(f"interaction {line.i} has ended already")
        draft = self._open.get(line.i)
        if draft is None:
            self._open[line.i] = _Draft(line, self._aliases)
        else:
            draft.requested(line)

    def _answered(self, line: _Response | _Event | _End) -> None:
        draft = self._open.get(line.i)
        if draft is None:
            raise ValueError(f"interaction {line.i} is not open here; its `req` line comes first")
        if isinstance(line, _Response):
            draft.responded(line)
        elif isinstance(line, _Event):
            draft.framed(line)
        else:
            self._ends(line)

    def _ends(self, line: _End) -> None:
        interaction = self._open.pop(line.i).ended(line)
        self._ended[line.i] = interaction
        if line.sha is not None and (line.sha, line.n) != (interaction.sha, len(interaction.body)):
            self._notes.append(
                f"Interaction {line.i} was edited: its body is not the one its `sha` and `n` were made of."
            )


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    if pattern.fullmatch(text) is None:
        raise ValueError(f"what stands there can be no {what}")
    return text


def _headers(pairs: _Pairs, aliases: Aliases) -> Headers:
    return tuple(_field(name, aliases.expand(value)) for name, value in pairs)


def _field(name: str, value: str) -> tuple[bytes, bytes]:
    field = name.encode("latin-1"), value.encode("latin-1")
    if not may_stand(*field):
        raise ValueError(f"the header field {name[:80]!r} holds what may not stand in one")
    return field
