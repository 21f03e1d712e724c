from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from support.reports import MS, START_NS, a_run, an_exchange
from support.streams import sketch
from wiretape.errors import LedgerError
from wiretape.ledger import schema
from wiretape.ledger.open import open_ledger
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.reader import find, reading
from wiretape.ledger.rows import COLUMNS, RunRow, run_row
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.report import RunReport, Usage

OPTIONS = LedgerOptions(busy_timeout_ms=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wiretape.db"


def write(path: Path, *reports: RunReport) -> None:
    sink = LedgerSink(path, OPTIONS)
    for report in reports:
        sink.run(report)
        sink.flush()
    sink.close(1.0)


def the_row(path: Path) -> RunRow:
    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (1,)
        row = find(connection, "default", "run_1")
    assert row is not None
    return row


def test_a_run_is_a_row(path: Path) -> None:
    write(path, a_run(cassette="weather", key_hash="5e1f"))
    assert structs.asdict(the_row(path)) == {
        "upstream": "default",
        "run_id": "run_1",
        "thread_id": "thread_1",
        "assistant_id": "asst_1",
        "assistant_name": "Math Tutor",
        "model_requested": "gpt-4o",
        "model": "gpt-4o-2024",
        "mode": "forward",
        "cassette": "weather",
        "is_foreign": False,
        "streamed": True,
        "created_us": START_NS // 1000,
        "queue_us": 5_000,
        "first_event_us": 10_000,
        "first_token_us": 30_000,
        "first_token_kind": "code",
        "model_us": 185_000,
        "tool_wait_us": 210_000,
        "duration_us": 400_000,
        "polls": 1,
        "exchanges": 3,
        "events": 40,
        "steps": 2,
        "tool_calls": 2,
        "input_tokens": 200,
        "cached_tokens": 50,
        "output_tokens": 40,
        "reasoning_tokens": 10,
        "usage_source": "run",
        "cost_nano": None,
        "price_version": None,
        "status": "completed",
        "outcome": "completed",
        "error": None,
        "trace_id": f"{0xA1:032x}",
        "key_hash": "5e1f",
        "key_alias": None,
        "gap_sketch": sketch(1 * MS, 2 * MS, 3 * MS).pack(),
        "overhead_us": None,
    }


def test_a_run_nobody_wrote_is_not_found(path: Path) -> None:
    write(path, a_run())
    with reading(path) as connection:
        assert find(connection, "default", "run_2") is None


def test_an_abandoned_run_has_no_duration_and_no_tokens(path: Path) -> None:
    write(path, a_run(outcome="abandoned", duration_ns=None, usage=None, usage_source="none", trace=None))
    row = the_row(path)
    assert (row.duration_us, row.input_tokens, row.output_tokens, row.trace_id) == (None, None, None, None)


def test_a_batch_is_written_when_told_and_not_before(path: Path) -> None:
    sink = LedgerSink(path, OPTIONS)
    sink.exchange(an_exchange())
    for number in range(3):
        sink.run(a_run(run_id=f"run_{number}"))
    assert (sink.gathered, path.exists()) == (3, False)
    sink.flush()
    assert sink.gathered == 0
    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (3,)
    sink.close(1.0)


@pytest.mark.parametrize("has_rows", [False, True])
@pytest.mark.parametrize("run_key", [None, ("default", "run_1")])
def test_an_exchange_is_wanted_that_has_a_row_or_a_run(
    has_rows: bool, run_key: tuple[str, str] | None, path: Path
) -> None:
    sink = LedgerSink(path, LedgerOptions(requests=has_rows))
    assert sink.wants(an_exchange(run_key=run_key)) is (has_rows or run_key is not None)


def test_closing_writes_what_is_held(path: Path) -> None:
    sink = LedgerSink(path, OPTIONS)
    sink.run(a_run())
    sink.close(1.0)
    assert the_row(path).outcome == "completed"


def test_closing_an_unused_ledger_makes_no_file(path: Path) -> None:
    LedgerSink(path, OPTIONS).close(1.0)
    assert not path.exists()


def test_the_file_and_its_companions_are_their_owners_alone(path: Path) -> None:
    sink = LedgerSink(path, OPTIONS)
    sink.run(a_run())
    sink.flush()
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    sink.close(1.0)
    assert modes == {"wiretape.db": 0o600, "wiretape.db-wal": 0o600, "wiretape.db-shm": 0o600}


def test_two_writers_share_a_ledger(path: Path) -> None:
    one, two = LedgerSink(path, OPTIONS), LedgerSink(path, OPTIONS)
    for number in range(3):
        for sink in (one, two):
            sink.run(a_run(run_id=f"run_{number}"))
            sink.flush()
    one.close(1.0)
    two.close(1.0)
    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (3,)


def test_the_file_is_a_ledger_in_wal_mode(path: Path) -> None:
    with closing(open_ledger(path, OPTIONS)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)


def test_a_row_has_every_column_of_the_table(path: Path) -> None:
    with closing(open_ledger(path, OPTIONS)) as connection:
        columns = tuple(row[1] for row in connection.execute("PRAGMA table_info(run)"))
    assert columns == COLUMNS


def test_an_older_ledger_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, a_run())
    step = ("CREATE TABLE later (word TEXT)", "INSERT INTO later VALUES ('kept')")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(LedgerError, match="of an older Wiretape"), reading(path):
        pass
    write(path, a_run(run_id="run_2"))
    with reading(path) as connection:
        assert connection.execute("SELECT word FROM later").fetchall() == [("kept",)]
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (2,)


