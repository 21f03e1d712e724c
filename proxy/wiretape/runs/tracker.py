"""One run, followed from fact to fact until it can be reported; whatever carried the facts, and in any order.

The report follows from what was seen, with the times and legs it was seen with, and not from the order in which it was
told, nor from how often (`runs.facts` says what is excepted). What is told after the report does not change it: at most
it makes a correction (`runs.late`). A leg's number is taken when its exchange is asked for, and so is part of the fact.
"""

from __future__ import annotations

from typing import TypedDict

from msgspec import Struct
from msgspec.structs import asdict, replace

from wiretape.dialects.events import Asked, ContentKind, RunSeen, StepSeen, ToolSeen
from wiretape.exchange import Trace
from wiretape.runs.course import Course
from wiretape.runs.facts import LegFacts, Pulse, RunFacts, earliest, latest, sooner, value
from wiretape.runs.figures import Figures, ended_figures, open_figures, see_end
from wiretape.runs.options import RunOptions
from wiretape.runs.phases import Phases
from wiretape.runs.report import Carried, RunReport
from wiretape.runs.state import RANKS, TERMINAL
from wiretape.runs.step_reports import NS, Clock, StepReports
from wiretape.runs.steps import see_call, see_step, see_wait, step_tokens

_GAPS_MAX = 1024
"""Lengths that wait to be counted together, which costs a tenth of one by one."""
Key = tuple[str, str]
"""Upstream name and run id."""


class Origin(Struct, frozen=True):
    """The exchange a run is first known from; its `own` where that created the run. It holds nothing secret."""

    at_ns: int
    """When its request came, monotonic; `wall_ns` is the same moment since the Unix epoch."""
    wall_ns: int
    own: bool
    mode: str
    cassette: str | None
    asked: Asked
    span_id: int
    trace: Trace | None = None
    first_event_ns: int | None = None
    key_hash: str | None = None
    """A keyed hash of the credential its request came with."""


class Length(TypedDict):
    """When a run began and ended: a part of its RunReport."""

    start_ns: int
    end_ns: int
    duration_ns: int | None


class Firsts(TypedDict):
    """What came first, and when: a part of a RunReport."""

    first_event_ns: int | None
    first_token_ns: int | None
    first_token_kind: str | None


class Leg(Struct, frozen=True):
    """The part of a run that an exchange belongs to: how many hand-ins went before it was asked."""

    number: int
    asked_ns: int
    answered_calls: tuple[str, ...] = ()


