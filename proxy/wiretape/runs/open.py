"""The runs that are open, the keys of those that are not any more, and the names of assistants; all bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TypeVar

from wiretape.dialects.events import AgentSeen
from wiretape.runs.figures import Figures
from wiretape.runs.late import Late, late
from wiretape.runs.options import RunOptions
from wiretape.runs.report import Correction, RunReport
from wiretape.runs.snapshot import Snapshot, taken
from wiretape.runs.tracker import Key, Origin, Run

V = TypeVar("V")


class OpenRuns:
    """A run is here from its first fact to its report, and is reported exactly once; then it can be corrected."""

    def __init__(
        self,
        options: RunOptions,
        finished: Callable[[RunReport], None],
        corrected: Callable[[Correction], None] = lambda _: None,
    ) -> None:
        self._options = options
        self._finished = finished
        self._corrected = corrected
        self._own: OrderedDict[Key, Run] = OrderedDict()
        self._foreign: OrderedDict[Key, Run] = OrderedDict()
        self._finished_keys: OrderedDict[Key, None] = OrderedDict()
        self._late: OrderedDict[Key, Late] = OrderedDict()
        self._agents: OrderedDict[Key, str | None] = OrderedDict()
        self.evicted = 0
        """Runs reported before their time, or foreign ones not followed, because too many were open."""

    def __len__(self) -> int:
        return len(self._own) + len(self._foreign)

    def find(self, key: Key) -> Run | None:
        """The open run of this key."""
        return self._own.get(key) or self._foreign.get(key)

    def start(self, key: Key, origin: Origin) -> Run | None:
        """The open run of this key, made where there is none; None where it has been reported, or has no room."""
        if key in self._finished_keys:
            return None
        run = self.find(key)
        if run is None:
            return self._made(key, origin)
        was_own = run.origin.own
        run.join(origin)
        if run.origin.own and not was_own:
            self._own[key] = self._foreign.pop(key)
        return run

    def finish(self, run: Run) -> None:
        """Report a run, unless that was done."""
        table = self._table(run.origin)
        if table.get(run.key) is not run:
            return
        del table[run.key]
        report = run.report(self._agents.get((run.key[0], run.assistant_id or "")))
        self._remember(run, Figures(report.status, report.outcome, report.error, report.usage, report.usage_source))
        self._finished(report)

    def restore(self, run: Run, assistant_name: str | None) -> None:
        """Go on with a run that another process followed; where its end was seen, it is reported at once."""
        if self.find(run.key) is not None or not self._has_room(run.origin):
            return
        agent = (run.key[0], run.assistant_id or "")
        if assistant_name is not None and agent not in self._agents:
            _remember(self._agents, agent, assistant_name, self._options.agents_max)
        self._added(run)
        if run.is_over:
            self.finish(run)

    def taken(self, run: Run) -> Snapshot:
        """The run as it stands, with the name of its assistant."""
        return taken(run, self._agents.get((run.key[0], run.assistant_id or "")))

    def late(self, key: Key) -> Late | None:
        """The run of this key, where it was reported and its figures may still get better."""
        return self._late.get(key) if key in self._finished_keys else None

    def correct(self, late: Late, at_ns: int) -> None:
        """Tell what is better by now than what was reported, if anything; `at_ns` since the Unix epoch."""
        correction = late.correction(at_ns)
        if late.is_settled:
            self._late.pop(late.key, None)
        if correction is not None:
            self._corrected(correction)

    def sweep(self, now_ns: int) -> None:
        """Report the overdue."""
        for run in [run for run in self.all() if run.is_overdue(now_ns)]:
            self.finish(run)

    def close(self, now_ns: int) -> None:
        """Report all; they were watched until now."""
        for run in list(self.all()):
            run.watched_until(now_ns)
            self.finish(run)

    def name_agent(self, upstream: str, agent: AgentSeen) -> None:
        """An assistant was seen; its newest name counts."""
        self._agents.pop((upstream, agent.agent_id), None)
        _remember(self._agents, (upstream, agent.agent_id), agent.name, self._options.agents_max)

    def _remember(self, run: Run, told: Figures) -> None:
        _remember(self._finished_keys, run.key, None, self._options.finished_runs_max)
        self._late.pop(run.key, None)  # of a report before, where the key was forgotten and the run followed anew
        unsettled = late(run, told, self._options.steps_max)
        if unsettled is not None:
            _remember(self._late, run.key, unsettled, self._options.corrected_runs_max)

    def all(self) -> Iterator[Run]:
        """Every open run."""
        return chain(self._own.values(), self._foreign.values())

    def _table(self, origin: Origin) -> OrderedDict[Key, Run]:
        return self._own if origin.own else self._foreign

    def _made(self, key: Key, origin: Origin) -> Run | None:
        """A new run. Where there is no room the oldest gives way, foreign ones first, and none of ours for those."""
        return self._added(Run(key, origin, self._options)) if self._has_room(origin) else None

    def _has_room(self, origin: Origin) -> bool:
        if len(self) < self._options.runs_open_max:
            return True
        self.evicted += 1
        giving_way = self._foreign or (self._own if origin.own else None)
        if giving_way:
            self.finish(next(iter(giving_way.values())))
        return len(self) < self._options.runs_open_max

    def _added(self, run: Run) -> Run:
        self._table(run.origin)[run.key] = run
        return run


def _remember(table: OrderedDict[Key, V], key: Key, value: V, at_most: int) -> None:
    """An OrderedDict, as a dict walks over all that was deleted to find its oldest."""
    table[key] = value
    if len(table) > at_most:
        table.popitem(last=False)
