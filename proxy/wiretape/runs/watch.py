"""The observer of one exchange: reads the copy of its bodies, and tells the facts to the runs.

What it cannot read is counted and passed over; it raises for none of it.
"""

from __future__ import annotations

from collections.abc import Callable

from wiretape import dialects
from wiretape.dialects.events import (
    AgentSeen,
    Asked,
    Content,
    Dialect,
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
from wiretape.errors import DecodeFailed, UpstreamFailed
from wiretape.exchange import Chunk, Ending, Head, How, Request
from wiretape.runs.bodies import JsonAnswer, Question, StreamAnswer, answer
from wiretape.runs.later import Later
from wiretape.runs.open import OpenRuns
from wiretape.runs.options import RunOptions
from wiretape.runs.report import AgentCreated, Carried
from wiretape.runs.seen import Context, Seen
from wiretape.runs.state import TERMINAL
from wiretape.runs.tracker import Key, Leg, Origin, Run
from wiretape.wire.headers import is_event_stream

UNKNOWN_ROUTE = "/*"
"""The template of every path that no dialect knows."""
_CARRIES = frozenset({Kind.START, Kind.RESUME, Kind.CANCEL, Kind.CHANGE})
_ASKS = frozenset({Kind.START, Kind.RESUME})
_OK = range(200, 300)


class Watch:
    """The observer of one exchange. `seen` may be read at any time; it is complete after `end`."""

    def __init__(
        self, runs: OpenRuns, request: Request, options: RunOptions, new_span_id: Callable[[], int], context: Context
    ) -> None:
        self._runs = runs
        self._request = request
        self._options = options
        self._new_span_id = new_span_id
        self._context = context
        self._dialect: Dialect | None
        self._dialect, self._route = dialects.route(request.method, request.path) or (None, Route(UNKNOWN_ROUTE))
        self._question = self._listen()
        self._answer: JsonAnswer | StreamAnswer | None = None
        self._later = Later(self._dialect)
        self._run = runs.find((request.upstream, self._route.run_id)) if self._route.run_id else None
        self._leg = Leg(self._leg_number(), request.at_ns)
        self._held: dict[Key, Run] = {}
        self._streamed = self._is_ended_by_mark = False
        self._status: int | None = None
        self._first_event_ns: int | None = None
        self._last_chunk_ns: int | None = None
        self._events_unknown = self._fields_unknown = self._errors = 0
        self._agent_created: AgentCreated | None = None
        self._hold_carried()

    def sent(self, chunk: Chunk) -> None:
        """Keeps the request's body where it is worth reading."""
        if self._question is not None:
            self._question.feed(chunk.data)

    def head(self, head: Head) -> None:
        """Decides how the answer is read; a refusal tells nothing of a run."""
        self._status, self._streamed = head.status, is_event_stream(head.headers)
        if self._dialect is None or self._route.kind is Kind.OTHER or head.status not in _OK:
            return
        if self._route.kind is Kind.RESUME:
            self._accept(head.at_ns)
        try:
            self._answer = answer(self._dialect, self._route, head.headers, self._options)
        except DecodeFailed:
            self._errors += 1

    def chunk(self, chunk: Chunk) -> None:
        """Reads on; the hot path."""
        if self._answer is not None:
            for due in self._later.due(chunk):
                self._read(self._answer, due)

    def _read(self, answer: JsonAnswer | StreamAnswer, chunk: Chunk) -> None:
        facts = answer.feed(chunk.data)
        self._last_chunk_ns = chunk.at_ns
        if self._first_event_ns is None and answer.events:
            self._first_event_ns = chunk.at_ns
        for fact in facts:
            if type(fact) is not Content:
                self._take(fact, chunk.at_ns)
            elif self._run is not None:
                self._run.see_content(fact.kind, chunk.at_ns)

    def end(self, ending: Ending) -> None:
        """Reads the rest, credits the exchange to its run, and reports the runs that it brought to their end."""
        if self._answer is not None:
            for due in self._later.rest():
                self._read(self._answer, due)
            at_ns = ending.at_ns if self._last_chunk_ns is None else self._last_chunk_ns
            for fact in self._answer.finish(is_whole=ending.how is How.COMPLETE):
                self._take(fact, at_ns)
        if self._run is not None:
            self._credit(self._run, ending)
        self._let_go()

    @property
    def seen(self) -> Seen:
        """What is known of the exchange."""
        run_id = self._run.key[1] if self._run else self._route.run_id
        own = self._run.origin if self._run and self._run.origin.own else None
        parts = [part for part in (self._question, self._answer) if part is not None]
        return Seen(
            route=self._route.template,
            events=self._answer.events if self._answer else 0,
            events_unknown=self._events_unknown,
            fields_unknown=self._fields_unknown,
            decoder_errors=self._errors + sum(part.errors for part in parts),
            run_key=(self._request.upstream, run_id) if run_id else None,
            run_trace=own.request.trace if own else None,
            run_span_id=own.span_id if own else None,
            agent_created=self._agent_created,
            streamed=self._streamed,
        )

    def _listen(self) -> Question | None:
        if self._dialect is None or self._route.kind not in _ASKS:
            return None
        return Question(self._dialect, self._route, self._request.headers, self._options)

    def _asked(self) -> Asked:
        return self._question.asked() if self._question is not None else Asked()

    def _accept(self, at_ns: int) -> None:
        """The hand-in was answered well, so it is in, though its answer may be torn before it says so."""
        self._leg = Leg(self._leg.number, self._leg.asked_ns, self._asked().answered_calls)
        if self._run is not None:
            self._run.accept(self._leg, at_ns)

    def _hold(self, run: Run) -> None:
        """The run's report is to wait for this exchange."""
        if run.key not in self._held:
            self._held[run.key] = run
            run.holds += 1

    def _hold_carried(self) -> None:
        if self._run is not None and self._route.kind in _CARRIES:
            self._hold(self._run)

    def _let_go(self) -> None:
        """Whoever is the last to hold a run that has ended reports it."""
        for run in self._held.values():
            run.holds -= 1
            if run.state.is_terminal and not run.holds:
                self._runs.finish(run)

    def _leg_number(self) -> int:
        """The leg as it stood when this was asked: a slow poll must not speak for a later one."""
        return (self._run.state.leg if self._run else 0) + (self._route.kind is Kind.RESUME)

    def _take(self, fact: Fact, at_ns: int) -> None:
        match fact:
            case RunSeen():
                self._see(fact, at_ns)
            case StepSeen():
                self._see_step(fact, at_ns)
            case ToolSeen() if self._run is not None:
                self._run.see_tool(fact, at_ns)
            case Content() if self._run is not None:
                self._run.see_content(fact.kind, at_ns)
            case ErrorSeen() if self._run is not None:
                self._run.see_error(fact.code)
            case StreamEnd():
                self._is_ended_by_mark = True
            case Unknown():
                self._events_unknown += fact.events
                self._fields_unknown += fact.fields
            case AgentSeen():
                self._see_agent(fact)
            case _:
                pass

    def _see(self, fact: RunSeen, at_ns: int) -> None:
        if self._route.kind is Kind.READ and fact.status not in TERMINAL:
            self._see_listed(fact)
            return
        run = self._bind(fact.run_id, opens=True)
        if run is None:
            return
        was_over = run.state.is_terminal
        run.see(fact, at_ns, self._leg_of(run))
        if run.state.is_terminal and not was_over:
            self._hold(run)

    def _see_listed(self, fact: RunSeen) -> None:
        """A list shows that a run lives, and opens none; how it stands may be older than what is known."""
        run = self._runs.find((self._request.upstream, fact.run_id))
        if run is not None:
            run.watched_until(self._request.at_ns)

    def _see_step(self, fact: StepSeen, at_ns: int) -> None:
        """A stream's step may be the first sign of its run; a list of steps opens none."""
        streamed = self._answer is not None and self._answer.is_stream
        run = self._bind(fact.run_id, opens=streamed) if fact.run_id else self._run
        if run is not None:
            run.see_step(fact, at_ns, self._leg_of(run), streamed=streamed)

    def _see_agent(self, fact: AgentSeen) -> None:
        self._runs.name_agent(self._request.upstream, fact)
        if self._route.kind is Kind.AGENT_CREATE:
            self._agent_created = AgentCreated(fact.agent_id, fact.name, fact.model)

    def _bind(self, run_id: str, *, opens: bool) -> Run | None:
        """The run of this id; it becomes the exchange's own, unless that is a list of runs."""
        key = (self._request.upstream, run_id)
        if self._run is not None and self._run.key == key:
            return self._run
        run = self._runs.start(key, self._origin()) if opens else self._runs.find(key)
        if self._run is None and self._names_one_run:
            self._run = run
            self._hold_carried()
        if run is not None and self._answer is not None:
            run.streamed = run.streamed or self._answer.is_stream
        return run

    @property
    def _names_one_run(self) -> bool:
        return self._route.kind is Kind.START or self._route.run_id is not None

    def _origin(self) -> Origin:
        own = self._route.kind is Kind.START and self._run is None
        return Origin(
            request=self._request,
            own=own,
            mode=self._context.mode,
            cassette=self._context.cassette,
            asked=self._asked() if own else Asked(),
            span_id=self._new_span_id() if own else 0,
            first_event_ns=self._first_event_ns,
        )

    def _leg_of(self, run: Run) -> Leg:
        return self._leg if run is self._run else Leg(run.state.leg, self._request.at_ns)

    def _credit(self, run: Run, ending: Ending) -> None:
        answered = self._answer
        run.events += answered.events if answered else 0
        if self._route.kind is Kind.POLL:
            run.polls += self._status in _OK
        elif self._route.kind in _CARRIES:
            run.exchanges += 1
            self._carry(run, ending)
        if answered is not None and answered.is_stream and not run.state.is_terminal:
            run.watched_until(ending.at_ns)
            if ending.how is How.UPSTREAM_FAILED and not self._is_ended_by_mark:
                run.see_error(ending.code or UpstreamFailed.code)

    def _carry(self, run: Run, ending: Ending) -> None:
        if self._request.trace is not None:
            run.carry(
                Carried(
                    trace=self._request.trace,
                    method=self._request.method,
                    route=self._route.template,
                    status=self._status,
                    start_ns=run.wall(self._request.at_ns),
                    end_ns=run.wall(ending.at_ns),
                    how=ending.how,
                )
            )
