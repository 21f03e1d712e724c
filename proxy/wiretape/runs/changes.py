"""Which of the open runs have changed since they were last asked for, a few at a time and all in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wiretape.runs.tracker import Key, Run

LOOKS = 16
"""How many runs are looked at for each that may be given, at most."""
Mark = tuple[int | bool, ...]


class Changes:
    """Goes round the open runs."""

    def __init__(self, all_open: Callable[[], Iterable[Run]]) -> None:
        self._all_open = all_open
        self._turn: list[Run] = []
        self._marks: dict[Key, Mark] = {}

    def some(self, find: Callable[[Key], Run | None], at_most: int) -> list[Run]:
        """Runs that have changed, or are new; each is taken to be saved now."""
        if not self._turn:
            self._begin()
        looked, self._turn = self._turn[: at_most * LOOKS], self._turn[at_most * LOOKS :]
        changed: list[Run] = []
        for place, run in enumerate(looked):
            if len(changed) == at_most:
                self._turn = looked[place:] + self._turn
                break
            if find(run.key) is run and self._marked(run):
                changed.append(run)
        return changed

    def forget(self, key: Key) -> None:
        """The run could not be saved: it counts as changed."""
        self._marks.pop(key, None)

    def _begin(self) -> None:
        self._turn = list(self._all_open())
        self._marks = {run.key: self._marks[run.key] for run in self._turn if run.key in self._marks}

    def _marked(self, run: Run) -> bool:
        facts = run.facts
        mark = (facts.last_seen_ns, facts.events, facts.polls, facts.exchanges, len(facts.tools), run.origin.own)
        if self._marks.get(run.key) == mark:
            return False
        self._marks[run.key] = mark
        return True