class Run:
    """An open run: where it was first known from, what was seen of it, and who still tells of it."""

    def __init__(self, key: Key, origin: Origin, options: RunOptions, facts: RunFacts | None = None) -> None:
        """`facts` where another process has begun to follow it."""
        self.key = key
        self.origin = origin
        self._facts = facts or RunFacts(origin.at_ns)
        self._gaps: list[int] = []
        self._content_ns = origin.at_ns
        self.holds = 0
        """Exchanges under way that must end before the run is reported."""
        self.mark: tuple[int, ...] | None = None
        """What was seen of it when it was saved last; see `runs.changes`."""
        self._options = options

    @property
    def facts(self) -> RunFacts:
        """All that was seen of it, to the last piece of content."""
        self._count_gaps()
        self._facts.last_seen_ns = max(self._facts.last_seen_ns, self._content_ns)
        return self._facts

    @property
    def is_over(self) -> bool:
        """Whether a terminal status was seen."""
        return bool(self._facts.ends)

    @property
    def leg(self) -> int:
        """The leg it is in by now."""
        return max(self._facts.legs, default=0)

    def join(self, origin: Origin) -> None:
        """One more exchange that it is known from: the one that created it counts, else the earliest."""
        self.origin = min(self.origin, origin, key=lambda one: (not one.own, one.at_ns, one.span_id))

    def see(self, seen: RunSeen, at_ns: int, leg: Leg) -> None:
        """A snapshot of the run."""
        self.watched_until(at_ns)
        self._see_names(seen, at_ns)
        part = self._leg(leg, at_ns)
        see_end(self._facts.ends, seen, at_ns)
        if seen.status in RANKS and seen.status not in TERMINAL:
            part.statuses[seen.status] = sooner(part.statuses.get(seen.status), at_ns)
        if seen.status == "requires_action":
            see_wait(self._facts, seen.pending, at_ns, self._number(leg), self._options)

    def accept(self, leg: Leg, at_ns: int) -> None:
        """A hand-in was accepted, whatever becomes of its answer; until that it may be refused."""
        self.watched_until(at_ns)
        part = self._leg(leg, at_ns)
        if not leg.answered_calls:
            part.all_answered_ns = sooner(part.all_answered_ns, leg.asked_ns)
        for call_id in leg.answered_calls[: self._options.tools_max - len(part.answered)]:
            part.answered[call_id] = sooner(part.answered.get(call_id), leg.asked_ns)

    def see_step(self, seen: StepSeen, at_ns: int, leg: Leg, place: int) -> None:
        """A snapshot of a step; `place` tells in what order its exchange told of those that came at one time."""
        self.watched_until(at_ns)
        self._leg(leg, at_ns)
        see_step(self._facts, seen, (at_ns, place), self._options)

    def see_tool(self, tool: ToolSeen, at_ns: int, place: int) -> None:
        """A tool call that a delta opened."""
        see_call(self._facts, tool, (at_ns, place), self._options)

    def see_content(self, kind: ContentKind, at_ns: int, pulse: Pulse) -> None:
        """A piece of content, not empty, of the stream with this pulse; the hot path."""
        last_ns, pulse.at_ns = pulse.at_ns, at_ns
        if at_ns > self._content_ns:  # noqa: PLR1730  a call of `max` costs as much as all else here
            self._content_ns = at_ns
        if last_ns is None:
            pulse.begun += 1
            first = at_ns, (pulse.begun, kind)
            self._facts.first_content = min(self._facts.first_content or first, first)
        else:
            gaps = self._gaps
            gaps.append(at_ns - last_ns)
            if len(gaps) >= _GAPS_MAX:
                self._count_gaps()

    def see_error(self, code: str, at_ns: int) -> None:
        """An error that a stream carried, or how one broke; the first counts, and the run's own goes before."""
        self._facts.error = earliest(self._facts.error, at_ns, code)

    def see_stream(self) -> None:
        """A stream tells of it."""
        self._facts.streamed = True

    def credit(self, *, events: int, polls: int, exchanges: int) -> None:
        """An exchange has ended that told so many events, and was a poll of it or carried it."""
        self._facts.events += events
        self._facts.polls += polls
        self._facts.exchanges += exchanges

    def carry(self, carried: Carried) -> None:
        """An exchange that carried the run has ended; its times are monotonic."""
        if len(self._facts.carried) < self._options.carried_max:
            self._facts.carried.append(carried)

    def watched_until(self, at_ns: int) -> None:
        """The run was looked at until then, and had not ended."""
        self._facts.last_seen_ns = max(self._facts.last_seen_ns, at_ns)

    def is_overdue(self, now_ns: int) -> bool:
        """Whether it will not be heard of again, by its own expiry or, without one, by its silence."""
        expiry_ns, last_ns = self._expiry_ns(), self.facts.last_seen_ns
        if expiry_ns is None:
            return now_ns > last_ns + int(self._options.abandon_after_s * NS)
        return now_ns > max(expiry_ns, last_ns) + int(self._options.expiry_margin_s * NS)

    def report(self, assistant_name: str | None) -> RunReport:
        """What is known; the outcome is `abandoned` where no terminal status was seen."""
        origin, facts, own = self.origin, self.facts, self.origin.own
        course, clock = Course(facts), self._clock()
        length = self._length(course, clock)
        return RunReport(
            upstream=self.key[0],
            run_id=self.key[1],
            thread_id=value(facts.thread_id),
            assistant_id=self.assistant_id,
            assistant_name=assistant_name,
            model_requested=origin.asked.model,
            model=value(facts.model),
            mode=origin.mode,
            cassette=origin.cassette,
            key_hash=origin.key_hash if own else None,
            foreign=not own,
            streamed=facts.streamed,
            **asdict(self._figures(course)),
            **length,
            **self._firsts(),
            **(course.phases if own else Phases()).lengths(),
            gaps=facts.gaps.merged(type(facts.gaps)()),
            polls=facts.polls,
            exchanges=facts.exchanges,
            events=facts.events,
            steps=StepReports(facts, course, clock).within(length["start_ns"], length["end_ns"]),
            carried=self._carried(clock),
            trace=origin.trace if own else None,
            span_id=origin.span_id,
        )

    @property
    def assistant_id(self) -> str | None:
        """As the run told it, else as the request asked for it."""
        return value(self._facts.assistant_id) or self.origin.asked.assistant_id

    def _count_gaps(self) -> None:
        if self._gaps:
            self._facts.gaps.add_all(self._gaps)
            self._gaps.clear()

    def _see_names(self, seen: RunSeen, at_ns: int) -> None:
        facts = self._facts
        facts.thread_id = earliest(facts.thread_id, at_ns, seen.thread_id)
        facts.assistant_id = earliest(facts.assistant_id, at_ns, seen.assistant_id)
        facts.model = earliest(facts.model, at_ns, seen.model)
        facts.created_s = earliest(facts.created_s, at_ns, seen.created_s)
        facts.expires_s = latest(facts.expires_s, at_ns, seen.expires_s)

    def _number(self, leg: Leg) -> int:
        return min(leg.number, self._options.legs_max)

    def _leg(self, leg: Leg, at_ns: int) -> LegFacts:
        """What is known of the leg; any fact of it is a sign that it has begun."""
        number = self._number(leg)
        part = self._facts.legs.get(number)
        if part is None:
            part = self._facts.legs[number] = LegFacts(leg.asked_ns, at_ns)
        part.asked_ns, part.sign_ns = min(part.asked_ns, leg.asked_ns), min(part.sign_ns, at_ns)
        return part

    def _clock(self) -> Clock:
        """Ahead of the service's, to a second; taken to agree with it where we did not see the run's creation."""
        origin, created_s = self.origin, value(self._facts.created_s)
        ahead_ns = origin.wall_ns - int(created_s * NS) if origin.own and created_s is not None else 0
        return Clock(origin.at_ns, origin.wall_ns, ahead_ns)

    def _figures(self, course: Course) -> Figures:
        facts = self._facts
        if course.ended is None:
            return open_figures(course.state.status, facts.error)
        steps = () if facts.steps_cut else step_tokens(facts.steps).values()
        return ended_figures(*course.ended, facts.error, steps)

    def _length(self, course: Course, clock: Clock) -> Length:
        start_ns = self._start_ns()
        end_ns = max(clock.wall(course.ended[1].at_ns if course.ended else self._facts.last_seen_ns), start_ns)
        is_known = course.ended is not None and self.origin.own
        return Length(start_ns=start_ns, end_ns=end_ns, duration_ns=end_ns - start_ns if is_known else None)

    def _start_ns(self) -> int:
        """On the wall clock: our own request or, for a foreign run, the service's stamp where it told one."""
        asked_ns, created_s = self.origin.wall_ns, value(self._facts.created_s)
        return asked_ns if self.origin.own or created_s is None else min(int(created_s * NS), asked_ns)

    def _firsts(self) -> Firsts:
        """None of a foreign run, whose creating request was not seen."""
        if not self.origin.own:
            return Firsts(first_event_ns=None, first_token_ns=None, first_token_kind=None)
        at_ns, (_, kind) = self._facts.first_content or (None, (0, None))
        first_event_ns = self._since_start(self.origin.first_event_ns)
        return Firsts(first_event_ns=first_event_ns, first_token_ns=self._since_start(at_ns), first_token_kind=kind)

    def _carried(self, clock: Clock) -> tuple[Carried, ...]:
        """In the order in which they were asked for, by the wall clock."""
        ordered = sorted(self._facts.carried, key=lambda one: one.place)
        return tuple(replace(one, start_ns=clock.wall(one.start_ns), end_ns=clock.wall(one.end_ns)) for one in ordered)

    def _expiry_ns(self) -> int | None:
        """Our monotonic time of `expires_at`.

        Where we saw the run's creation, its life is measured by the server's own two stamps, so that a clock
        that is wrong on either side abandons nothing; else the wall clocks are taken to agree.
        """
        expires_s, origin = value(self._facts.expires_s), self.origin
        if expires_s is None:
            return None
        created_s = value(self._facts.created_s) if origin.own else None
        since_ns = origin.wall_ns if created_s is None else int(created_s * NS)
        return origin.at_ns + int(expires_s * NS) - since_ns

    def _since_start(self, at_ns: int | None) -> int | None:
        return None if at_ns is None else at_ns - self.origin.at_ns
