"""Takes old rows out, a few at a time, so that no writer waits long, and gives their room back to the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from wiretape.ledger.open import immediate

_VACUUM_PAGES: Final = 256
"""Pages that one step gives back: 1 MiB, a few milliseconds."""
_OLD_RUNS: Final = "SELECT upstream, run_id FROM run WHERE created_us < ?"


class Removed(Struct, frozen=True):
    """Rows by table."""

    runs: int = 0
    steps: int = 0
    requests: int = 0
    corrections: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.runs + self.steps + self.requests + self.corrections

    def __add__(self, other: Removed) -> Removed:
        """Both together."""
        return Removed(
            self.runs + other.runs,
            self.steps + other.steps,
            self.requests + other.requests,
            self.corrections + other.corrections,
        )


def old(connection: sqlite3.Connection, before_us: int) -> Removed:
    """Count what is older, which `purge` would take out: runs by their creation, with all that belongs to them."""
    counts = (
        "SELECT count(*) FROM run WHERE created_us < ?",
        f"SELECT count(*) FROM step WHERE (upstream, run_id) IN ({_OLD_RUNS})",  # noqa: S608 - words are ours
        "SELECT count(*) FROM request WHERE start_us < ?",
        f"""SELECT count(*) FROM correction WHERE (upstream, run_id) IN ({_OLD_RUNS}) OR (at_us < ? AND NOT EXISTS
            (SELECT 1 FROM run WHERE run.upstream = correction.upstream AND run.run_id = correction.run_id))""",  # noqa: S608 - words are ours
    )
    return Removed(*(_one(connection, query, before_us) for query in counts))


def purge(connection: sqlite3.Connection, before_us: int, at_most: int) -> Iterator[Removed]:
    """Take out what is older, one transaction for each step, of at most so many runs and requests."""
    while (removed := purge_some(connection, before_us, at_most)).total:
        yield removed


def purge_some(connection: sqlite3.Connection, before_us: int, at_most: int) -> Removed:
    """Take out at most so many old runs with their steps and corrections, and so many requests."""
    with immediate(connection):
        runs = connection.execute(f"{_OLD_RUNS} ORDER BY created_us LIMIT ?", (before_us, at_most)).fetchall()
        return Removed(
            runs=_each(connection, "run", runs),
            steps=_each(connection, "step", runs),
            requests=_requests(connection, before_us, at_most),
            corrections=_each(connection, "correction", runs) + _orphans(connection, before_us, at_most),
        )


def give_back(connection: sqlite3.Connection) -> None:
    """Make the file smaller by what is free in it, step by step; the log as well, where no reader needs it.

    The connection waits for nobody afterwards.
    """
    while give_back_some(connection):
        pass
    # It waits for readers with the ledger held against writers: so it may not wait.
    connection.execute("PRAGMA busy_timeout = 0")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def give_back_some(connection: sqlite3.Connection) -> bool:
    """Give back a few of the file's free pages; answers whether there are more. A file made otherwise keeps them."""
    if not _one(connection, "PRAGMA auto_vacuum"):
        return False
    connection.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
    return _one(connection, "PRAGMA freelist_count") > 0


def _each(connection: sqlite3.Connection, table: str, runs: list[tuple[str, str]]) -> int:
    query = f"DELETE FROM {table} WHERE upstream = ? AND run_id = ?"  # noqa: S608 - words are ours
    return max(connection.executemany(query, runs).rowcount, 0)


def _requests(connection: sqlite3.Connection, before_us: int, at_most: int) -> int:
    some = "SELECT start_us, span_id FROM request WHERE start_us < ? ORDER BY start_us LIMIT ?"
    query = f"DELETE FROM request WHERE (start_us, span_id) IN ({some})"  # noqa: S608 - words are ours
    return connection.execute(query, (before_us, at_most)).rowcount


def _orphans(connection: sqlite3.Connection, before_us: int, at_most: int) -> int:
    """Corrections of runs that are not here: their run went before they came."""
    query = """
        DELETE FROM correction WHERE digest IN (
            SELECT digest FROM correction AS one WHERE at_us < ? AND NOT EXISTS
                (SELECT 1 FROM run WHERE run.upstream = one.upstream AND run.run_id = one.run_id) LIMIT ?)
    """
    return connection.execute(query, (before_us, at_most)).rowcount


def _one(connection: sqlite3.Connection, query: str, before_us: int | None = None) -> int:
    values = () if before_us is None else (before_us,) * query.count("?")
    found: int = connection.execute(query, values).fetchone()[0]
    return found
