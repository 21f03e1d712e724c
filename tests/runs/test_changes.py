"""Open runs that have changed are given in turns, each once for what was seen of it."""

from __future__ import annotations

from support.streams import Desk, S, done, run


def given(desk: Desk, looks: int = 100) -> list[str]:
    return [snapshot.run_id for snapshot in desk.runs.changed(looks)]


def begun(runs: int) -> Desk:
    desk = Desk()
    for number in range(runs):
        desk.start(run(run_id=f"run_{number}"))
    return desk


def polled(desk: Desk, number: int, at_ns: int) -> None:
    desk.poll(run("in_progress", f"run_{number}"), run_id=f"run_{number}", at_ns=at_ns)


def test_a_run_is_given_once_for_what_was_seen_of_it() -> None:
    desk = begun(1)
    assert (given(desk), given(desk)) == (["run_0"], [])
    polled(desk, 0, S)
    assert (given(desk), given(desk)) == (["run_0"], [])


def test_all_are_given_in_turns_and_so_many_are_looked_at() -> None:
    desk = begun(7)
    assert [given(desk, 3) for _ in range(3)] == [["run_0", "run_1", "run_2"], ["run_3", "run_4", "run_5"], ["run_6"]]
    assert given(desk, 3) == []
    polled(desk, 4, S)
    assert [given(desk, 2) for _ in range(3)] == [["run_4"], [], []]


def test_those_that_one_has_enough_of_are_given_another_time() -> None:
    desk = begun(3)
    assert next(desk.runs.changed(100)).run_id == "run_0"
    assert given(desk) == ["run_1", "run_2"]


def test_no_run_waits_for_ever_behind_those_that_change_all_the_time() -> None:
    desk, seen = begun(4), set()
    for turn in range(1, 5):
        for number in range(4):
            polled(desk, number, turn * S)
        seen.add(next(desk.runs.changed(100)).run_id)
    assert len(seen) == 4


def test_what_could_not_be_saved_is_given_again() -> None:
    desk = begun(1)
    given(desk)
    desk.runs.unsaved(("default", "run_0"))
    desk.runs.unsaved(("default", "never seen"))
    assert given(desk) == ["run_0"]


def test_one_that_was_reported_is_not_given() -> None:
    desk = begun(2)
    assert len(given(desk, 1)) == 1
    for number in range(2):
        desk.poll(done(f"run_{number}"), run_id=f"run_{number}")
    assert (given(desk), desk.runs.all_open()) == ([], [])
