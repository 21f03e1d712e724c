"""Which of the open runs have changed since they were last given, a few at a time and all in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from wiretape.runs.tracker import Key, Run


class Changes:
    """Goes round the open runs."""

    def __init__(self, all_open: Callable[[], Iterable[Run]]) -> None:
        self._all_open = all_open
        self._turn: list[Run] = []

    def some(self, find: Callable[[Key], Run | None], looks: int) -> Iterator[Run]:
        """Look at so many runs at most; gives those that have changed, or are new, each once for what was seen of it.

        Whoever has enough of them stops: the next ones are given another time.
        """
        if not self._turn:
            self._turn = list(self._all_open())[::-1]
        for _ in range(min(looks, len(self._turn))):
            run = self._turn.pop()
            if find(run.key) is run and _has_changed(run):
                yield run


def _has_changed(run: Run) -> bool:
    facts = run.facts
    mark = (facts.last_seen_ns, facts.events, facts.polls, facts.exchanges, len(facts.tools), run.origin.own)
    has_changed, run.mark = mark != run.mark, mark
    return has_changed
