"""A ledger that is locked, damaged, or on a full disk: what waits, what is lost, and what is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier

import pytest
from msgspec import structs

from support.reports import a_run
from wiretape.errors import LedgerBusy, LedgerDamaged, LedgerError
from wiretape.ledger.damage import set_aside, those_aside
from wiretape.ledger.open import open_ledger
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.reader import reading
from wiretape.ledger.writer import LedgerSink

OPTIONS = LedgerOptions(busy_timeout_ms=1, held_max=3)
PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wiretape.db"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the ledger as another process does that is in the midst of a transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def written(path: Path, *names: str) -> LedgerSink:
    sink = LedgerSink(path, OPTIONS)
    hold(sink, *names)
    sink.flush()
    return sink


def hold(sink: LedgerSink, *names: str) -> None:
    for name in names:
        sink.run(a_run(run_id=name))


def runs(path: Path) -> list[str]:
    with reading(path) as connection:
        return [row[0] for row in connection.execute("SELECT run_id FROM run ORDER BY 1")]


def test_rows_wait_while_another_process_holds_the_ledger(path: Path) -> None:
    sink = written(path, "run_0")
    with locked(path):
        hold(sink, "run_1")
        for _ in range(2):
            with pytest.raises(LedgerBusy, match=r"could not be written: database is locked"):
                sink.flush()
        hold(sink, "run_2")
        assert sink.gathered == 2
    sink.close(1.0)
    assert (runs(path), sink.gathered) == (["run_0", "run_1", "run_2"], 0)


def test_a_ledger_that_is_locked_from_the_start_is_opened_later(path: Path) -> None:
    written(path, "run_0").close(1.0)
    sink = LedgerSink(path, OPTIONS)
    hold(sink, "run_1")
    with locked(path), pytest.raises(LedgerBusy, match="locked"):
        sink.flush()
    sink.close(1.0)
    assert runs(path) == ["run_0", "run_1"]


def test_many_may_open_a_new_ledger_at_once(tmp_path: Path) -> None:
    together = Barrier(4)

    def opened(path: Path) -> None:
        together.wait()
        open_ledger(path, LedgerOptions(busy_timeout_ms=60_000)).close()

    with ThreadPoolExecutor(4) as threads:
        for number in range(25):
            for done in [threads.submit(opened, tmp_path / f"{number}.db") for _ in range(4)]:
                done.result()


def test_rows_beyond_the_bound_are_refused_one_by_one(path: Path) -> None:
    sink = written(path, "run_0")
    with locked(path):
        hold(sink, "run_1", "run_2", "run_3")
        with pytest.raises(LedgerBusy, match=r"3 reports wait already \(audit\.held_max\)"):
            hold(sink, "run_4")
    sink.flush()
    hold(sink, "run_5")
    sink.close(1.0)
    assert runs(path) == ["run_0", "run_1", "run_2", "run_3", "run_5"]


def test_closing_waits_for_another_process_no_longer_than_it_is_given(path: Path) -> None:
    sink = LedgerSink(path, structs.replace(OPTIONS, busy_timeout_ms=600_000))
    hold(sink, "run_0")
    sink.flush()
    hold(sink, "run_1")
    with locked(path), pytest.raises(LedgerBusy, match="locked"):
        sink.close(0.01)
    assert runs(path) == ["run_0"]


def test_rows_wait_while_the_disk_is_full(path: Path) -> None:
    sink = written(path, "run_0")
    assert sink._file._connection is not None
    pages = sink._file._connection.execute("PRAGMA page_count").fetchone()[0]
    sink._file._connection.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(OPTIONS.held_max):
        sink.run(a_run(run_id=f"run_{number}", error="x" * PAGE))
    with pytest.raises(LedgerBusy, match="full"):
        sink.flush()
    sink.close(1.0)
    assert runs(path) == ["run_0", "run_1", "run_2"]


def test_a_row_that_no_ledger_takes_is_lost_with_its_batch(path: Path) -> None:
    sink = LedgerSink(path, OPTIONS)
    hold(sink, "run_1")
    sink.run(a_run(run_id="run_2", outcome=None))
    with pytest.raises(LedgerError, match="NOT NULL constraint failed") as raised:
        sink.flush()
    assert type(raised.value) is LedgerError
    assert (sink.gathered, runs(path)) == (0, [])


@pytest.mark.parametrize("where", ["schema", "table", "wiped"])
def test_a_damaged_ledger_is_moved_aside_and_a_new_one_begun(path: Path, where: str) -> None:
    sink = written(path, *(f"run_{number}" for number in range(3)))
    sink.close(1.0)
    damage(path, where)
    before = path.read_bytes()
    sink = LedgerSink(path, OPTIONS)
    hold(sink, "run_9")
    with pytest.raises(LedgerDamaged, match=r"is damaged \(.*\); it was moved to .*\.db\.corrupt-.*Z, and a new"):
        sink.flush()
    assert (sink.set_aside, sink.gathered) == (1, 1)
    sink.close(1.0)
    (aside,) = those_aside(path)
    assert (runs(path), aside.read_bytes()[PAGE:]) == (["run_9"], before[PAGE:])
    assert path.stat().st_mode & 0o777 == 0o600


def damage(path: Path, where: str) -> None:
    """Overwrite a part: the schema's page, the table's, or the head."""
    data = bytearray(path.read_bytes())
    begin, end = {"schema": (100, PAGE), "table": (PAGE, len(data)), "wiped": (0, PAGE)}[where]
    data[begin:end] = bytes(end - begin) if where == "wiped" else b"\xa5" * (end - begin)
    path.write_bytes(data)


def test_a_ledger_that_is_damaged_while_it_is_open_is_looked_at_anew_first(path: Path) -> None:
    sink = written(path, "run_0")
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sink._file._connection.execute("PRAGMA journal_mode = DELETE")
    damage(path, "table")
    hold(sink, "run_1")
    with pytest.raises(LedgerBusy, match="malformed"):
        sink.flush()
    with pytest.raises(LedgerDamaged):
        sink.flush()
    sink.close(1.0)
    assert runs(path) == ["run_1"]


def test_damage_that_only_the_purge_meets_costs_no_row_that_comes(path: Path) -> None:
    """Old pages are damaged, new ones are not: what was written before the purge failed is written once more."""
    old = LedgerSink(path, LedgerOptions())
    for number in range(500):
        old.run(a_run(run_id=f"run_{number:04}", start_ns=number * 1_000_000))
    old.flush()
    old.close(1.0)
    data = bytearray(path.read_bytes())
    place = len(data) // PAGE // 2 * PAGE
    data[place : place + PAGE] = b"\xa5" * PAGE
    path.write_bytes(data)
    sink = LedgerSink(path, structs.replace(OPTIONS, retention_days=1.0), now_ns=lambda: a_run().start_ns)
    hold(sink, "run_new")
    with pytest.raises(LedgerDamaged, match="malformed"):
        sink.flush()
    assert (sink.set_aside, sink.gathered) == (1, 1)
    sink.close(1.0)
    assert runs(path) == ["run_new"]


def test_what_another_process_moved_aside_is_written_to_no_longer(path: Path) -> None:
    sink = written(path, "run_0")
    path.rename(path.with_name("moved.db"))
    hold(sink, "run_1")
    sink.close(1.0)
    assert runs(path) == ["run_1"]


def test_the_log_of_a_damaged_ledger_goes_with_it(path: Path) -> None:
    for companion in ("", "-wal", "-shm"):
        path.with_name(path.name + companion).write_text(companion)
    aside = set_aside(path)
    assert {one.name: one.read_text() for one in path.parent.iterdir()} == {
        aside.name: "",
        aside.name + "-wal": "-wal",
        aside.name + "-shm": "-shm",
    }
    assert those_aside(path) == [aside]


def test_a_log_that_was_cut_short_costs_its_own_rows_alone(path: Path) -> None:
    sink = written(path, "run_0")
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        hold(sink, "run_1")
        sink.flush()
        wal = path.with_name("wiretape.db-wal")
        data, log = path.read_bytes(), wal.read_bytes()
    sink.close(1.0)
    path.write_bytes(data)
    wal.write_bytes(log[:-8])
    written(path, "run_2").close(1.0)
    assert runs(path) == ["run_0", "run_2"]


def test_a_file_that_never_was_a_ledger_stays_where_it_is(path: Path) -> None:
    text = b"somebody's notes, named by mistake\n" * 100
    path.write_bytes(text)
    sink = LedgerSink(path, OPTIONS)
    hold(sink, "run_0")
    with pytest.raises(LedgerError, match="file is not a database"):
        sink.flush()
    assert (path.read_bytes(), those_aside(path)) == (text, [])