def test_a_newer_ledger_is_refused(path: Path) -> None:
    write(path, a_run())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match=r"has schema 99, this Wiretape knows \d+: update it"):
        write(path, a_run())


def test_somebody_elses_file_is_refused_and_left_as_it_was(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (word TEXT)")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="no Wiretape ledger"):
        write(path, a_run())
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_an_error_of_the_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="No such file or directory"):
        write(tmp_path / "missing" / "wiretape.db", a_run())


def test_writing_a_run_twice_changes_nothing(path: Path) -> None:
    write(path, a_run())
    before = the_row(path)
    write(path, a_run(), a_run())
    assert the_row(path) == before


def test_the_row_of_the_creating_process_beats_a_foreign_one_in_either_order(tmp_path: Path) -> None:
    own = a_run(first_event_ns=10 * MS, model=None)
    foreign = a_run(foreign=True, first_event_ns=99 * MS, thread_id=None, polls=9, streamed=False)
    rows = []
    for place, order in (("a", (own, foreign)), ("b", (foreign, own))):
        write(tmp_path / place, *order)
        rows.append(the_row(tmp_path / place))
    assert rows[0] == rows[1]
    row = rows[0]
    assert (row.first_event_us, row.model, row.is_foreign, row.polls) == (10_000, "gpt-4o-2024", False, 9)
    assert (row.thread_id, row.streamed) == ("thread_1", True)


def test_a_real_ending_beats_an_abandoned_one_in_either_order(tmp_path: Path) -> None:
    gave_up = a_run(outcome="abandoned", status="in_progress", duration_ns=None, usage=None, usage_source="none")
    seen = a_run(foreign=True, duration_ns=None, usage=Usage(7, 8))
    for place, order in (("a", (gave_up, seen)), ("b", (seen, gave_up))):
        write(tmp_path / place, *order)
        row = the_row(tmp_path / place)
        assert (row.outcome, row.status, row.is_foreign) == ("completed", "completed", False)
        assert (row.usage_source, row.input_tokens, row.output_tokens) == ("run", 7, 8)
        assert row.duration_us is None


def test_usage_comes_from_one_source_never_mixed(path: Path) -> None:
    steps = a_run(usage=Usage(prompt=1, completion=2, cached=3, reasoning=4), usage_source="steps")
    whole = a_run(usage=Usage(prompt=5, completion=6), usage_source="run")
    write(path, steps, whole, steps)
    row = the_row(path)
    assert (row.input_tokens, row.output_tokens, row.cached_tokens, row.reasoning_tokens) == (5, 6, 0, 0)


SIGHTINGS = st.lists(
    st.builds(
        lambda foreign, ended, usage, polls: a_run(
            foreign=foreign,
            outcome="completed" if ended else "abandoned",
            usage=Usage(5, 6) if usage else None,
            usage_source="run" if usage else "none",
            polls=polls,
        ),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40, deadline=None)
@given(SIGHTINGS, st.randoms())
def test_however_often_and_in_whatever_order_a_run_is_seen_it_is_one_row(
    tmp_path_factory: pytest.TempPathFactory, sightings: list[RunReport], chance: Random
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    shuffled = [*sightings, *sightings]
    chance.shuffle(shuffled)
    write(folder / "a.db", *sightings)
    write(folder / "b.db", *shuffled)
    assert the_row(folder / "a.db") == the_row(folder / "b.db")


def test_the_row_of_a_report_needs_no_ledger() -> None:
    assert run_row(a_run()).run_id == "run_1"
