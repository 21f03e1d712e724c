"""What is wrong with interactions as such: not finished, edited by hand, there twice."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from wiretape.cassette.format import Ended, Interaction, Tape
from wiretape.cassette.lint.finding import Finding, Severity
from wiretape.cassette.lint.lines import Lines, Place
from wiretape.cassette.pace import fits

_SAFE = frozenset({"GET", "HEAD"})


def content(tape: Tape, lines: Lines) -> Iterator[Finding]:
    """The findings about each interaction by itself, and about copies."""
    for one in tape.interactions:
        place = lines.place(one.index)
        yield from _unfinished(one, place)
        yield from _edited(one, place)
    yield from _copies(tape, lines)


def _unfinished(one: Interaction, place: Place) -> Iterator[Finding]:
    if not place.end:
        told = "it has no `end` line: the recording, or the file, broke off"
    elif one.how is Ended.RECORDER:
        told = "it was cut by the recorder; record it again, or take it out"
    elif one.status is None:
        told = "no answer came; replay never serves it"
    else:
        return
    yield Finding(line=place.end or place.request, rule="unfinished", interaction=one.index, told=told)


def _edited(one: Interaction, place: Place) -> Iterator[Finding]:
    """An `end` line tells what the body was when it was sealed."""
    if place.sha is not None and (place.sha, place.n) != (one.sha, len(one.body)):
        told = (
            f"the body that begins here has {len(one.body)} bytes and sha {one.sha}, line {place.end} says "
            f"{place.n} and {place.sha}: it was edited"
        )
        yield Finding(line=place.body, rule="edited", interaction=one.index, told=told)
    elif one.times_known and place.end and one.how is not Ended.RECORDER and not fits(one):
        told = f"its reads add up to {sum(size for _, size in one.chunks)} bytes, its body has {len(one.body)}"
        yield Finding(line=place.end, rule="timing", severity=Severity.WARNING, interaction=one.index, told=told)


def _copies(tape: Tape, lines: Lines) -> Iterator[Finding]:
    """Equal in everything, times too; without times a poll may well be answered alike twice."""
    first: dict[Interaction, int] = {}
    for one in tape.interactions:
        if one.times_known or one.method not in _SAFE:
            before = first.setdefault(replace(one, index=0), one.index)
            if before != one.index:
                told = f"it is #{before} again, to the byte and the millisecond; take one of the two out"
                yield Finding(line=lines.place(one.index).request, rule="duplicate", interaction=one.index, told=told)
