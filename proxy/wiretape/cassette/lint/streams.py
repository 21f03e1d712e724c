"""What is wrong with the events of a stream; which may follow which, each dialect knows (`runs.order`)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from wiretape.cassette.format import Ended, Interaction, Tape, frames_of
from wiretape.cassette.lint.finding import Finding
from wiretape.cassette.lint.lines import Lines, Place
from wiretape.runs.order import order
from wiretape.wire.sse import Frame, Framer

_RULES = {"done": "done", "usage": "usage", "usage-sum": "usage"}
"""By the dialects' names; any other is about the order of events or what they carry."""


class Shown(Struct, frozen=True):
    """An event and the line it stands on."""

    line: int
    frame: Frame


def events(one: Interaction, place: Place) -> list[Shown]:
    """The frames of a stream that carry data, each with its line."""
    framer = Framer(max(len(one.body), 1))
    found: list[Shown] = []
    for at, raw in enumerate(frames_of(one)):
        line = place.events[at] if at < len(place.events) else place.body
        found += [Shown(line, frame) for frame in framer.feed(raw) if frame.data is not None]
    return found


def streams(tape: Tape, lines: Lines) -> Iterator[Finding]:
    """The findings about the events of every stream."""
    for one in tape.interactions:
        if one.frames and one.status is not None:
            yield from _stream(one, lines.place(one.index))


def _stream(one: Interaction, place: Place) -> Iterator[Finding]:
    check, shown = order(one.method, one.path), events(one, place)
    if check is None:
        return
    for event in shown:
        check.feed(event.frame.event, event.frame.data or b"")
    for found in check.finish():
        rule = _RULES.get(found.rule, "order")
        if rule != "done" or one.how is Ended.COMPLETE:
            line = shown[found.number - 1].line if 0 < found.number <= len(shown) else place.body
            told = f"{found.told} ({found.rule})"
            yield Finding(line=line, rule=rule, severity=found.severity, interaction=one.index, told=told)
