"""How a run ended and what it used: what a report tells of that, and what may later prove to be better."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from wiretape.dialects.events import RunSeen
from wiretape.runs.facts import EndFacts, Told, earliest, value
from wiretape.runs.report import Usage
from wiretape.runs.state import TERMINAL
from wiretape.runs.steps import StepTokens, summed, usage


class Figures(Struct, frozen=True):
    """These fields of a RunReport, and of a Correction."""

    status: str
    outcome: str
    error: str | None
    usage: Usage | None
    usage_source: str


def see_end(ends: dict[str, EndFacts], seen: RunSeen, at_ns: int) -> None:
    """A run as it stood, where it had ended: tokens count then only, for whatever is told before is not final."""
    if seen.status in TERMINAL:
        end = ends.setdefault(seen.status, EndFacts(at_ns))
        end.at_ns = min(end.at_ns, at_ns)
        end.error = earliest(end.error, at_ns, seen.error)
        end.usage = earliest(end.usage, at_ns, usage(seen.tokens))


def first_end(ends: dict[str, EndFacts]) -> tuple[str, EndFacts] | None:
    """The terminal status that was seen first, and what was told with it; a terminal status is never left."""
    return min(ends.items(), key=lambda one: (one[1].at_ns, one[0]), default=None)


def ended_figures(status: str, end: EndFacts, error: Told[str] | None, steps: Iterable[StepTokens]) -> Figures:
    """Of a run that has ended: its own usage, else the sum of its steps.

    `error` is how its streams broke, which says why it ended only where the run itself does not, and never afterwards.
    """
    own = value(end.usage)
    used = summed(steps) if own is None else own
    source = "run" if own is not None else "none" if used is None else "steps"
    return Figures(status, status, _why(status, end, error), used, source)


def open_figures(status: str, error: Told[str] | None) -> Figures:
    """Of a run of which no end was seen; its tokens are unknown."""
    return Figures(status, "abandoned", value(error), None, "none")


def _why(status: str, end: EndFacts, error: Told[str] | None) -> str | None:
    if status in {"completed", "cancelled"}:
        return None
    before = value(error) if error and error[0] <= end.at_ns else None
    return value(end.error) or ("expired" if status == "expired" else before)
