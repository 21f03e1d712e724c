"""Run reports to rows of the ledger, in short transactions on the sink's own thread."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from msgspec import structs

from wiretape.errors import LedgerError
from wiretape.ledger import schema
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.rows import RunRow, run_row, upsert_sql
from wiretape.runs.report import Correction, ExchangeReport, RunReport

_UPSERT: Final = upsert_sql()
_OWNER_ONLY: Final = 0o600


class LedgerSink:
    """Gathers runs and writes them when told to; opens the file on its first write, in the thread that writes.

    Raises LedgerError when the file is locked, damaged, read-only, not a ledger, or of a newer Wiretape. The batch is
    then lost, and the next one opens the file anew.
    """

    name = "ledger"

    def __init__(self, path: Path, options: LedgerOptions) -> None:
        self._path = path
        self._options = options
        self._rows: list[RunRow] = []
        self._connection: sqlite3.Connection | None = None

    @property
    def gathered(self) -> int:
        """Runs that wait for `flush`."""
        return len(self._rows)

    def exchange(self, report: ExchangeReport) -> None:
        """Exchanges have no rows of their own."""

    def run(self, report: RunReport) -> None:
        """Hold the run's row until `flush`."""
        self._rows.append(run_row(report))

    def correction(self, report: Correction) -> None:
        """Nothing is held of it."""

    def flush(self) -> None:
        """Write all held rows in one transaction."""
        rows, self._rows = self._rows, []
        try:
            connection = self._connection or self._open()
            self._connection = connection
            with _immediate(connection):
                connection.executemany(_UPSERT, [structs.asdict(row) for row in rows])
        except (sqlite3.Error, OSError) as error:
            self._forget()
            raise LedgerError(f"ledger {self._path} could not be written: {error}; {len(rows)} runs lost") from error

    def close(self, deadline_s: float) -> None:
        """Write what is held and close the file."""
        try:
            if self._rows:
                self.flush()
        finally:
            self._forget()

    def _open(self) -> sqlite3.Connection:
        return open_ledger(self._path, self._options)

    def _forget(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def open_ledger(path: Path, options: LedgerOptions) -> sqlite3.Connection:
    """Open the ledger to write, made (for its owner alone) or migrated where needed.

    Raises LedgerError when it is not a ledger or is a newer one's; sqlite3.Error and OSError when it cannot be opened.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY))
    connection = sqlite3.connect(path, timeout=options.busy_timeout_ms / 1000, isolation_level=None)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Somebody else's file is refused before anything is changed in it.
    schema.known_version(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    # With WAL, NORMAL can lose the last transactions to a power cut, never the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    with _immediate(connection):
        # Asked again inside: another process may have migrated it meanwhile.
        schema.migrate(connection, schema.known_version(connection, path))


@contextmanager
def _immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that takes the write lock at once, so it can only fail before anything was done."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
