"""What was seen of one run, kept so that order and repetition do not matter: all that its report is made of.

Every part takes the earliest, the latest or the union of what it is told, or a sum over the lengths between pieces of
content. So two histories with the same facts leave the same state, whatever came first and however often, and the
report is read from that state alone. Two things are not so, and cannot be: a length between two pieces of content is
counted each time it is told (its stream tells it once); and beyond a bound (`steps_max`, `tools_max`, `carried_max`)
what comes first is kept.

Times are monotonic ns. All is plain data, to be encoded and decoded as one.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct, field

from wiretape.dialects.events import ContentKind, StepSeen
from wiretape.runs.report import Carried, Usage
from wiretape.runs.sketch import Sketch

T = TypeVar("T")
Told = tuple[int, T]
"""A value, and when it was first seen."""


class LegFacts(Struct):
    """A part of a run between two hand-ins."""

    asked_ns: int
    """The earliest request that belongs to it: the one that handed in."""
    sign_ns: int
    """When it was first seen to have begun."""
    statuses: dict[str, int] = {}
    """Each with its first sight; such as end the run belong to no leg."""
    answered: dict[str, int] = {}
    """Tool calls whose outputs were handed in for this leg to begin, each with the time of that request."""
    all_answered_ns: int | None = None
    """The request that handed in and did not say which; it answered all that waited."""


class EndFacts(Struct):
    """A terminal status."""

    at_ns: int
    error: Told[str] | None = None
    usage: Told[Usage] | None = None


class StepFacts(Struct):
    """A run step: the first sights of it at all, running, ended, and with tokens."""

    sight: tuple[int, int]
    """When it was first seen, and its place among those that its exchange told of at that time."""
    first: Told[StepSeen]
    running_ns: int | None = None
    ended: Told[StepSeen] | None = None
    usage: Told[Usage] | None = None


class ToolFacts(Struct):
    """A tool call."""

    sight: tuple[int, int]
    """As that of a step."""
    type: Told[str]
    name: Told[str] | None = None
    step_id: Told[str] | None = None
    by_client: bool = False
    delta_ns: int | None = None
    """Its first sight by itself."""
    step_ns: int | None = None
    """Its first sight within its step."""
    waits: set[int] = set()
    """The legs in which the run waited for it."""


class RunFacts(Struct):
    """A run."""

    last_seen_ns: int
    thread_id: Told[str] | None = None
    assistant_id: Told[str] | None = None
    model: Told[str] | None = None
    created_s: Told[float] | None = None
    expires_s: Told[float] | None = None
    """As it was told last."""
    error: Told[str] | None = None
    """The first error that a stream carried, or how one broke."""
    legs: dict[int, LegFacts] = {}
    ends: dict[str, EndFacts] = {}
    steps: dict[str, StepFacts] = {}
    steps_cut: bool = False
    """Whether steps were left out."""
    tools: dict[str, ToolFacts] = {}
    first_content: Told[tuple[int, ContentKind]] | None = None
    """With its place among the steps whose content its stream had begun by then."""
    gaps: Sketch = field(default_factory=Sketch)
    carried: list[Carried] = []
    """Exchanges that have ended; their times are monotonic here."""
    polls: int = 0
    exchanges: int = 0
    events: int = 0
    streamed: bool = False


class Pulse(Struct):
    """When content last came in a stream, of the step it is at: a stream is in order, whatever else is not."""

    at_ns: int | None = None
    begun: int = 0
    """Steps of which content came: many may come at one time."""


def earlier(known: Told[T], at_ns: int, value: T) -> Told[T]:
    """The earlier of what is known and what was seen now; of two at once always the same one."""
    if at_ns != known[0]:
        return known if known[0] < at_ns else (at_ns, value)
    return min(known, (at_ns, value), key=repr)


def earliest(known: Told[T] | None, at_ns: int, value: T | None) -> Told[T] | None:
    """As `earlier`, where one of both may be none."""
    if value is None or (known is not None and known[0] < at_ns):  # nearly always: it was told before
        return known
    return (at_ns, value) if known is None else earlier(known, at_ns, value)


def latest(known: Told[float] | None, at_ns: int, value: float | None) -> Told[float] | None:
    """The later of both; of two at once the greater."""
    return known if value is None else max(known or (at_ns, value), (at_ns, value))


def sooner(known: int | None, at_ns: int) -> int:
    """The earlier of two times."""
    return at_ns if known is None else min(known, at_ns)


def value(told: Told[T] | None) -> T | None:
    """What was told, without its time."""
    return None if told is None else told[1]
