"""Open runs in the ledger: saved, taken out, taken over by one process alone; and a ledger that will not have them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest

from support.reports import a_run
from wiretape.ledger import keeper as module
from wiretape.ledger.keeper import Keeper
from wiretape.ledger.open import open_ledger
from wiretape.ledger.open_runs import OLD_US, Saved
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.writer import LedgerSink

NOW_US = 4_000_000_000_000_000
"""Later than any test runs, so that nothing is old."""
HURRIED = LedgerOptions(busy_timeout_ms=20)


def saved(run_id: str = "run_1", state: bytes = b"state", **changes: object) -> Saved:
    return Saved(
        **({"upstream": "default", "saved_us": NOW_US, "is_foreign": False} | changes), run_id=run_id, state=state
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    monkeypatch.setattr(module, "_REST_S", 0.01)


class Kept:
    """Keepers on one file, with what they complained of."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.complaints: list[str] = []

    def keeper(self, options: LedgerOptions = HURRIED) -> Keeper:
        return Keeper(self.path, options, self._warned)

    def _warned(self, detail: str) -> None:
        self.complaints.append(detail)

    def left(self, *states: Saved) -> None:
        """What a process that ended has left."""
        keeper = self.keeper()
        for state in states:
            keeper.put(state)
        assert keeper.close(5) == []

    def adopted(self, *upstreams: str) -> list[Saved]:
        keeper = self.keeper()
        found = keeper.adopt(upstreams or ("default",))
        keeper.close(5)
        return found

    def rows(self) -> int:
        with closing(sqlite3.connect(self.path)) as connection:
            return int(connection.execute("SELECT count(*) FROM open_run").fetchone()[0])

    @contextmanager
    def locked(self) -> Iterator[None]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "wiretape.db")


def test_what_a_process_left_is_taken_over_once(kept: Kept) -> None:
    kept.left(saved("run_1"), saved("run_2", is_foreign=True))
    keeper = kept.keeper()
    assert keeper.adopt(("default",)) == [saved("run_1"), saved("run_2", is_foreign=True)]
    assert kept.adopted() == []
    keeper.close(5)
    assert len(kept.adopted()) == 2
    assert kept.complaints == []


def test_the_newest_state_remains_and_a_reported_run_goes(kept: Kept) -> None:
    keeper = kept.keeper()
    keeper.put(saved("run_1", b"old"))
    keeper.put(saved("run_1", b"new"))
    keeper.put(saved("run_2"))
    keeper.drop(("default", "run_2"))
    keeper.close(5)
    assert [one.state for one in kept.adopted()] == [b"new"]


def reported(path: Path, *runs: tuple[str, bool]) -> None:
    """Write the rows of runs, by id and whether they are foreign."""
    ledger = LedgerSink(path, LedgerOptions())
    for run_id, foreign in runs:
        ledger.run(a_run(run_id=run_id, foreign=foreign))
    ledger.flush()
    ledger.close(1)


def test_a_run_is_taken_out_that_was_written_before(kept: Kept) -> None:
    kept.left(saved())
    reported(kept.path, ("run_1", False))
    keeper = kept.keeper()
    keeper.drop(("default", "run_1"))
    keeper.put(saved())
    keeper.drop(("default", "run_1"))
    keeper.close(5)
    assert kept.adopted() == []


def test_a_reported_run_stays_until_its_row_is_written(kept: Kept) -> None:
    """Its report may wait for the ledger, and a kill would lose both."""
    kept.left(saved("run_1"), saved("run_2"))
    keeper = kept.keeper()
    keeper.adopt(("default",))
    keeper.drop(("default", "run_1"))
    keeper.put(saved("run_3"))
    while kept.rows() < 3:
        pass
    keeper.drop(("default", "run_2"))
    reported(kept.path, ("run_1", False), ("run_2", True))
    assert keeper.close(5) == []
    assert [one.run_id for one in kept.adopted()] == ["run_2", "run_3"]


