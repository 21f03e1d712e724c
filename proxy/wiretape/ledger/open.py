"""A ledger's file: made for its owner alone, opened to write, and brought up to date."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock
from time import monotonic
from typing import Final

from wiretape.ledger import schema
from wiretape.ledger.options import LedgerOptions

_OWNER_ONLY: Final = 0o600
_TURN_S: Final = 0.01
_MAKING: Final = Lock()


def open_ledger(path: Path, options: LedgerOptions) -> sqlite3.Connection:
    """Open the ledger to write, made (for its owner alone) or migrated where needed.

    Raises LedgerError when it is not a ledger or is a newer one's; sqlite3.Error and OSError when it cannot be opened.
    """
    _made(path)
    connection = sqlite3.connect(path, timeout=options.busy_timeout_ms / 1000, isolation_level=None)
    try:
        _prepare(connection, path, options.busy_timeout_ms / 1000)
    except BaseException:
        connection.close()
        raise
    return connection


def _made(path: Path) -> None:
    """Make the file, for its owner alone, where there is none.

    One that is there must not be opened but by SQLite: a close lets go of every lock that this process has on it
    (https://sqlite.org/howtocorrupt.html, 2.2), and another process would remove the log that is in use. For the same
    reason no other thread may come to the file before it is closed here.
    """
    with _MAKING, suppress(FileExistsError):
        os.close(os.open(path.resolve(), os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))


def _prepare(connection: sqlite3.Connection, path: Path, busy_s: float) -> None:
    # Somebody else's file is refused before anything is changed in it. It is looked at in one transaction: another
    # process may be making it right now, and half of that would look like somebody else's.
    connection.execute("BEGIN")
    schema.known_version(connection, path)
    connection.execute("ROLLBACK")
    # Only a file without tables takes this; then what a purge frees can be given back piece by piece.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _turn_to_wal(connection, busy_s)
    # With WAL, NORMAL can lose the last transactions to a power cut, never the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    # What was removed is gone from the file, not only from its tables.
    connection.execute("PRAGMA secure_delete = ON")
    with immediate(connection):
        # Asked again inside: another process may have migrated it meanwhile.
        schema.migrate(connection, schema.known_version(connection, path))


def _turn_to_wal(connection: sqlite3.Connection, within_s: float) -> None:
    """SQLite does not wait here by itself: of two that turn a new file, one is told at once that it is locked."""
    until_s = monotonic() + within_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() >= until_s:
                raise
            Event().wait(_TURN_S)
        else:
            return


@contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that takes the write lock at once, so it can only fail before anything was done."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
