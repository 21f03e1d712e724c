"""A tape in plain text, for `wiretape cassette show` and `ls`: lines for a person, escaped for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from msgspec import Struct

from wiretape.cassette.deltas import joined, plain
from wiretape.cassette.format import Interaction, Tape, frames_of
from wiretape.cassette.pace import fits
from wiretape.exchange import Headers

_BODY_LINES_MAX = 200


class Summary(Struct, frozen=True, kw_only=True):
    """What a list of cassettes tells of one."""

    name: str
    interactions: int
    bytes: int
    """Of the file."""
    recorded: str
    """In UTC; empty where unknown."""
    incomplete: int
    sealed: bool
    problem: str = ""
    """Why it cannot be read, where it cannot."""


def summary(name: str, tape: Tape, size: int, *, sealed: bool) -> Summary:
    """A tape's line in a list."""
    return Summary(
        name=name,
        interactions=len(tape.interactions),
        bytes=size,
        recorded=tape.header.recorded,
        incomplete=tape.incomplete,
        sealed=sealed,
    )


def show(tape: Tape) -> Iterator[str]:
    """The whole tape: each request, its answer, and the frames with their times."""
    head = tape.header
    when = head.recorded or "at an unknown time"
    yield printable(f"{len(tape.interactions)} interactions, recorded {when} from {head.upstream}")
    yield from (f"note: {note}" for note in tape.notes)
    for interaction in tape.interactions:
        yield ""
        yield from show_interaction(interaction)


def show_interaction(interaction: Interaction) -> Iterator[str]:
    """One interaction."""
    yield printable(f"#{interaction.index} {interaction.method} {interaction.target}  ({interaction.session})")
    yield from _block("> ", interaction.request_headers, interaction.request_body)
    yield f"< {interaction.status or 'no answer'}  {interaction.how}, {len(interaction.body)} bytes"
    if interaction.frames:
        yield from (f"< {line}" for line in _fields(interaction.headers))
        yield from _frames(interaction)
        yield from _texts(interaction)
    else:
        yield from _block("< ", interaction.headers, interaction.body)


def printable(text: str) -> str:
    """Text without anything that moves a cursor or colours a terminal: control characters stand as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _block(mark: str, headers: Headers, body: bytes) -> Iterator[str]:
    yield from (mark + line for line in _fields(headers))
    if not body:
        return
    yield mark.rstrip()
    lines = _read(body).splitlines()
    yield from (mark + printable(line) for line in lines[:_BODY_LINES_MAX])
    if len(lines) > _BODY_LINES_MAX:
        yield f"{mark}… {len(lines) - _BODY_LINES_MAX} more lines"


def _fields(headers: Headers) -> Iterator[str]:
    return (printable(f"{name}: {value}") for name, value in _pairs(headers))


def _frames(interaction: Interaction) -> Iterator[str]:
    """Each frame, with the time at which its last byte came."""
    for at_ms, raw in zip(_arrivals(interaction), frames_of(interaction), strict=True):
        text = _read(raw).rstrip("\n").replace("\n", " | ")
        yield f"  {'?' if at_ms is None else at_ms:>7} ms  {printable(text)}"


def _texts(interaction: Interaction) -> Iterator[str]:
    """What the deltas come to, each text on its own."""
    for text in map(plain, joined(interaction)):
        yield from (printable(f"= {line}") for line in text.splitlines())


class Shown(Struct, frozen=True, kw_only=True):
    """One interaction for a program; bytes that are no UTF-8 stand as escapes."""

    index: int
    session: str
    method: str
    target: str
    request_headers: list[tuple[str, str]]
    request_body: str
    status: int | None
    how: str
    headers: list[tuple[str, str]]
    body: str
    """Empty where there are frames."""
    frames: list[tuple[int | None, str]]
    """(ms from the request's beginning, the frame); None where times do not fit or are unknown."""
    texts: list[str]
    """What the deltas come to."""


def shown(interaction: Interaction) -> Shown:
    """One interaction for a program."""
    one = interaction
    frames = zip(_arrivals(one), map(_read, frames_of(one)), strict=True)
    return Shown(
        index=one.index,
        session=one.session,
        method=one.method,
        target=one.target,
        request_headers=_pairs(one.request_headers),
        request_body=_read(one.request_body),
        status=one.status,
        how=str(one.how),
        headers=_pairs(one.headers),
        body="" if one.frames else _read(one.body),
        frames=list(frames),
        texts=list(map(plain, joined(one))),
    )


def _read(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _arrivals(interaction: Interaction) -> Iterator[int | None]:
    """Milliseconds from the request's beginning; None where the times do not fit or are unknown."""
    known = interaction.times_known and fits(interaction)
    times = list(accumulate(gap for gap, _ in interaction.chunks))
    ends = list(accumulate(size for _, size in interaction.chunks))
    read = 0
    for frame_end in accumulate(interaction.frames):
        while known and ends[read] < frame_end:
            read += 1
        yield times[read] if known else None
