"""Two ledgers become one: the rows of the other are written into this one, by the rules of merging."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from wiretape.ledger.merge import TABLES, Table
from wiretape.ledger.open import immediate

_ROWS_AT_ONCE: Final = 500
"""Rows of one transaction, so that no writer waits long."""


class Joined(Struct, frozen=True):
    """How many rows of a table the other ledger had, and how many of them were new here."""

    table: str
    rows: int
    new: int


def join(into: sqlite3.Connection, other: sqlite3.Connection) -> Iterator[Joined]:
    """Write all rows of another ledger; doing so twice changes nothing."""
    for table in TABLES:
        before = _count(into, table)
        rows = sum(_copied(into, other, table))
        yield Joined(table.name, rows, _count(into, table) - before)


def _copied(into: sqlite3.Connection, other: sqlite3.Connection, table: Table) -> Iterator[int]:
    columns, upsert = ", ".join(table.columns), table.upsert()
    found = other.execute(f"SELECT {columns} FROM {table.name} ORDER BY {', '.join(table.key)}")  # noqa: S608 - names are ours
    while rows := found.fetchmany(_ROWS_AT_ONCE):
        with immediate(into):
            into.executemany(upsert, rows)
        yield len(rows)


def _count(connection: sqlite3.Connection, table: Table) -> int:
    count: int = connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]  # noqa: S608 - names are ours
    return count
