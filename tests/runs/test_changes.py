"""Open runs that have changed are given in turns, each once for what was seen of it."""

from __future__ import annotations

from support.streams import Desk, S, done, run, streamed


def given(desk: Desk, at_most: int = 100) -> list[str]:
    return [snapshot.run_id for snapshot in desk.runs.changed(at_most)]


def test_a_run_is_given_once_for_what_was_seen_of_it() -> None:
    desk = Desk()
    desk.start(run())
    assert (given(desk), given(desk)) == (["run_1"], [])
    desk.poll(run("in_progress"), at_ns=S)
    assert (given(desk), given(desk)) == (["run_1"], [])


def test_many_are_given_a_few_at_a_time_and_all_in_turns() -> None:
    desk = Desk()
    for number in range(7):
        desk.start(run(run_id=f"run_{number}"))
    turns = [given(desk, 3) for _ in range(3)]
    assert [len(turn) for turn in turns] == [3, 3, 1]
    assert sorted(one for turn in turns for one in turn) == [f"run_{number}" for number in range(7)]
    assert given(desk, 3) == []


def test_no_run_waits_for_ever_behind_those_that_change_all_the_time() -> None:
    desk = Desk()
    for number in range(4):
        desk.start(run(run_id=f"run_{number}"))
    seen = set()
    for turn in range(1, 4):
        for number in range(4):
            desk.poll(run("in_progress", f"run_{number}"), run_id=f"run_{number}", at_ns=turn * S)
        seen |= set(given(desk, 2))
    assert len(seen) == 4


def test_few_are_looked_at_where_few_may_be_given() -> None:
    """A thousand that stand still cost no more than a few looks at each turn."""
    desk = Desk()
    for number in range(40):
        desk.start(run(run_id=f"run_{number}"))
    while given(desk, 1):
        pass
    desk.poll(run("in_progress", "run_39"), run_id="run_39", at_ns=S)
    turns = [given(desk, 1) for _ in range(4)]
    assert sorted(turns) == [[], [], [], ["run_39"]]


def test_what_could_not_be_saved_is_given_again() -> None:
    desk = Desk()
    desk.start(run())
    given(desk)
    desk.runs.unsaved(("default", "run_1"))
    desk.runs.unsaved(("default", "never seen"))
    assert given(desk) == ["run_1"]


def test_one_that_was_reported_is_not_given() -> None:
    desk = Desk()
    desk.start(run())
    desk.start(run(run_id="run_2"))
    assert len(given(desk, 1)) == 1
    desk.poll(done())
    desk.poll(done("run_2"), run_id="run_2")
    assert (given(desk), desk.runs.all_open()) == ([], [])


def test_one_is_open_again_is_new() -> None:
    desk = Desk(finished_runs_max=1)
    desk.start(streamed("created", "queued"))
    assert given(desk) == ["run_1"]
    assert [one.run_id for one in desk.runs.all_open()] == ["run_1"]
