"""The steps of a run and their tool calls as a report has them. Times here are nanoseconds since the Unix epoch.

A step that was seen running is timed by arrivals; one that was first seen when it had ended (a list of
steps, read afterwards) by the server's stamps, which are whole seconds of another clock: they are moved to
ours as far as the difference is known, and kept within the run. A tool that the service runs lasts
from its first piece, or its step's start, to its step's end. A function that the client runs lasts from
`requires_action` to the request that handed in its output.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from wiretape.runs.course import Course
from wiretape.runs.facts import LegFacts, RunFacts, StepFacts, ToolFacts, value
from wiretape.runs.report import StepReport, ToolReport

Timed = TypeVar("Timed", StepReport, ToolReport)
NS = 1_000_000_000
UNSEEN = StepReport(id="", type="tool_calls", status="unseen", start_ns=0)
"""Stands for the steps of tool calls that only `required_action` named: a polled run whose steps nobody read."""


class Clock(Struct, frozen=True):
    """One reading of our two clocks, and how far the wall clock is known to be ahead of the server's."""

    at_ns: int
    wall_ns: int
    ahead_ns: int = 0

    def wall(self, at_ns: int) -> int:
        """A monotonic time as ns since the Unix epoch."""
        return self.wall_ns + at_ns - self.at_ns

    def stamp(self, stamp_s: float | None, otherwise_ns: int) -> int:
        """A stamp of the server by our clock."""
        return otherwise_ns if stamp_s is None else int(stamp_s * NS) + self.ahead_ns


class StepReports:
    """Reads them from the facts of one run."""

    def __init__(self, facts: RunFacts, course: Course, clock: Clock) -> None:
        self._facts = facts
        self._course = course
        self._clock = clock

    def within(self, start_ns: int, end_ns: int) -> tuple[StepReport, ...]:
        """Each step with its tools, in order of their begin; `UNSEEN` last, for tools without a step.

        All lie within their run, which lasted from `start_ns` to `end_ns`.
        """
        steps = {step_id: self._step(step_id, step) for step_id, step in self._facts.steps.items()}
        tools: dict[str, list[ToolReport]] = {}
        for call_id, tool in sorted(self._facts.tools.items(), key=lambda one: (one[1].sight, one[0])):
            owner = steps.get(value(tool.step_id) or "", UNSEEN)
            tools.setdefault(owner.id, []).extend(
                _within(one, start_ns, end_ns) for one in self._tool(call_id, tool, owner)
            )
        ordered = [_within(step, start_ns, end_ns) for step in sorted(steps.values(), key=self._begin)]
        told = [_with_tools(step, tools.get(step.id, [])) for step in ordered]
        return (*told, *_unseen(tools.get(UNSEEN.id, [])))

    def _begin(self, step: StepReport) -> tuple[int, float, int, tuple[int, int], str]:
        """Where two begin at once the server's stamps decide, then which ended first, then which was told first."""
        seen = self._facts.steps[step.id]
        created_s = seen.first[1].created_s or 0
        end_ns = self._clock.wall(self._facts.last_seen_ns) if step.end_ns is None else step.end_ns
        return step.start_ns, created_s, end_ns, seen.sight, step.id

    def _step(self, step_id: str, step: StepFacts) -> StepReport:
        seen = (step.ended or step.first)[1]
        start_ns, end_ns = self._times(step)
        return StepReport(
            id=step_id,
            type=seen.type,
            status=seen.status,
            start_ns=start_ns,
            end_ns=end_ns,
            error=seen.error,
            usage=value(step.usage),
        )

    def _times(self, step: StepFacts) -> tuple[int, int | None]:
        if step.ended is None:
            return self._clock.wall(step.first[0]), None
        at_ns, seen = step.ended
        ended_ns = self._clock.wall(at_ns)
        if step.running_ns is not None and step.running_ns <= at_ns:
            return self._clock.wall(step.running_ns), ended_ns
        start_ns = self._clock.stamp(seen.created_s, ended_ns)
        return start_ns, max(self._clock.stamp(seen.ended_s, ended_ns), start_ns)

    def _tool(self, call_id: str, tool: ToolFacts, step: StepReport) -> list[ToolReport]:
        """The one tool call; none where all that was seen of it is a wait that was over by then."""
        leg = max((leg for leg in tool.waits if leg in self._course.waits), default=None)
        start_ns = self._tool_start(tool, step, leg)
        if start_ns is None:
            return []
        handed_in_ns = self._handed_in(call_id, leg, start_ns) if tool.by_client else None
        ends = [handed_in_ns, None if step.end_ns is None else max(step.end_ns, start_ns)]
        end_ns = min((end_ns for end_ns in ends if end_ns is not None), default=None)
        name = value(tool.name) or tool.type[1]
        return [
            ToolReport(
                call_id=call_id,
                type=tool.type[1],
                name=name,
                start_ns=start_ns,
                end_ns=end_ns,
                by_client=tool.by_client,
            )
        ]

    def _tool_start(self, tool: ToolFacts, step: StepReport, leg: int | None) -> int | None:
        if leg is not None:
            return self._clock.wall(self._course.waits[leg])
        if tool.delta_ns is not None and (tool.step_ns is None or tool.delta_ns <= tool.step_ns):
            return self._clock.wall(tool.delta_ns)
        return None if tool.step_ns is None else step.start_ns

    def _handed_in(self, call_id: str, waited: int | None, start_ns: int) -> int | None:
        """When its output was: with the first hand-in after its wait that named it, or that named none."""
        for number in self._course.resumed:
            asked_ns = _answer(self._facts.legs[number], call_id)
            if asked_ns is not None:
                at_ns = self._clock.wall(asked_ns)
                if number > waited if waited is not None else at_ns >= start_ns:
                    return at_ns
        return None


def _answer(leg: LegFacts, call_id: str) -> int | None:
    named_ns = leg.answered.get(call_id)
    return leg.all_answered_ns if named_ns is None else named_ns


def _within(told: Timed, start_ns: int, end_ns: int) -> Timed:
    """With its times moved to the nearest ones of the run; nearly always they are there already."""
    begin_ns = min(max(told.start_ns, start_ns), end_ns)
    until_ns = None if told.end_ns is None else min(max(told.end_ns, begin_ns), end_ns)
    if (begin_ns, until_ns) == (told.start_ns, told.end_ns):
        return told
    return replace(told, start_ns=begin_ns, end_ns=until_ns)


def _with_tools(step: StepReport, tools: list[ToolReport]) -> StepReport:
    return replace(step, tools=tuple(tools)) if tools else step


def _unseen(tools: list[ToolReport]) -> list[StepReport]:
    if not tools:
        return []
    ends = [tool.end_ns for tool in tools if tool.end_ns is not None]
    start_ns = min(tool.start_ns for tool in tools)
    return [replace(UNSEEN, start_ns=start_ns, end_ns=max(ends, default=None), tools=tuple(tools))]
