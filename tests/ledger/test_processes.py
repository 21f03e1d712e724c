"""Several processes write to one ledger while another reads it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from wiretape.errors import LedgerError
from wiretape.ledger.open import open_ledger
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.purge import give_back, purge
from wiretape.ledger.reader import reading

ROWS = 1_000
WRITE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from support.reports import a_run, an_exchange, KEY
from msgspec import structs
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.writer import LedgerSink
sink = LedgerSink(Path(sys.argv[1]), LedgerOptions(requests=True, busy_timeout_ms=60_000))
for number in range(1_000):
    run_id = f"run_{sys.argv[2]}_{number}"
    trace = structs.replace(an_exchange().trace, server_span_id=int(sys.argv[2]) * 10_000 + number)
    sink.run(a_run(run_id=run_id))
    sink.exchange(an_exchange(run_key=("default", run_id), trace=trace))
    # Seen by all of them: it must still be one row.
    sink.run(a_run(run_id=f"run_shared_{number}", foreign=True))
    if number % 50 == 49:
        sink.flush()
sink.close(1.0)
"""


@pytest.mark.parametrize("writers", [4])
async def test_four_processes_write_a_thousand_runs_each_while_one_reads(tmp_path: Path, writers: int) -> None:
    path, tests = tmp_path / "wiretape.db", str(Path(__file__).parents[1])
    writing = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITE, str(path), str(number), tests, stderr=asyncio.subprocess.PIPE
        )
        for number in range(writers)
    ]
    ending = asyncio.gather(*(one.communicate() for one in writing))
    seen = [0]
    while not ending.done():
        await asyncio.to_thread(look, path, seen)
        await asyncio.sleep(0)
    assert [said for _, said in await ending] == [b""] * writers
    assert seen == sorted(seen)
    with reading(path) as connection:
        counts = "SELECT count(*), count(DISTINCT run_id), sum(is_foreign), sum(overhead_us > 0) FROM run"
        assert connection.execute(counts).fetchone() == (5 * ROWS, 5 * ROWS, ROWS, 4 * ROWS)
        assert connection.execute("SELECT count(*) FROM request").fetchone() == (writers * ROWS,)
        assert connection.execute("SELECT count(*) FROM step").fetchone() == (5 * ROWS * 2,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def look(path: Path, seen: list[int]) -> None:
    """A reader never waits for a writer, and sees whole batches alone."""
    try:
        with reading(path) as connection:
            seen.append(connection.execute("SELECT count(*) FROM run").fetchone()[0])
            assert connection.execute("SELECT count(*) FROM step").fetchone()[0] >= 2 * seen[-1]
    except LedgerError:
        # Only before the first writer has made its tables.
        if seen != [0]:
            raise


async def test_nobody_loses_a_row_while_another_process_purges(tmp_path: Path) -> None:
    """A purge holds the ledger for short moments only: writers wait, and none longer than `busy_timeout_ms`."""
    path, tests = tmp_path / "wiretape.db", str(Path(__file__).parents[1])
    command = WRITE.replace("busy_timeout_ms=60_000", "busy_timeout_ms=10_000")
    writing = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", command, str(path), str(number), tests, stderr=asyncio.subprocess.PIPE
        )
        for number in range(2)
    ]
    ending = asyncio.gather(*(one.communicate() for one in writing))
    removed = [0]
    while not ending.done():
        await asyncio.to_thread(purge_all, path, removed)
    assert [said for _, said in await ending] == [b""] * 2
    purge_all(path, removed)
    with reading(path) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (0,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    # Shared runs come from both, and so again after they were removed.
    assert 3 * ROWS <= removed[0] <= 4 * ROWS


def purge_all(path: Path, removed: list[int]) -> None:
    if path.exists():
        with closing(open_ledger(path, LedgerOptions(busy_timeout_ms=60_000))) as connection:
            removed[0] += sum(one.runs for one in purge(connection, 1 << 60, 50))
            give_back(connection)


def test_opening_a_ledger_once_more_lets_go_of_no_lock_that_the_process_has(tmp_path: Path) -> None:
    """Another process that closes it must not take itself for the last one, and remove the log that is in use."""
    path = tmp_path / "wiretape.db"
    with closing(open_ledger(path, LedgerOptions())) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        open_ledger(path, LedgerOptions()).close()
        log = path.with_name("wiretape.db-wal").stat().st_ino
        look = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM run'); c.close()"
        subprocess.run([sys.executable, "-c", look, str(path)], check=True)
        assert path.with_name("wiretape.db-wal").stat().st_ino == log
