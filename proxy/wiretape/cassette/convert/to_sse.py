"""The event streams of a cassette, each as the bytes it was: one file for each, named by its interaction."""

from __future__ import annotations

from wiretape.cassette.convert import exported
from wiretape.cassette.convert.exported import Exported
from wiretape.cassette.format import Tape
from wiretape.wire.headers import is_event_stream


def export(tape: Tape) -> Exported:
    """A file for each stream; requests, heads, times and all other answers are lost."""
    streams = [one for one in exported.served(tape) if is_event_stream(one.headers)]
    width = len(str(max((one.index for one in streams), default=0)))
    parts = tuple((f"{one.index:0{width}}.sse", one.body) for one in streams)
    rest = len(exported.served(tape)) - len(streams)
    lost = (f"{rest} interactions are left out: they are no event streams.",) if rest else ()
    return Exported(parts, (*exported.left_out(tape), *lost, "Only bodies are kept: no requests, heads or times."))
