"""One run, followed from fact to fact until it can be reported; whatever carried the facts, and in any order."""

from __future__ import annotations

from typing import TypedDict

from msgspec import Struct

from wiretape.dialects.events import Asked, ContentKind, RunSeen, StepSeen, ToolSeen
from wiretape.exchange import Request
from wiretape.runs.options import RunOptions
from wiretape.runs.phases import Gaps, Phases
from wiretape.runs.report import Carried, RunReport, Usage
from wiretape.runs.state import State, advance
from wiretape.runs.steps import NS, Steps, usage

Key = tuple[str, str]
"""Upstream name and run id."""


class Origin(Struct, frozen=True):
    """The exchange a run is first known from; its `own` where that created the run."""

    request: Request
    own: bool
    mode: str
    cassette: str | None
    asked: Asked
    span_id: int
    first_event_ns: int | None = None


class Ending(TypedDict):
    """How a run ended and how long it took: a part of its RunReport."""

    status: str
    outcome: str
    error: str | None
    start_ns: int
    end_ns: int
    duration_ns: int | None


class Firsts(TypedDict):
    """What came first, and when: a part of a RunReport."""

    first_event_ns: int | None
    first_token_ns: int | None
    first_token_kind: str | None


class Spent(TypedDict):
    """Tokens: a part of a RunReport."""

    usage: Usage | None
    usage_source: str


class Leg(Struct, frozen=True):
    """The part of a run that an exchange belongs to: how many hand-ins went before it was asked."""

    number: int
    asked_ns: int
    answered_calls: tuple[str, ...] = ()


