from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.runs.state import RANKS, TERMINAL, UNKNOWN, State, advance

STATUSES = sorted(RANKS)
SEEN = st.tuples(st.integers(0, 3), st.sampled_from([*STATUSES, "paused"]))
PATHS = [
    ["queued", "in_progress", "completed"],
    ["queued", "in_progress", "requires_action", "expired"],
    ["queued", "in_progress", "cancelling", "cancelled"],
    ["queued", "failed"],
    ["queued", "in_progress", "requires_action", "cancelling", "completed"],
]


@pytest.mark.parametrize("path", PATHS)
def test_a_run_goes_its_way(path: list[str]) -> None:
    state = State()
    for status in path:
        state = advance(state, 0, status)
        assert state == State(0, status)


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_terminal_status_is_never_left(status: str) -> None:
    ended = State(1, status)
    assert ended.is_terminal
    assert all(advance(ended, leg, other) is ended for leg in (0, 1, 2) for other in STATUSES)


def test_requires_action_is_not_terminal_and_the_next_leg_is_queued_again() -> None:
    waiting = State(0, "requires_action")
    assert not waiting.is_terminal
    assert advance(waiting, 0, "queued") is waiting
    assert advance(waiting, 1, "queued") == State(1, "queued")


def test_an_old_leg_tells_nothing_new_but_an_end() -> None:
    working = State(1, "in_progress")
    assert advance(working, 0, "requires_action") is working
    assert advance(working, 0, "completed") == State(1, "completed")


@pytest.mark.parametrize("status", ["paused", ""])
def test_a_status_we_do_not_know_changes_nothing(status: str) -> None:
    assert advance(State(), 3, status) == State(0, UNKNOWN)


@given(st.lists(SEEN, max_size=12))
def test_seeing_all_again_changes_nothing(seen: list[tuple[int, str]]) -> None:
    state = State()
    for leg, status in seen:
        state = advance(state, leg, status)
    for leg, status in seen:
        assert advance(state, leg, status) == state


@given(st.permutations(PATHS[1][:-1]), st.permutations(["queued", "in_progress"]))
def test_the_order_of_sight_does_not_matter(first: list[str], second: list[str]) -> None:
    state = State()
    for leg, status in [*((1, status) for status in second), *((0, status) for status in first)]:
        state = advance(state, leg, status)
    assert state == State(1, "in_progress")
