from __future__ import annotations

from typing import Any

import pytest

from wiretape.dialects.events import Asked, RunSeen, StepSeen, Tokens, ToolSeen
from wiretape.runs.options import RunOptions
from wiretape.runs.report import StepReport, ToolReport, Usage
from wiretape.runs.step_reports import NS
from wiretape.runs.steps import usage
from wiretape.runs.tracker import Leg, Origin, Run

CALL = ToolSeen("c", "function", "weather", "s", by_client=True)
SEARCH = ToolSeen("f", "file_search", "file_search", "s")
ORIGIN = Origin(at_ns=0, wall_ns=0, own=True, mode="forward", cassette=None, asked=Asked(), span_id=1)


def seen(status: str = "in_progress", step_id: str = "s", **fields: Any) -> StepSeen:
    told: dict[str, Any] = {"step_id": step_id, "run_id": "r", "type": "tool_calls", "status": status}
    return StepSeen(**(told | {"ended": status != "in_progress"} | fields))


class Steps(Run):
    """A run that began at 0 and whose steps are told by one call each."""

    def __init__(self, **options: int) -> None:
        super().__init__(("u", "r"), ORIGIN, RunOptions(**options))
        self._legs = 0

    def step(self, step: StepSeen, at_ns: int) -> None:
        self.see_step(step, at_ns, Leg(self._legs, 0), 1)

    def wait(self, calls: list[ToolSeen], at_ns: int) -> None:
        self.see(RunSeen(run_id="r", status="requires_action", pending=tuple(calls)), at_ns, Leg(self._legs, 0))

    def resume(self, answered: tuple[str, ...], at_ns: int) -> None:
        self._legs += 1
        self.accept(Leg(self._legs, at_ns, answered), at_ns)

    def ends(self, at_ns: int) -> None:
        self.see(RunSeen(run_id="r", status="completed"), at_ns, Leg(self._legs, 0))

    def reports(self) -> tuple[StepReport, ...]:
        return self.report(None).steps

    def usage(self) -> Usage | None:
        self.ends(99 * NS)
        return self.report(None).usage


def test_a_step_that_was_seen_running_is_timed_by_arrivals() -> None:
    steps = Steps()
    steps.step(seen(created_s=1), 10 * NS)
    steps.step(seen(created_s=1), 11 * NS)
    steps.step(seen("completed", created_s=1, ended_s=2, tokens=Tokens(3, 4)), 12 * NS)
    told = StepReport(
        id="s", type="tool_calls", status="completed", start_ns=10 * NS, end_ns=12 * NS, usage=Usage(3, 4)
    )
    assert steps.reports() == (told,)


def test_a_step_that_had_ended_when_first_seen_is_timed_by_the_server() -> None:
    steps = Steps()
    steps.step(seen("failed", created_s=5, ended_s=7, error="server_error"), 99 * NS)
    (told,) = steps.reports()
    assert (told.start_ns, told.end_ns, told.error) == (5 * NS, 7 * NS, "server_error")


def test_without_stamps_the_arrival_has_to_do() -> None:
    steps = Steps()
    steps.step(seen("expired"), 99)
    assert [(told.start_ns, told.end_ns) for told in steps.reports()] == [(99, 99)]


def test_an_ended_step_stays_as_it_was_but_for_tokens() -> None:
    steps = Steps()
    steps.step(seen(), 1)
    steps.step(seen("completed"), 2)
    steps.step(seen(), 3)
    steps.step(seen("failed", tokens=Tokens(1, 1)), 4)
    (told,) = steps.reports()
    assert (told.status, told.end_ns, told.usage) == ("completed", 2, Usage(1, 1))


def test_a_hosted_tool_lasts_from_its_first_piece_to_the_end_of_its_step() -> None:
    steps = Steps()
    steps.step(seen(), 10)
    steps.see_tool(SEARCH, 12, 1)
    steps.step(seen("completed", tools=(SEARCH,)), 20)
    (told,) = steps.reports()
    expected = ToolReport(call_id="f", type="file_search", name="file_search", start_ns=12, end_ns=20)
    assert told.tools == (expected,)


def test_a_tool_that_only_the_finished_step_tells_lasts_as_long_as_the_step() -> None:
    steps = Steps()
    steps.step(seen(), 10)
    steps.step(seen("completed", tools=(SEARCH,)), 20)
    assert [(tool.start_ns, tool.end_ns) for tool in steps.reports()[0].tools] == [(10, 20)]


def test_a_function_lasts_from_requires_action_to_the_hand_in() -> None:
    steps = Steps()
    steps.step(seen(), 10)
    steps.see_tool(CALL, 11, 1)
    steps.wait([ToolSeen("c", "function", "weather", None, by_client=True)], 15)
    steps.resume(("c",), 30)
    steps.step(seen("completed", tools=(CALL,)), 31)
    (tool,) = steps.reports()[0].tools
    assert (tool.start_ns, tool.end_ns, tool.by_client) == (15, 30, True)


