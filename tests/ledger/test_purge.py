from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest
from msgspec import structs

from support.reports import START_NS, a_correction, a_run, an_exchange, at
from wiretape.ledger.export import parts
from wiretape.ledger.open import open_ledger
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.purge import Removed, give_back, old, purge, purge_some
from wiretape.ledger.reader import reading
from wiretape.ledger.writer import LedgerSink

DAY_MS = 86_400_000
OPTIONS = LedgerOptions(requests=True, busy_timeout_ms=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wiretape.db"


def days(path: Path, count: int, each: int = 1, options: LedgerOptions = OPTIONS, now_ms: float = 0) -> LedgerSink:
    """So many runs on each of the first days, written by a sink for which it is `now_ms`."""
    sink = LedgerSink(path, options, now_ns=lambda: at(now_ms))
    for number in range(count * each):
        day_ms = number // each * DAY_MS
        key, span = ("default", f"run_{number}"), structs.replace(an_exchange().trace, server_span_id=number)
        sink.run(a_run(run_id=key[1], start_ns=at(day_ms)))
        sink.exchange(an_exchange(run_key=key, trace=span, start_ns=at(day_ms), end_ns=at(day_ms + 1)))
        sink.correction(a_correction(run_id=key[1], at_ns=at(day_ms + 1)))
    sink.flush()
    return sink


def counts(path: Path) -> list[int]:
    with reading(path) as connection:
        tables = ("run", "step", "request", "correction")
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608 - names are ours


def us(ms: float) -> int:
    return at(ms) // 1000


def test_what_is_older_goes_with_all_that_belongs_to_it(path: Path) -> None:
    days(path, 3).close(1.0)
    with closing(open_ledger(path, OPTIONS)) as connection:
        counted = old(connection, us(2 * DAY_MS))
        removed = sum(purge(connection, us(2 * DAY_MS), 1), Removed())
    assert counted == removed == Removed(runs=2, steps=4, requests=2, corrections=2)
    assert counts(path) == [1, 2, 1, 1]


def test_a_step_removes_no_more_than_it_was_told(path: Path) -> None:
    days(path, 4).close(1.0)
    with closing(open_ledger(path, OPTIONS)) as connection:
        assert purge_some(connection, us(9 * DAY_MS), 3).runs == 3
        assert [one.runs for one in purge(connection, us(9 * DAY_MS), 3)] == [1]


def test_a_correction_whose_run_went_before_goes_too(path: Path) -> None:
    sink = days(path, 1)
    sink.correction(a_correction(run_id="run_gone", at_ns=START_NS))
    sink.close(1.0)
    with closing(open_ledger(path, OPTIONS)) as connection:
        assert old(connection, us(1)).corrections == 2
        assert sum(purge(connection, us(1), 10), Removed()).corrections == 2


def test_an_hour_of_which_something_was_taken_out_is_not_exported_again(path: Path) -> None:
    sink = days(path, 3)
    sink.run(a_run(run_id="run_beside_the_first", start_ns=at(5 * 60_000)))
    sink.close(1.0)
    with closing(open_ledger(path, OPTIONS)) as connection:
        whole = [part.name for part in parts(connection, 0, us(9 * DAY_MS))]
        list(purge(connection, us(60_000), 10))
        left = [part.name for part in parts(connection, 0, us(9 * DAY_MS))]
        assert connection.execute("SELECT count(*) FROM run WHERE created_us < ?", (us(DAY_MS),)).fetchone() == (1,)
    gone = [name for name in whole if name not in left]
    assert [name.partition("/")[0] for name in gone] == ["run", "step", "request", "correction"]
    assert len({name.partition("/")[2] for name in gone}) == 1


def test_the_file_shrinks_and_what_was_removed_is_nowhere_in_it(path: Path) -> None:
    sink = days(path, 2, each=500)
    sink.run(a_run(run_id="run_kept", start_ns=at(9 * DAY_MS), assistant_name="Kept"))
    sink.close(1.0)
    before = path.stat().st_size
    assert b"Math Tutor" in path.read_bytes()
    with closing(open_ledger(path, OPTIONS)) as connection:
        for _ in purge(connection, us(5 * DAY_MS), 100):
            pass
        give_back(connection)
    left = b"".join(one.read_bytes() for one in path.parent.iterdir())
    assert path.stat().st_size < before / 3
    assert b"Math Tutor" not in left
    assert b"Kept" in left


def test_a_ledger_that_was_made_otherwise_keeps_its_size(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    days(path, 1, each=100).close(1.0)
    with closing(open_ledger(path, OPTIONS)) as connection:
        list(purge(connection, us(DAY_MS), 100))
        give_back(connection)
        assert connection.execute("PRAGMA freelist_count").fetchone()[0] > 0


def test_the_writer_takes_out_what_is_too_old_a_few_at_a_time(path: Path) -> None:
    options = structs.replace(OPTIONS, retention_days=2.0, retention_batch=3)
    sink = days(path, 5, options=options, now_ms=4.5 * DAY_MS)
    assert counts(path)[0] == 2
    sink.run(a_run(run_id="run_old", start_ns=at(0)))
    sink.flush()
    assert counts(path)[0] == 2
    assert sink.purged == 3 + 6 + 3 + 3 + 1 + 2
    sink.close(1.0)


def test_without_a_retention_all_is_kept(path: Path) -> None:
    sink = days(path, 3, now_ms=999 * DAY_MS)
    sink.close(1.0)
    assert (counts(path)[0], sink.purged) == (3, 0)


def test_a_lock_that_keeps_the_writer_from_it_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch was written: only the old rows stay, until the next."""

    def locked(*_: object) -> Removed:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr("wiretape.ledger.writer.purge_some", locked)
    sink = days(path, 2, options=structs.replace(OPTIONS, retention_days=0.0), now_ms=9 * DAY_MS)
    sink.close(1.0)
    assert (counts(path)[0], sink.purged) == (2, 0)


def test_giving_back_waits_for_no_reader_while_writers_wait_for_it(path: Path) -> None:
    sink = days(path, 3)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM run").fetchall()
        days(path, 1).close(1.0)
        with closing(open_ledger(path, structs.replace(OPTIONS, busy_timeout_ms=30_000))) as connection:
            began = monotonic()
            give_back(connection)
            # It is over at once, and does not last as long as the reader, whom nobody ends.
            assert monotonic() - began < 15
    sink.close(1.0)


def test_a_ledger_that_keeps_longer_than_there_was_time_removes_nothing(path: Path) -> None:
    days(path, 2, options=structs.replace(OPTIONS, retention_days=1e300)).close(1.0)
    assert counts(path) == [2, 4, 2, 2]