class Run:
    """An open run. Times passed in are monotonic ns; the report's points are made from one wall reading."""

    def __init__(self, key: Key, origin: Origin, options: RunOptions) -> None:
        self.key = key
        self.origin = origin
        self.state = State()
        self.polls = 0
        self.exchanges = 0
        self.events = 0
        self.streamed = False
        self.holds = 0
        """Exchanges under way that must end before the run is reported."""
        self._options = options
        self._seen: RunSeen | None = None
        self._usage: Usage | None = None
        self._error: str | None = None
        self._created_s: float | None = None
        self._expiry_ns: int | None = None
        self._last_seen_ns = origin.request.at_ns
        self._ended_ns: int | None = None
        self._phases = Phases()
        self._steps = Steps(options.steps_max, options.tools_max)
        self._gaps = Gaps(options.gaps_max)
        self._first_content: tuple[int, ContentKind] | None = None
        self._last_content_ns: int | None = None
        self._stream_step: str | None = None
        self._carried: list[Carried] = []

    def adopt(self, origin: Origin) -> None:
        """The exchange that created the run, seen after a poll or a list that already named it."""
        self.origin = origin

    def see(self, seen: RunSeen, at_ns: int, leg: Leg) -> None:
        """A snapshot of the run. Tokens count at a terminal status only; whatever is told before is not final."""
        self.watched_until(at_ns)
        state = advance(self.state, leg.number, seen.status)
        if self._seen is None or state != self.state:
            self._seen = seen
        self._created_s = seen.created_s if self._created_s is None else self._created_s
        if seen.expires_s is not None:
            self._expiry_ns = self._expiry(seen.expires_s, seen.created_s, at_ns)
        if state != self.state:
            self._enter(state, seen, at_ns, leg)
        if self.state.is_terminal and self._usage is None and seen.status == self.state.status:
            self._usage = usage(seen.tokens)

    def accept(self, leg: Leg, at_ns: int) -> None:
        """A hand-in was accepted, whatever becomes of its answer."""
        self.watched_until(at_ns)
        self._resume(leg)

    def see_step(self, seen: StepSeen, at_ns: int, leg: Leg, *, streamed: bool) -> None:
        """A snapshot of a step. Content of a stream's next step is timed anew: a tool's running time is no gap."""
        self.watched_until(at_ns)
        if streamed and seen.step_id != self._stream_step:
            self._stream_step, self._last_content_ns = seen.step_id, None
        self._resume(leg)
        self._steps.see(seen, self.wall(at_ns), self._clock_ahead_ns())

    def see_tool(self, tool: ToolSeen, at_ns: int) -> None:
        """A tool call that a delta opened."""
        self._steps.call(tool, self.wall(at_ns))

    def see_content(self, kind: ContentKind, at_ns: int) -> None:
        """A piece of content, not empty."""
        if self._last_content_ns is not None:
            self._gaps.add(at_ns - self._last_content_ns)
        elif self._first_content is None:
            self._first_content = (at_ns, kind)
        self._last_content_ns = at_ns

    def see_error(self, code: str) -> None:
        """An error that a stream carried, or how one broke; the first counts, and the run's own goes before."""
        self._error = self._error or code

    def carry(self, carried: Carried) -> None:
        """An exchange that carried the run has ended."""
        if len(self._carried) < self._options.carried_max:
            self._carried.append(carried)

    def watched_until(self, at_ns: int) -> None:
        """The run was looked at until then, and had not ended."""
        self._last_seen_ns = max(self._last_seen_ns, at_ns)

    def is_overdue(self, now_ns: int) -> bool:
        """Whether it will not be heard of again, by its own expiry or, without one, by its silence."""
        if self._expiry_ns is None:
            return now_ns > self._last_sign_ns + int(self._options.abandon_after_s * NS)
        return now_ns > max(self._expiry_ns, self._last_sign_ns) + int(self._options.expiry_margin_s * NS)

    def wall(self, at_ns: int) -> int:
        """A monotonic time as ns since the Unix epoch."""
        return self.origin.request.wall_ns + at_ns - self.origin.request.at_ns

    def report(self, assistant_name: str | None) -> RunReport:
        """What is known; the outcome is `abandoned` where no terminal status was seen."""
        origin, seen, own = self.origin, self._seen, self.origin.own
        ending = self._ending()
        return RunReport(
            upstream=self.key[0],
            run_id=self.key[1],
            thread_id=seen.thread_id if seen else None,
            assistant_id=self.assistant_id,
            assistant_name=assistant_name,
            model_requested=origin.asked.model,
            model=seen.model if seen else None,
            mode=origin.mode,
            cassette=origin.cassette,
            foreign=not own,
            streamed=self.streamed,
            **ending,
            **self._firsts(),
            **(self._phases if own else Phases()).lengths(),
            gaps_ns=self._gaps.kept(),
            **self._spent(),
            polls=self.polls,
            exchanges=self.exchanges,
            events=self.events,
            steps=self._steps.reports(ending["start_ns"], ending["end_ns"]),
            carried=tuple(self._carried),
            trace=origin.request.trace if own else None,
            span_id=origin.span_id,
        )

    @property
    def assistant_id(self) -> str | None:
        """As the run told it, else as the request asked for it."""
        return (self._seen.assistant_id if self._seen else None) or self.origin.asked.assistant_id

    @property
    def _last_sign_ns(self) -> int:
        return max(self._last_seen_ns, self._last_content_ns or 0)

    def _ending(self) -> Ending:
        is_over, start_ns = self.state.is_terminal, self._start_ns()
        end_ns = self.wall(self._last_sign_ns if self._ended_ns is None else self._ended_ns)
        return Ending(
            status=self.state.status,
            outcome=self.state.status if is_over else "abandoned",
            error=self._told_error(),
            start_ns=start_ns,
            end_ns=end_ns,
            duration_ns=max(end_ns - start_ns, 0) if is_over and self.origin.own else None,
        )

    def _firsts(self) -> Firsts:
        """None of a foreign run, whose creating request was not seen."""
        if not self.origin.own:
            return Firsts(first_event_ns=None, first_token_ns=None, first_token_kind=None)
        at_ns, kind = self._first_content or (None, None)
        first_event_ns = self._since_start(self.origin.first_event_ns)
        return Firsts(first_event_ns=first_event_ns, first_token_ns=self._since_start(at_ns), first_token_kind=kind)

    def _start_ns(self) -> int:
        """On the wall clock: our own request or, for a foreign run, the service's stamp where it told one."""
        asked_ns = self.origin.request.wall_ns
        return asked_ns if self.origin.own or self._created_s is None else min(int(self._created_s * NS), asked_ns)

    def _clock_ahead_ns(self) -> int:
        """How far our wall clock is ahead of the service's, to a second; 0 where we did not see the creation."""
        if not self.origin.own or self._created_s is None:
            return 0
        return self.origin.request.wall_ns - int(self._created_s * NS)

    def _enter(self, state: State, seen: RunSeen, at_ns: int, leg: Leg) -> None:
        self._resume(leg)
        self.state = state
        self._phases.enter(state, at_ns)
        if state.is_terminal:
            self._ended_ns = at_ns
        elif seen.pending:
            self._steps.wait(seen.pending, self.wall(at_ns))

    def _resume(self, leg: Leg) -> None:
        """The first sign of a new leg: until it comes, the hand-in may still be refused."""
        if leg.number > self.state.leg and not self.state.is_terminal:
            self.state = State(leg.number, "queued")
            self._last_content_ns = None
            self._phases.resume(leg.asked_ns)
            self._steps.resume(leg.answered_calls, self.wall(leg.asked_ns))

    def _expiry(self, expires_s: float, created_s: float | None, at_ns: int) -> int:
        """Our monotonic time of `expires_at`.

        Where we saw the run's creation, its life is measured by the server's own two stamps, so that a clock
        that is wrong on either side abandons nothing; else the wall clocks are taken to agree.
        """
        if self.origin.own and created_s is not None:
            return self.origin.request.at_ns + int((expires_s - created_s) * NS)
        return at_ns + int(expires_s * NS) - self.wall(at_ns)

    def _spent(self) -> Spent:
        """The run's own usage, else the sum of its steps; unknown for a run that was abandoned."""
        if self.state.is_terminal and self._usage is not None:
            return Spent(usage=self._usage, usage_source="run")
        summed = self._steps.usage() if self.state.is_terminal else None
        return Spent(usage=summed, usage_source="none" if summed is None else "steps")

    def _told_error(self) -> str | None:
        if self.state.status in {"completed", "cancelled"}:
            return None
        told = self._seen.error if self._seen and self.state.is_terminal else None
        return told or ("expired" if self.state.status == "expired" else self._error)

    def _since_start(self, at_ns: int | None) -> int | None:
        return None if at_ns is None else at_ns - self.origin.request.at_ns
