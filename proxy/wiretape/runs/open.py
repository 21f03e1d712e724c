"""The runs that are open, the keys of those that are not any more, and the names of assistants; all bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from wiretape.dialects.events import AgentSeen
from wiretape.runs.options import RunOptions
from wiretape.runs.report import RunReport
from wiretape.runs.tracker import Key, Origin, Run

V = TypeVar("V")


class OpenRuns:
    """A run is here from its first fact to its report, and is reported exactly once."""

    def __init__(self, options: RunOptions, finished: Callable[[RunReport], None]) -> None:
        self._options = options
        self._finished = finished
        self._runs: dict[Key, Run] = {}
        self._finished_keys: dict[Key, None] = {}
        self._agents: dict[Key, str | None] = {}
        self.evicted = 0
        """Runs reported before their time because too many were open."""

    def __len__(self) -> int:
        return len(self._runs)

    def find(self, key: Key) -> Run | None:
        """The open run of this key."""
        return self._runs.get(key)

    def start(self, key: Key, origin: Origin) -> Run | None:
        """The open run of this key, made where there is none; None where it has been reported."""
        if key in self._finished_keys:
            return None
        run = self._runs.get(key)
        if run is None:
            self._make_room()
            run = self._runs[key] = Run(key, origin, self._options)
        elif origin.own and not run.origin.own:
            run.adopt(origin)
        return run

    def finish(self, run: Run) -> None:
        """Report a run, unless that was done."""
        if self._runs.pop(run.key, None) is None:
            return
        _remember(self._finished_keys, run.key, None, self._options.finished_runs_max)
        self._finished(run.report(self._agents.get((run.key[0], run.assistant_id or ""))))

    def sweep(self, now_ns: int) -> None:
        """Report the overdue."""
        for run in [run for run in self._runs.values() if run.is_overdue(now_ns)]:
            self.finish(run)

    def close(self, now_ns: int) -> None:
        """Report all; they were watched until now."""
        for run in list(self._runs.values()):
            run.watched_until(now_ns)
            self.finish(run)

    def name_agent(self, upstream: str, agent: AgentSeen) -> None:
        """An assistant was seen; its newest name counts."""
        self._agents.pop((upstream, agent.agent_id), None)
        _remember(self._agents, (upstream, agent.agent_id), agent.name, self._options.agents_max)

    def _make_room(self) -> None:
        if len(self._runs) >= self._options.runs_open_max:
            self.evicted += 1
            self.finish(next(iter(self._runs.values())))


def _remember(table: dict[Key, V], key: Key, value: V, at_most: int) -> None:
    table[key] = value
    if len(table) > at_most:
        del table[next(iter(table))]
