from __future__ import annotations

import pytest

from wiretape.runs.phases import Phases
from wiretape.runs.state import State


def phases(*entered: tuple[str, int]) -> tuple[int | None, int | None, int | None]:
    """Each state with its time; `resume` is the request that hands in."""
    told, leg = Phases(), 0
    for status, at_ns in entered:
        if status == "resume":
            leg += 1
            told.resume(at_ns)
        else:
            told.enter(State(leg, status), at_ns)
    return told.queue_ns, told.model_ns, told.tool_wait_ns


@pytest.mark.parametrize(
    ("entered", "expected"),
    [
        ([], (None, None, None)),
        ([("queued", 1), ("in_progress", 4), ("completed", 10)], (3, 6, None)),
        ([("queued", 1), ("completed", 10)], (None, None, None)),
        ([("in_progress", 4), ("failed", 5)], (None, 1, None)),
        ([("queued", 1), ("in_progress", 4), ("cancelling", 6), ("cancelled", 9)], (3, 5, None)),
        ([("in_progress", 1), ("requires_action", 4), ("expired", 60)], (None, 3, None)),
    ],
)
def test_one_leg_is_measured(entered: list[tuple[str, int]], expected: tuple[int | None, ...]) -> None:
    assert phases(*entered) == expected


def test_legs_add_up_and_waiting_in_the_queue_again_is_no_phase() -> None:
    entered = [("queued", 0), ("in_progress", 2), ("requires_action", 5), ("resume", 9), ("queued", 10)]
    entered += [("in_progress", 14), ("requires_action", 15), ("resume", 17), ("in_progress", 20), ("completed", 30)]
    assert phases(*entered) == (2, 3 + 1 + 10, 4 + 2)


def test_a_hand_in_that_was_asked_before_the_wait_was_seen_waited_for_nothing() -> None:
    assert phases(("requires_action", 9), ("resume", 5)) == (None, None, 0)


def test_a_hand_in_of_a_wait_that_was_not_seen_is_unknown() -> None:
    assert phases(("resume", 5)) == (None, None, None)


@pytest.mark.parametrize("lost", [1, 2])
def test_a_pause_that_was_not_seen_makes_the_sums_unknown(lost: int) -> None:
    entered = [("queued", 0), ("in_progress", 2), ("requires_action", 5), ("resume", 9)]
    entered += [("in_progress", 14), ("requires_action", 15), ("resume", 17), ("in_progress", 20), ("completed", 30)]
    pause = [place for place, (status, _) in enumerate(entered) if status == "requires_action"][lost - 1]
    del entered[pause]
    assert phases(*entered) == (2, None, None)
