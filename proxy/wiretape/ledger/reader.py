"""The ledger, read only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import convert

from wiretape.errors import LedgerError
from wiretape.ledger import schema
from wiretape.ledger.rows import COLUMNS, RunRow


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The ledger to read from; it is never made, migrated or written.

    Raises LedgerError when it is missing, damaged, no ledger, or of another version.
    """
    if not path.is_file():
        raise LedgerError(f"there is no ledger at {path}: run the proxy first, or name another file with --ledger")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            if schema.known_version(connection, path) < schema.VERSION:
                raise LedgerError(
                    f"ledger {path} is of an older Wiretape: let the proxy open it once, it then upgrades it"
                )
            yield connection
    except sqlite3.Error as error:
        raise LedgerError(f"ledger {path} could not be read: {error}") from error


def find(connection: sqlite3.Connection, upstream: str, run_id: str) -> RunRow | None:
    """The row of one run, with what corrections know better."""
    names = ", ".join(COLUMNS)
    query = f"SELECT {names} FROM corrected WHERE upstream = ? AND run_id = ?"  # noqa: S608 - names are ours
    found = connection.execute(query, (upstream, run_id)).fetchone()
    return None if found is None else convert(dict(zip(COLUMNS, found, strict=True)), RunRow, strict=False)
