"""Table `open_run`: runs that have not ended, as their process last saved them, for the one that comes after it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct, structs

from wiretape.runs.tracker import Key

OLD_US: Final = 7 * 86_400 * 1_000_000
"""Microseconds after which a saved run is nobody's any more: whoever had it has abandoned it long since."""

_SAVE: Final = "INSERT OR REPLACE INTO open_run VALUES (:owner, :upstream, :run_id, :saved_us, :is_foreign, :state)"
# What has its row was reported, though the process did not live to take the run out here. What has none is not taken
# out, though it was reported: its row may still wait for the ledger, and a kill must not lose both.
_DROP_REPORTED: Final = """
    DELETE FROM open_run WHERE owner = ? AND EXISTS (
        SELECT 1 FROM run
        WHERE run.upstream = open_run.upstream AND run.run_id = open_run.run_id
          AND run.is_foreign <= open_run.is_foreign)
"""
_DROP: Final = f"{_DROP_REPORTED} AND upstream = ? AND run_id = ?"
_IS_LEFT: Final = "SELECT 1 FROM open_run WHERE owner = ? AND upstream = ? AND run_id = ?"
# Of two that followed one run, the one that saw its creation goes last, and so remains.
_TAKE: Final = """
    INSERT OR REPLACE INTO open_run
    SELECT :new, upstream, run_id, saved_us, is_foreign, state FROM open_run
    WHERE owner = :dead AND upstream = :upstream AND NOT EXISTS (
        SELECT 1 FROM open_run AS had
        WHERE had.owner = :new AND had.upstream = open_run.upstream AND had.run_id = open_run.run_id
          AND had.is_foreign < open_run.is_foreign)
"""
_TAKEN: Final = "DELETE FROM open_run WHERE owner = ? AND upstream = ?"


class Saved(Struct, frozen=True, kw_only=True):
    """One open run; `state` is for `runs.snapshot` alone to read."""

    upstream: str
    run_id: str
    saved_us: int
    """Microseconds since the Unix epoch."""
    is_foreign: bool
    state: bytes


def write(connection: sqlite3.Connection, owner: str, saved: Iterable[Saved], gone: Sequence[Key]) -> list[Key]:
    """Save runs anew, and take out those that are reported, inside the caller's transaction.

    Gives those of the reported that have no row yet, and so are left.
    """
    connection.executemany(_SAVE, [structs.asdict(one) | {"owner": owner} for one in saved])
    connection.executemany(_DROP, [(owner, *key) for key in gone])
    return [key for key in gone if connection.execute(_IS_LEFT, (owner, *key)).fetchone()]


def adopt(  # noqa: PLR0913  what a process knows of itself and of others
    connection: sqlite3.Connection,
    owner: str,
    upstreams: Sequence[str],
    is_dead: Callable[[str], bool],
    now_us: int,
    *,
    known: Iterable[str] = (),
) -> tuple[list[Saved], list[str]]:
    """Take over what dead owners left of these upstreams; gives the runs, and the owners that left nothing else.

    `known` are owners that need not have left anything.
    Call it inside a transaction that holds the write lock, so that no two processes take over the same run.
    """
    connection.execute("DELETE FROM open_run WHERE saved_us < ?", (now_us - OLD_US,))
    dead = [name for name in ({*_owners(connection), *known} - {owner}) if is_dead(name)]
    for name in dead:
        _take(connection, owner, name, upstreams)
    found = connection.execute("SELECT * FROM open_run WHERE owner = ? ORDER BY saved_us", (owner,)).fetchall()
    left = _owners(connection)
    return [_saved(*row) for row in found], [name for name in dead if name not in left]


def _owners(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT DISTINCT owner FROM open_run")}


def _take(connection: sqlite3.Connection, owner: str, dead: str, upstreams: Sequence[str]) -> None:
    connection.execute(_DROP_REPORTED, (dead,))
    for upstream in upstreams:
        connection.execute(_TAKE, {"new": owner, "dead": dead, "upstream": upstream})
        connection.execute(_TAKEN, (dead, upstream))


def _saved(_owner: str, upstream: str, run_id: str, saved_us: int, is_foreign: int, state: bytes) -> Saved:
    return Saved(upstream=upstream, run_id=run_id, saved_us=saved_us, is_foreign=bool(is_foreign), state=state)
