"""Between the runs and the ledger: what is saved, taken out and taken up, and what becomes of what cannot be."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from support.streams import Desk, S, done, run
from wiretape.ledger import keeper as module
from wiretape.ledger.damage import set_aside
from wiretape.ledger.keeper import Keeper
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.saving import Saving
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.report import RunReport
from wiretape.runs.snapshot import VERSION, Snapshot, encode


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REST_S", 0.01)


class Told:
    """Where reports go; runs whose id is in `keys` cannot be told without a key."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys
        self.runs: list[RunReport] = []
        self.lines: list[tuple[str, dict[str, int]]] = []

    def run(self, report: RunReport) -> None:
        self.runs.append(report)

    def open_run(self, snapshot: Snapshot) -> bytes | None:
        return None if snapshot.run_id in self.keys else encode(snapshot)

    def line(self, event: str, **fields: int) -> None:
        self.lines.append((event, fields))


class Process:
    """One process on a ledger."""

    def __init__(self, path: Path | None, told: Told, **options: int) -> None:
        self.told = told
        settings = LedgerOptions(busy_timeout_ms=20, **options)
        self.saving = Saving(Keeper(path, settings, dict) if path else None, told)
        self.desk = Desk()
        self.desk.runs._open._finished = self.saving.run
        self.saving.restore(self.desk.runs, ["default"], told.line)

    def end(self) -> None:
        self.saving.close(self.desk.runs, 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wiretape.db"


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM open_run").fetchone()[0])


def test_a_run_that_is_open_at_the_end_is_the_next_ones_to_report(path: Path) -> None:
    told = Told()
    first = Process(path, told)
    first.desk.start(run())
    first.end()
    assert (told.runs, told.lines, rows(path)) == ([], [], 1)
    second = Process(path, told)
    second.desk.poll(done())
    ledger = LedgerSink(path, LedgerOptions())
    ledger.run(told.runs[0])
    ledger.close(1)
    second.end()
    assert ([one.outcome for one in told.runs], rows(path)) == (["completed"], 0)
    assert told.lines == [("open_runs.restored", {"runs": 1, "unreadable": 0})]
    assert second.saving.lost == 0


def test_a_run_that_was_never_saved_need_not_be_taken_out(path: Path) -> None:
    told = Told()
    process = Process(path, told)
    process.desk.start(run())
    process.desk.poll(done())
    process.end()
    assert (len(told.runs), path.exists()) == (1, False)


def test_without_a_keeper_what_is_open_is_abandoned() -> None:
    process = Process(None, Told())
    process.desk.start(run())
    process.saving.some(process.desk.runs, LedgerOptions())
    process.end()
    assert [one.outcome for one in process.told.runs] == ["abandoned"]
    assert process.saving.lost == 0


def test_one_that_cannot_be_told_without_a_key_is_not_saved_but_abandoned_and_counted(path: Path) -> None:
    process = Process(path, Told("run_1"))
    process.desk.start(run())
    process.saving.some(process.desk.runs, LedgerOptions())
    process.saving.some(process.desk.runs, LedgerOptions())
    assert process.saving.lost == 1
    process.end()
    assert ([one.outcome for one in process.told.runs], path.exists()) == (["abandoned"], False)


def test_one_for_which_there_was_no_room_is_tried_again_and_abandoned_at_last(path: Path) -> None:
    process = Process(path, Told(), open_runs_bytes_max=10)
    process.desk.start(run())
    for refused in (1, 2):
        process.saving.some(process.desk.runs, LedgerOptions())
        assert process.saving.lost == refused
    process.end()
    assert [one.outcome for one in process.told.runs] == ["abandoned"]


@pytest.mark.parametrize("state", [b"no snapshot", b'{"version":%d}' % (VERSION + 1)])
def test_what_cannot_be_read_is_counted_told_in_one_line_and_left_out(path: Path, state: bytes) -> None:
    first = Process(path, Told())
    for number in range(3):
        first.desk.start(run(run_id=f"run_{number}"))
    first.end()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE open_run SET state = ? WHERE run_id <> 'run_1'", (state,))
    second = Process(path, Told())
    assert second.told.lines == [("open_runs.restored", {"runs": 1, "unreadable": 2})]
    assert (second.desk.runs.open, second.saving.lost) == (1, 2)
    second.desk.poll(done(), at_ns=S)
    second.end()
    assert [one.run_id for one in second.told.runs] == ["run_1"]


def test_a_seconds_saving_ends_at_its_bytes(path: Path) -> None:
    process, options = Process(path, Told()), LedgerOptions(open_runs_batch_bytes=1)
    for number in range(3):
        process.desk.start(run(run_id=f"run_{number}"))
    for saved in (1, 2, 3, 3):
        process.saving.some(process.desk.runs, options)
        assert len(process.saving._saved) == saved
    process.end()


def test_what_was_saved_in_a_ledger_that_was_moved_away_is_saved_anew(path: Path) -> None:
    """A damaged one is; a kill later must not cost the runs that have not changed since."""
    process, options = Process(path, Told()), LedgerOptions()
    process.desk.start(run(run_id="run_0"))
    process.saving.some(process.desk.runs, options)
    wait_for(path, 1)
    set_aside(path)
    process.desk.start(run(run_id="run_1"))
    process.saving.some(process.desk.runs, options)
    wait_for(path, 1)
    process.saving.some(process.desk.runs, options)
    assert process.saving._keeper is not None
    process.saving._keeper.close(5)  # as a kill would, but with what waits
    assert rows(path) == 2


def wait_for(path: Path, count: int) -> None:
    while True:
        with suppress(sqlite3.OperationalError):  # it is being made
            if path.exists() and rows(path) == count:
                return
