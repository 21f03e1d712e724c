from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from support.reports import COST, a_correction, a_run
from wiretape.errors import LedgerError
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.reader import find, reading
from wiretape.ledger.rows import INT_MAX
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.report import Usage


def test_a_missing_ledger_says_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(LedgerError, match=r"there is no ledger at .*: run the proxy first"),
        reading(tmp_path / "no.db"),
    ):
        pass
    assert not (tmp_path / "no.db").exists()


def test_a_damaged_ledger_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.db"
    path.write_bytes(b"nonsense" * 200)
    with pytest.raises(LedgerError, match=r"bad.db could not be read: file is not a database"), reading(path):
        pass


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (word TEXT)")
    connection.close()
    with pytest.raises(LedgerError, match="no Wiretape ledger"), reading(path):
        pass


def test_nothing_can_be_written_through_it(tmp_path: Path) -> None:
    path = tmp_path / "odd name #1?.db"
    sink = LedgerSink(path, LedgerOptions())
    sink.run(a_run())
    sink.close(1.0)
    with pytest.raises(LedgerError, match="readonly"), reading(path) as connection:
        connection.execute("DELETE FROM run")


def test_what_a_correction_costs_stays_a_whole_number_whatever_an_upstream_tells(tmp_path: Path) -> None:
    sink = LedgerSink(tmp_path / "wiretape.db", LedgerOptions())
    sink.run(a_run(run_id="run_1", usage=None, usage_source="none", cost=COST))
    sink.correction(a_correction(run_id="run_1", usage=Usage(prompt=1 << 53, completion=1 << 53)))
    sink.run(a_run(run_id="run_2", cost=COST))
    sink.close(1.0)
    with reading(tmp_path / "wiretape.db") as connection:
        found = find(connection, "default", "run_1")
        kinds = connection.execute("SELECT DISTINCT typeof(cost_nano) FROM corrected").fetchall()
    assert found is not None
    assert found.cost_nano is not None
    assert 0 < found.cost_nano <= INT_MAX
    assert kinds == [("integer",)]
