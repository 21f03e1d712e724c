"""The steps of a run and their tool calls. All times here are nanoseconds since the Unix epoch.

A step that was seen running is timed by arrivals; one that was first seen when it had ended (a list of
steps, read afterwards) by the server's stamps, which are whole seconds of another clock: they are moved to
ours as far as the difference is known, and kept within the run. A tool that the service runs lasts
from its first piece, or its step's start, to its step's end. A function that the client runs lasts from
`requires_action` to the request that handed in its output.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from wiretape.dialects.events import StepSeen, Tokens, ToolSeen
from wiretape.runs.report import StepReport, ToolReport, Usage

Timed = TypeVar("Timed", StepReport, ToolReport)
NS = 1_000_000_000
UNSEEN = StepReport(id="", type="tool_calls", status="unseen", start_ns=0)
"""Stands for the steps of tool calls that only `required_action` named: a polled run whose steps nobody read."""


class Steps:
    """The steps of one run; at most `steps_max`, with at most `tools_max` tool calls."""

    def __init__(self, steps_max: int, tools_max: int) -> None:
        self._steps_max = steps_max
        self._tools_max = tools_max
        self._steps: dict[str, StepReport] = {}
        self._tools: dict[str, tuple[str | None, ToolReport]] = {}
        self._is_cut = False

    def see(self, seen: StepSeen, at_ns: int, clock_ahead_ns: int = 0) -> None:
        """A step as it stood. One that has ended stays as it was, but for tokens that come later.

        `clock_ahead_ns` is how far our wall clock is known to be ahead of the server's.
        """
        known = self._steps.get(seen.step_id)
        if known is None and len(self._steps) >= self._steps_max:
            self._is_cut = True
            return
        step = _opened(seen, at_ns, clock_ahead_ns) if known is None else _continued(known, seen, at_ns)
        self._steps[seen.step_id] = step
        for tool in seen.tools:
            self.call(tool, step.start_ns)
        if step.end_ns is not None:
            self._close(seen.step_id, step.end_ns)

    def call(self, tool: ToolSeen, at_ns: int) -> None:
        """A tool call, seen in a delta or a step; the first sight is its start."""
        step_id, known = self._tools.get(tool.call_id, (None, None))
        if known is not None:
            self._tools[tool.call_id] = (tool.step_id or step_id, known)
        elif len(self._tools) < self._tools_max:
            report = ToolReport(
                call_id=tool.call_id, type=tool.type, name=tool.name, start_ns=at_ns, by_client=tool.by_client
            )
            self._tools[tool.call_id] = (tool.step_id, report)

    def wait(self, pending: Iterable[ToolSeen], at_ns: int) -> None:
        """The run waits for these, from now on."""
        for tool in pending:
            self.call(tool, at_ns)
            self._change(tool.call_id, start_ns=at_ns, end_ns=None, by_client=True, name=tool.name)

    def resume(self, answered: tuple[str, ...], at_ns: int) -> None:
        """Outputs came in: for the calls named, or for all that wait where the request did not tell."""
        waiting = [call_id for call_id, (_, tool) in self._tools.items() if tool.by_client and tool.end_ns is None]
        for call_id in waiting:
            if not answered or call_id in answered:
                self._change(call_id, end_ns=at_ns)

    def usage(self) -> Usage | None:
        """The sum over all steps that ended; None where one of them did not tell its tokens, for a part is no sum."""
        ended = [step.usage for step in self._steps.values() if step.end_ns is not None or step.usage is not None]
        told = [usage for usage in ended if usage is not None]
        if self._is_cut or not told or len(told) < len(ended):
            return None
        return Usage(
            sum(usage.prompt for usage in told),
            sum(usage.completion for usage in told),
            sum(usage.cached for usage in told),
            sum(usage.reasoning for usage in told),
        )

    def reports(self, start_ns: int, end_ns: int) -> tuple[StepReport, ...]:
        """Each step with its tools, in order of first sight; `UNSEEN` last, for tools without a step.

        All lie within their run, which lasted from `start_ns` to `end_ns`.
        """
        tools: dict[str, list[ToolReport]] = {}
        for step_id, tool in self._tools.values():
            owner = step_id if step_id in self._steps else UNSEEN.id
            tools.setdefault(owner, []).append(_within(tool, start_ns, end_ns))
        within = [_within(step, start_ns, end_ns) for step in self._steps.values()]
        steps = [_with_tools(step, tools.get(step.id, [])) for step in within]
        return (*steps, *_unseen(tools.get(UNSEEN.id, [])))

    def _close(self, step_id: str, end_ns: int) -> None:
        for call_id, (owner, tool) in self._tools.items():
            if owner == step_id and tool.end_ns is None:
                self._change(call_id, end_ns=max(end_ns, tool.start_ns))

    def _change(self, call_id: str, **changes: object) -> None:
        if call_id in self._tools:
            step_id, tool = self._tools[call_id]
            self._tools[call_id] = (step_id, msgspec.structs.replace(tool, **changes))


def usage(tokens: Tokens | None) -> Usage | None:
    """Tokens of a dialect as usage of a report."""
    return Usage(tokens.prompt, tokens.completion, tokens.cached, tokens.reasoning) if tokens else None


def _opened(seen: StepSeen, at_ns: int, clock_ahead_ns: int) -> StepReport:
    start_ns, end_ns = at_ns, None
    if seen.ended:
        start_ns = _stamp(seen.created_s, clock_ahead_ns, at_ns)
        end_ns = max(_stamp(seen.ended_s, clock_ahead_ns, at_ns), start_ns)
    return StepReport(
        id=seen.step_id,
        type=seen.type,
        status=seen.status,
        start_ns=start_ns,
        end_ns=end_ns,
        error=seen.error,
        usage=usage(seen.tokens),
    )


def _continued(known: StepReport, seen: StepSeen, at_ns: int) -> StepReport:
    tokens = known.usage or usage(seen.tokens)
    if known.end_ns is not None or not seen.ended:
        return msgspec.structs.replace(known, usage=tokens)
    return msgspec.structs.replace(known, usage=tokens, status=seen.status, error=seen.error, end_ns=at_ns)


def _stamp(stamp_s: float | None, clock_ahead_ns: int, otherwise_ns: int) -> int:
    return otherwise_ns if stamp_s is None else int(stamp_s * NS) + clock_ahead_ns


def _within(told: Timed, start_ns: int, end_ns: int) -> Timed:
    """With its times moved to the nearest ones of the run; nearly always they are there already."""
    begin_ns = min(max(told.start_ns, start_ns), end_ns)
    until_ns = None if told.end_ns is None else min(max(told.end_ns, begin_ns), end_ns)
    if (begin_ns, until_ns) == (told.start_ns, told.end_ns):
        return told
    return msgspec.structs.replace(told, start_ns=begin_ns, end_ns=until_ns)


def _with_tools(step: StepReport, tools: list[ToolReport]) -> StepReport:
    return msgspec.structs.replace(step, tools=tuple(tools)) if tools else step


def _unseen(tools: list[ToolReport]) -> list[StepReport]:
    if not tools:
        return []
    ends = [tool.end_ns for tool in tools if tool.end_ns is not None]
    start_ns = min(tool.start_ns for tool in tools)
    return [msgspec.structs.replace(UNSEEN, start_ns=start_ns, end_ns=max(ends, default=None), tools=tuple(tools))]
