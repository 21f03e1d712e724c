"""A ledger of any older version is brought up to date by opening it, whoever else opens it at that moment."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support.reports import a_run
from wiretape.errors import LedgerError
from wiretape.ledger import schema
from wiretape.ledger.open import open_ledger
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.reader import find, reading
from wiretape.ledger.rows import run_values

OPTIONS = LedgerOptions()
OPEN = """
import sys
from pathlib import Path
from wiretape.ledger.open import open_ledger
from wiretape.ledger.options import LedgerOptions
sys.stdin.readline()
print(open_ledger(Path(sys.argv[1]), LedgerOptions()).execute("PRAGMA user_version").fetchone()[0])
"""


def older(path: Path, version: int) -> None:
    """A ledger as an older Wiretape left it, with a row."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statements in schema.MIGRATIONS[:version]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(run)")]
        places = ", ".join("?" * len(columns))
        connection.execute(f"INSERT INTO run VALUES ({places})", run_values(a_run())[: len(columns)])  # noqa: S608 - names are ours


@pytest.mark.parametrize("version", range(1, schema.VERSION))
def test_an_older_ledger_is_upgraded_with_its_rows(tmp_path: Path, version: int) -> None:
    path = tmp_path / "wiretape.db"
    older(path, version)
    with pytest.raises(LedgerError, match="of an older Wiretape"), reading(path):
        pass
    open_ledger(path, OPTIONS).close()
    with reading(path) as connection:
        row = find(connection, "default", "run_1")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert row is not None
    assert (row.input_tokens, row.outcome) == (200, "completed")


def test_an_upgraded_ledger_is_like_a_new_one(tmp_path: Path) -> None:
    older(tmp_path / "old.db", 1)
    made = []
    for name in ("old.db", "new.db"):
        with closing(open_ledger(tmp_path / name, OPTIONS)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_schema WHERE type <> 'index' ORDER BY 1").fetchall()
            made.append([(name, connection.execute(f"PRAGMA table_xinfo({name})").fetchall()) for (name,) in tables])
    assert made[0] == made[1]


@pytest.mark.parametrize("begins", [0, 1])
async def test_processes_that_open_one_ledger_at_once_upgrade_it_once(tmp_path: Path, begins: int) -> None:
    path = tmp_path / "wiretape.db"
    if begins:
        older(path, begins)
    command = (sys.executable, "-c", OPEN, str(path))
    pipe = asyncio.subprocess.PIPE
    opening = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(4)]
    said = await asyncio.gather(*(one.communicate(b"\n") for one in opening))
    assert said == [(b"%d\n" % schema.VERSION, b"")] * 4
    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (begins,)


def test_every_view_can_be_asked(tmp_path: Path) -> None:
    with closing(open_ledger(tmp_path / "wiretape.db", OPTIONS)) as connection:
        assert [connection.execute(f"SELECT * FROM {name}").fetchall() for name in schema.VIEWS] == [[]]  # noqa: S608 - names are ours