def test_at_the_end_rows_that_are_just_being_written_are_waited_for(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.left(saved())
    keeper = kept.keeper()
    keeper.adopt(("default",))
    keeper.drop(("default", "run_1"))
    waited = Event.wait

    def written_meanwhile(event: Event, timeout: float | None = None) -> bool:
        if timeout == module._LAST_REST_S:
            reported(kept.path, ("run_1", False))
        return waited(event, timeout)

    monkeypatch.setattr(Event, "wait", written_meanwhile)
    keeper.close(5)
    assert kept.rows() == 0


def test_of_those_that_wait_for_their_rows_only_so_many_are_remembered(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEFT_MAX", 1)
    kept.left(*(saved(f"run_{number}") for number in range(3)))
    keeper = kept.keeper()
    keeper.adopt(("default",))
    for number in range(3):
        keeper.drop(("default", f"run_{number}"))
    keeper.close(5)
    assert len(keeper._waits) == 1


def test_who_lives_keeps_its_runs(kept: Kept) -> None:
    open_ledger(kept.path, LedgerOptions()).close()
    living = kept.keeper()
    living.put(saved())
    while not kept.rows():
        pass
    assert kept.adopted() == []
    living.close(5)


def test_of_many_that_start_at_once_one_takes_over_each_run(kept: Kept) -> None:
    kept.left(*(saved(f"run_{number}") for number in range(20)))
    keepers = [kept.keeper(LedgerOptions()) for _ in range(6)]
    found: list[Saved] = []
    start = Barrier(len(keepers))

    def adopt(keeper: Keeper) -> None:
        start.wait()
        found.extend(keeper.adopt(("default",)))

    threads = [Thread(target=adopt, args=(keeper,)) for keeper in keepers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for keeper in keepers:
        keeper.close(5)
    assert sorted(one.run_id for one in found) == sorted(f"run_{number}" for number in range(20))
    assert kept.complaints == []


def test_the_files_of_dead_ones_that_left_no_run_are_removed(kept: Kept) -> None:
    """A kill between two runs leaves one, and nothing in the ledger that leads to it."""
    open_ledger(kept.path, LedgerOptions()).close()
    for number in range(1_000):
        kept.path.with_name(f"wiretape.db-owner-{number:016x}").touch()
    living = kept.keeper()
    living.adopt(("default",))
    (file,) = kept.path.parent.glob("*-owner-*")
    assert kept.adopted() == []
    assert list(kept.path.parent.glob("*-owner-*")) == [file]
    living.close(5)


def test_runs_of_an_upstream_that_is_not_ours_wait_for_whose_it_is(kept: Kept) -> None:
    kept.left(saved("run_1"), saved("run_2", upstream="other"))
    assert [one.run_id for one in kept.adopted("default")] == ["run_1"]
    assert [one.run_id for one in kept.adopted("other")] == ["run_2"]


@pytest.mark.parametrize("order", [(True, False), (False, True)])
def test_of_two_that_followed_one_run_the_one_that_saw_it_created_remains(kept: Kept, order: tuple[bool, bool]) -> None:
    keepers = [kept.keeper(), kept.keeper()]
    for keeper, is_foreign in zip(keepers, order, strict=True):
        keeper.put(saved(is_foreign=is_foreign))
    for keeper in keepers:
        keeper.close(5)
    assert [one.is_foreign for one in kept.adopted()] == [False]


def test_a_run_that_has_its_row_was_reported_and_is_not_taken_over(kept: Kept) -> None:
    """Its process was killed between the row and taking it out."""
    kept.left(saved("run_1"), saved("run_2"), saved("run_3", is_foreign=True))
    reported(kept.path, ("run_1", False), ("run_2", True), ("run_3", False))
    assert [one.run_id for one in kept.adopted()] == ["run_2"]


def test_what_is_a_week_old_is_let_go(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.left(saved("run_1"), saved("run_2", saved_us=NOW_US - 1))
    monkeypatch.setattr(module.time, "time_ns", lambda: (NOW_US + OLD_US) * 1000)
    assert [one.run_id for one in kept.adopted()] == ["run_1"]


def test_a_locked_ledger_is_waited_for_and_told_once(kept: Kept) -> None:
    kept.left(saved("run_0"))
    keeper = kept.keeper()
    with kept.locked():
        keeper.put(saved("run_1"))
        while keeper.failed < 3:
            pass
        keeper.put(saved("run_1", b"newer"))
        while keeper.failed < 5:
            pass
    assert keeper.close(5) == []
    assert [one.state for one in kept.adopted()] == [b"state", b"newer"]
    (complaint,) = kept.complaints
    assert "could not be saved, and wait: database is locked" in complaint


def test_what_cannot_be_saved_by_the_end_is_named(kept: Kept) -> None:
    kept.left(saved("run_0"))
    keeper = kept.keeper()
    with kept.locked():
        keeper.put(saved("run_1"))
        keeper.drop(("default", "run_2"))
        assert keeper.close(0.05) == [("default", "run_1")]


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one, as it were", None])
def test_a_ledger_that_is_none_costs_what_was_left_and_a_warning(kept: Kept, content: bytes | None) -> None:
    if content is None:
        kept.path.mkdir()
    else:
        kept.path.write_bytes(content * 20)
    assert kept.adopted() == []
    assert "what an earlier process left could not be read" in kept.complaints[0]


def test_more_than_may_wait_is_refused_and_counted(kept: Kept) -> None:
    kept.left(saved("run_0"))
    keeper = kept.keeper(LedgerOptions(busy_timeout_ms=20, open_runs_bytes_max=10))
    with kept.locked():
        assert keeper.put(saved("run_1", b"12345678"))
        assert not keeper.put(saved("run_2", b"12345678"))
        assert keeper.refused == 1
    keeper.close(5)
