"""Tells the facts of one exchange to the runs: to which of them, in which leg, and who waits for whom."""

from __future__ import annotations

from wiretape.dialects.events import (
    AgentSeen,
    Asked,
    Content,
    ErrorSeen,
    Fact,
    Kind,
    Route,
    RunSeen,
    StepSeen,
    StreamEnd,
    ToolSeen,
    Unknown,
)
from wiretape.errors import UpstreamFailed
from wiretape.exchange import Ending, How, Request
from wiretape.runs.bodies import Question
from wiretape.runs.facts import Pulse
from wiretape.runs.late import Late
from wiretape.runs.open import OpenRuns
from wiretape.runs.report import AgentCreated, Carried
from wiretape.runs.seen import Context
from wiretape.runs.state import TERMINAL
from wiretape.runs.tracker import Key, Leg, Origin, Run

_CARRIES = frozenset({Kind.START, Kind.RESUME, Kind.CANCEL, Kind.CHANGE})
OK = range(200, 300)


class Teller:
    """Knows the run that the exchange names, once there is one, and the others that its answer tells of."""

    def __init__(
        self,
        runs: OpenRuns,
        request: Request,
        route: Route,
        context: Context,
        question: Question | None,
    ) -> None:
        self.run = runs.find((request.upstream, route.run_id)) if route.run_id else None
        """The run that the exchange is about; it stays so when it was reported."""
        self.is_stream = False
        """Whether the answer is read as a stream."""
        self.first_event_ns: int | None = None
        self.pulse = Pulse()
        self.events_unknown = self.fields_unknown = 0
        self.agent_created: AgentCreated | None = None
        self._runs = runs
        self._request = request
        self._route = route
        self._context = context
        self._question = question
        self._leg = Leg(self._leg_number(), request.at_ns)
        self._accepted_ns: int | None = None
        self._held: dict[Key, Run] = {}
        self._late: dict[Key, Late] = {}
        self._stream_step: str | None = None
        self._is_ended_by_mark = False
        self._places = 0
        self._hold_carried()

    def accept(self, at_ns: int) -> None:
        """The hand-in was answered well, so it is in, though its answer may be torn before it says so."""
        self._leg = Leg(self._leg.number, self._leg.asked_ns, self._asked().answered_calls)
        self._accepted_ns = at_ns
        if self.run is not None:
            self.run.accept(self._leg, at_ns)

    def take(self, fact: Fact, at_ns: int) -> None:
        """Any fact."""
        match fact:
            case RunSeen():
                self._see(fact, at_ns)
            case StepSeen():
                self._see_step(fact, at_ns)
            case ToolSeen() if self.run is not None:
                self.run.see_tool(fact, at_ns, self._place())
            case Content() if self.run is not None:
                self.run.see_content(fact.kind, at_ns, self.pulse)
            case ErrorSeen() if self.run is not None:
                self.run.see_error(fact.code, at_ns)
            case StreamEnd():
                self._is_ended_by_mark = True
            case Unknown():
                self.events_unknown += fact.events
                self.fields_unknown += fact.fields
            case AgentSeen():
                self._see_agent(fact)
            case _:
                pass

    def end(self, ending: Ending, events: int, status: int | None) -> None:
        """Credit the exchange to its run, report the runs that it brought to their end, and correct those before."""
        if self.run is not None:
            self._credit(self.run, ending, events, status)
        self._let_go()
        self._correct(ending.at_ns)

    def _asked(self) -> Asked:
        return self._question.asked() if self._question is not None else Asked()

    def _leg_number(self) -> int:
        """The leg as it stood when this was asked: a slow poll must not speak for a later one."""
        return (self.run.leg if self.run else 0) + (self._route.kind is Kind.RESUME)

    def _hold(self, run: Run) -> None:
        """The run's report is to wait for this exchange."""
        if run.key not in self._held:
            self._held[run.key] = run
            run.holds += 1

    def _hold_carried(self) -> None:
        if self.run is not None and self._route.kind in _CARRIES:
            self._hold(self.run)

    def _let_go(self) -> None:
        """Whoever is the last to hold a run that has ended reports it."""
        for run in self._held.values():
            run.holds -= 1
            if run.is_over and not run.holds:
                self._runs.finish(run)

    def _correct(self, at_ns: int) -> None:
        """Once an exchange, as a list of steps is whole at its end."""
        for late in self._late.values():
            self._runs.correct(late, self._request.wall_ns + at_ns - self._request.at_ns)

    def _see(self, fact: RunSeen, at_ns: int) -> None:
        if self._route.kind is Kind.READ and fact.status not in TERMINAL:
            self._see_listed(fact)
            return
        run = self._bind(fact.run_id, opens=True)
        if run is None:
            self._see_late(fact, at_ns)
            return
        was_over = run.is_over
        run.see(fact, at_ns, self._leg_of(run))
        if run.is_over and not was_over:
            self._hold(run)

    def _see_listed(self, fact: RunSeen) -> None:
        """A list shows that a run lives, and opens none; how it stands may be older than what is known."""
        run = self._runs.find((self._request.upstream, fact.run_id))
        if run is not None:
            run.watched_until(self._request.at_ns)

    def _see_late(self, fact: RunSeen, at_ns: int) -> None:
        late = self._late_run(fact.run_id)
        if late is not None:
            late.see(fact, at_ns)

    def _see_step(self, fact: StepSeen, at_ns: int) -> None:
        """A stream's step may be the first sign of its run; a list of steps opens none.

        Content of a stream's next step is timed anew: a tool's running time is no gap.
        """
        run = self._bind(fact.run_id, opens=self.is_stream) if fact.run_id else self.run
        if self.is_stream and fact.step_id != self._stream_step:
            self._stream_step, self.pulse.at_ns = fact.step_id, None
        late = self._late_run(fact.run_id) if fact.run_id else None
        if run is not None:
            run.see_step(fact, at_ns, self._leg_of(run), self._place())
        elif late is not None:
            late.see_step(fact)

    def _place(self) -> int:
        """Among what this exchange tells: many events may come at one time."""
        self._places += 1
        return self._places

    def _late_run(self, run_id: str) -> Late | None:
        """The run of this id, where it was reported and can be corrected."""
        key = (self._request.upstream, run_id)
        late = self._runs.late(key)
        if late is not None:
            self._late[key] = late
        return late

    def _see_agent(self, fact: AgentSeen) -> None:
        self._runs.name_agent(self._request.upstream, fact)
        if self._route.kind is Kind.AGENT_CREATE:
            self.agent_created = AgentCreated(fact.agent_id, fact.name, fact.model)

    def _bind(self, run_id: str, *, opens: bool) -> Run | None:
        """The run of this id while it is open; it becomes the exchange's own, unless that is a list of runs."""
        key = (self._request.upstream, run_id)
        if self.run is not None and self.run.key == key:
            return self._known(self.run)
        run = self._runs.start(key, self._origin()) if opens else self._runs.find(key)
        if run is not None and self.run is None and self._names_one_run:
            self._make_own(run)
        if run is not None and self.is_stream:
            run.see_stream()
        return run

    def _known(self, run: Run) -> Run | None:
        """The exchange's own run again; a foreign one is known from the earliest exchange that tells of it."""
        if self._runs.find(run.key) is not run:
            return None
        if self.is_stream:
            run.see_stream()
        if not run.origin.own:
            run.join(self._origin())
        return run

    def _make_own(self, run: Run) -> None:
        self.run = run
        self._hold_carried()
        if self._accepted_ns is not None:
            run.accept(self._leg, self._accepted_ns)

    @property
    def _names_one_run(self) -> bool:
        return self._route.kind is Kind.START or self._route.run_id is not None

    def _origin(self) -> Origin:
        own = self._route.kind is Kind.START and self.run is None
        return Origin(
            at_ns=self._request.at_ns,
            wall_ns=self._request.wall_ns,
            trace=self._request.trace,
            own=own,
            mode=self._context.mode,
            cassette=self._context.cassette,
            asked=self._asked() if own else Asked(),
            span_id=self._context.new_span_id() if own else 0,
            first_event_ns=self.first_event_ns,
            key_hash=self._request.key_hash,
        )

    def _leg_of(self, run: Run) -> Leg:
        return self._leg if run is self.run else Leg(0, self._request.at_ns)

    def _credit(self, run: Run, ending: Ending, events: int, status: int | None) -> None:
        carries, polls = self._route.kind in _CARRIES, self._route.kind is Kind.POLL and status in OK
        run.credit(events=events, polls=int(polls), exchanges=int(carries))
        if carries:
            self._carry(run, ending, status)
        if self.is_stream:
            run.watched_until(ending.at_ns)
            if ending.how is How.UPSTREAM_FAILED and not self._is_ended_by_mark:
                run.see_error(ending.code or UpstreamFailed.code, ending.at_ns)

    def _carry(self, run: Run, ending: Ending, status: int | None) -> None:
        if self._request.trace is not None:
            run.carry(
                Carried(
                    trace=self._request.trace,
                    method=self._request.method,
                    route=self._route.template,
                    status=status,
                    start_ns=self._request.at_ns,
                    end_ns=ending.at_ns,
                    how=ending.how,
                )
            )