def test_a_function_ends_with_the_hand_in_after_its_own_wait() -> None:
    steps = Steps()
    other = ToolSeen("d", "function", "time", None, by_client=True)
    steps.wait([CALL], 1)
    steps.resume((), 5)
    steps.wait([other], 10)
    steps.resume((), 20)
    (told,) = steps.reports()
    assert [(tool.start_ns, tool.end_ns) for tool in told.tools] == [(1, 5), (10, 20)]


def test_a_tool_that_came_with_the_end_of_its_step_began_then() -> None:
    steps = Steps()
    steps.step(seen(), 10)
    steps.see_tool(SEARCH, 20, 1)
    steps.step(seen("completed", tools=(SEARCH,)), 20)
    assert [(tool.start_ns, tool.end_ns) for tool in steps.reports()[0].tools] == [(20, 20)]


def test_a_hand_in_after_its_step_has_ended_does_not_lengthen_a_function() -> None:
    steps = Steps()
    steps.wait([CALL], 15)
    steps.step(seen(), 10)
    steps.step(seen("cancelled", tools=(CALL,)), 20)
    steps.resume((), 30)
    (tool,) = steps.reports()[0].tools
    assert (tool.start_ns, tool.end_ns) == (15, 20)


def test_only_the_calls_that_were_answered_end() -> None:
    steps = Steps()
    other = ToolSeen("d", "function", "time", "s", by_client=True)
    steps.wait([CALL, other], 1)
    steps.resume(("c",), 5)
    assert [tool.end_ns for tool in steps.reports()[0].tools] == [5, None]
    steps.resume((), 6)
    assert [tool.end_ns for tool in steps.reports()[0].tools] == [5, 6]


def test_calls_whose_step_nobody_saw_stand_in_a_step_without_id() -> None:
    steps = Steps()
    steps.wait([CALL], 1)
    (told,) = steps.reports()
    assert (told.id, told.status, told.start_ns, told.end_ns) == ("", "unseen", 1, None)
    steps.resume((), 5)
    (told,) = steps.reports()
    assert (told.end_ns, [tool.name for tool in told.tools]) == (5, ["weather"])


def test_a_step_that_is_read_later_takes_its_calls() -> None:
    steps = Steps()
    steps.wait([ToolSeen("c", "function", "weather", None, by_client=True)], 1)
    steps.step(seen("completed", created_s=0, tools=(CALL,)), 9)
    assert [(told.id, len(told.tools)) for told in steps.reports()] == [("s", 1)]


def test_stamps_are_moved_to_our_clock() -> None:
    steps = Steps()
    steps.see(RunSeen(run_id="r", status="queued", created_s=-10), 1, Leg(0, 0))
    steps.step(seen("completed", created_s=5, ended_s=7), 20 * NS)
    assert [(told.start_ns, told.end_ns) for told in steps.reports()] == [(15 * NS, 17 * NS)]


def test_a_step_and_its_tools_lie_within_their_run() -> None:
    steps = Steps()
    steps.step(seen("completed", created_s=-5, ended_s=70, tools=(SEARCH,)), 9 * NS)
    steps.step(seen(step_id="t"), 60 * NS)
    steps.ends(50 * NS)
    first, second = steps.reports()
    assert [(told.start_ns, told.end_ns) for told in (first, *first.tools)] == [(0, 50 * NS)] * 2
    assert (second.start_ns, second.end_ns) == (50 * NS, None)


def test_usage_is_the_sum_of_what_was_told() -> None:
    steps = Steps()
    assert steps.usage() is None
    steps.step(seen("completed", "a", tokens=Tokens(1, 2, 3, 4)), 1)
    steps.step(seen("completed", "b", tokens=Tokens(10, 20, 30, 40)), 1)
    steps.step(seen("in_progress", "c"), 1)
    assert steps.usage() == Usage(11, 22, 33, 44)


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_a_part_of_the_steps_is_no_sum(status: str) -> None:
    steps = Steps()
    steps.step(seen("completed", "a", tokens=Tokens(1, 2)), 1)
    steps.step(seen(status, "b"), 1)
    assert steps.usage() is None


def test_steps_that_were_left_out_leave_no_sum() -> None:
    steps = Steps(steps_max=1)
    steps.step(seen("completed", "a", tokens=Tokens(1, 2)), 1)
    steps.step(seen("completed", "b", tokens=Tokens(1, 2)), 1)
    assert steps.usage() is None


def test_steps_and_tools_are_bounded() -> None:
    steps = Steps(steps_max=1, tools_max=1)
    steps.step(seen(), 1)
    steps.step(seen(step_id="t"), 1)
    steps.see_tool(SEARCH, 1, 1)
    steps.see_tool(CALL, 1, 1)
    steps.step(seen(tools=(SEARCH, CALL)), 1)
    steps.wait([CALL], 1)
    (told,) = steps.reports()
    assert [tool.call_id for tool in told.tools] == ["f"]


def test_no_tokens_are_no_usage() -> None:
    assert usage(None) is None
