"""Secrets that are in a cassette all the same: in lines as they stand, in base64, across the deltas of a stream."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from wiretape.cassette.deltas import joined, plain
from wiretape.cassette.format import Interaction, Tape
from wiretape.cassette.lint.finding import Finding
from wiretape.cassette.lint.lines import Lines, Place
from wiretape.cassette.lint.oracle import Oracle
from wiretape.cassette.lint.streams import events


class _Text(Struct, frozen=True):
    """A text that is not as it stands in a line of the file."""

    line: int
    index: int
    what: str
    text: str


def exposed(tape: Tape | None, lines: Lines, oracle: Oracle) -> Iterator[Finding]:
    """The findings about secrets; each text is looked at once as it stands, and once as it reads."""
    seen: set[int] = set()
    for number, line in lines.numbered():
        for leak in oracle.leaks(line.decode("utf-8", "replace")):
            seen.add(number)
            told = f"{leak.size} characters from character {leak.start + 1} on look like a secret ({leak.rule})"
            yield Finding(line=number, rule="secret", told=told)
    for one in tape.interactions if tape is not None else ():
        for text in _texts(one, lines.place(one.index)):
            for rule in dict.fromkeys(leak.rule for leak in oracle.leaks(text.text) if text.line not in seen):
                yield Finding(line=text.line, rule="secret", interaction=text.index, told=f"{text.what} ({rule})")


def _texts(one: Interaction, place: Place) -> Iterator[_Text]:
    answer = b"\n".join(map(_reads, [shown.frame.data or b"" for shown in events(one, place)] or [one.body]))
    for body, line, whose in ((_reads(one.request_body), place.request, "request"), (answer, place.body, "answer")):
        what = f"the {whose}'s body, as it reads, holds what looks like a secret"
        yield _Text(line, one.index, what, body.decode("utf-8", "replace"))
    for text in map(plain, joined(one)):
        yield _Text(place.body, one.index, "the deltas of this stream, joined, hold what looks like a secret", text)


def _reads(body: bytes) -> bytes:
    """JSON without escapes that need not be; anything else as it is."""
    try:
        return msgspec.json.encode(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return body
