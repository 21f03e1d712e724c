"""The ledger as files: for each table and each hour (UTC) one, that is the same whenever it is made of the same rows.

Runs are shown with their corrections, and stand in the hour they were created in; a run's row may come long after
that, so an hour is taken as closed only some time after it has ended. An hour of which rows were purged is left out:
what was written of it before has them all.
"""

from __future__ import annotations

import base64
import csv
import io
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from wiretape.ledger.merge import CORRECTION, PRICE, REQUEST, RUN, STEP, Table
from wiretape.ledger.rows import Row

HOUR_US: Final = 3_600 * 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Kept(Struct, frozen=True):
    """Where a table's rows are read, and which column says their hour."""

    table: Table
    source: str
    time: str | None


_KEPT: Final = (
    _Kept(RUN, "corrected", "created_us"),
    _Kept(STEP, "step", "created_us"),
    _Kept(REQUEST, "request", "start_us"),
    _Kept(CORRECTION, "correction", "at_us"),
    _Kept(PRICE, "price", None),
)


class Part(Struct, frozen=True):
    """What one file holds: a table's rows of one hour, or all prices."""

    table: str
    name: str
    """Without the ending: `run/2026-11-25T13Z`, or `price`."""
    columns: dict[str, str]
    """Column to its type in SQLite: TEXT, INTEGER or BLOB."""
    query: str
    hour_us: int | None

    def rows(self, connection: sqlite3.Connection) -> Iterator[Row]:
        """Its rows, in the order of their keys."""
        values = () if self.hour_us is None else (self.hour_us, self.hour_us + HOUR_US)
        return connection.execute(self.query, values)


def parts(connection: sqlite3.Connection, since_us: int, before_us: int) -> Iterator[Part]:
    """The parts whose hour begins at `since_us` or later and has ended by `before_us`; prices always."""
    for kept in _KEPT:
        columns = {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({kept.table.name})")}
        for hour_us in _hours(connection, kept, since_us, before_us):
            yield Part(kept.table.name, _name(kept.table, hour_us), columns, _query(kept), hour_us)


def as_jsonl(part: Part, rows: Iterable[Row]) -> Iterator[bytes]:
    """One object a line; bytes in Base64."""
    for row in rows:
        yield msgspec.json.encode(dict(zip(part.columns, row, strict=True))) + b"\n"


def as_csv(part: Part, rows: Iterable[Row]) -> Iterator[bytes]:
    """RFC 4180 with a head; what is unknown is empty, bytes are Base64."""
    yield _csv_line(part.columns)
    for row in rows:
        yield _csv_line(base64.b64encode(one).decode() if type(one) is bytes else one for one in row)


def _csv_line(values: Iterable[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().encode()


def _hours(connection: sqlite3.Connection, kept: _Kept, since_us: int, before_us: int) -> list[int | None]:
    if kept.time is None:
        return [None]
    # Division rounds towards zero: times before 1970 are nobody's.
    query = f"""
        SELECT DISTINCT {kept.time} / {HOUR_US} * {HOUR_US} AS hour FROM {kept.table.name}
        WHERE hour >= ? AND hour + {HOUR_US} <= ? ORDER BY 1
    """  # noqa: S608 - names are ours
    whole_us = max(since_us, _purged_until_us(connection, kept.table))
    return [row[0] for row in connection.execute(query, (whole_us, before_us))]


def _purged_until_us(connection: sqlite3.Connection, table: Table) -> int:
    found = connection.execute("SELECT until_us FROM purged WHERE name = ?", (table.name,)).fetchone()
    return 0 if found is None else int(found[0])


def _query(kept: _Kept) -> str:
    names = ", ".join(kept.table.columns)
    where = "" if kept.time is None else f"WHERE {kept.time} >= ? AND {kept.time} < ? "
    return f"SELECT {names} FROM {kept.source} {where}ORDER BY {', '.join(kept.table.key)}"  # noqa: S608 - names are ours


def _name(table: Table, hour_us: int | None) -> str:
    if hour_us is None:
        return table.name
    return f"{table.name}/{_EPOCH + timedelta(microseconds=hour_us):%Y-%m-%dT%HZ}"
