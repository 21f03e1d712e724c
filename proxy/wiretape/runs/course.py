"""The course of a run, read from what was seen of it: its states in the order of their times.

Times decide, not arrivals: a status that was seen first after a later one counts as little as it would have then.
"""

from __future__ import annotations

from collections.abc import Iterator

from wiretape.runs.facts import RunFacts
from wiretape.runs.figures import first_end
from wiretape.runs.phases import Phases
from wiretape.runs.state import RANKS, State, advance

_Mark = tuple[int, int, int, str]
"""When, in which leg, its rank, and the status; the begin of a leg goes before its statuses."""
_BEGIN = -1


class Course:
    """What a run went through until it ended, or until now."""

    def __init__(self, facts: RunFacts) -> None:
        self._facts = facts
        self.ended = first_end(facts.ends)
        """The first end that was seen."""
        self.phases = Phases()
        self.state = State()
        self.waits: dict[int, int] = {}
        """The legs in which it waited for its client, each with the begin of that."""
        self.resumed: list[int] = []
        """The legs that a hand-in began, in order."""
        for mark in sorted(self._marks()):
            self._take(*mark)
        self._end()

    def _marks(self) -> Iterator[_Mark]:
        """All before the end."""
        for number, leg in self._facts.legs.items():
            if number:
                yield leg.sign_ns, number, _BEGIN, ""
            yield from ((at_ns, number, RANKS[status], status) for status, at_ns in leg.statuses.items())

    def _take(self, at_ns: int, number: int, rank: int, status: str) -> None:
        if self.ended is not None and at_ns > self.ended[1].at_ns:
            return
        if rank == _BEGIN:
            self._resume(number)
            return
        state = advance(self.state, number, status)
        if state != self.state:
            self.state = state
            self.phases.enter(state, at_ns)
            if status == "requires_action":
                self.waits[number] = at_ns

    def _resume(self, number: int) -> None:
        if number > self.state.leg:
            self.state = State(number, "queued")
            self.resumed.append(number)
            self.phases.resume(self._facts.legs[number].asked_ns)

    def _end(self) -> None:
        if self.ended is not None:
            status, seen = self.ended
            self.state = State(self.state.leg, status)
            self.phases.enter(self.state, seen.at_ns)
