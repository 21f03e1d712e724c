"""The sandbox's state in an SQLite file: a row for each object, written before its request is answered.

One process has the file for itself. A key is kept as a hash, made with the file's own salt, never as it is.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from wiretape.errors import ConfigError

APPLICATION_ID: Final = 0x77747362
"""`wtsb`, in the file's header: what tells a sandbox's state from any other SQLite file."""
VERSION: Final = 1
"""`user_version` of a file that this code reads and writes."""
BUSY_S = 0.2
"""Seconds to wait for another process to let go of the file."""

_SCHEMA = """
CREATE TABLE salt (salt BLOB NOT NULL);
CREATE TABLE tenant (number INTEGER PRIMARY KEY, key_hash BLOB NOT NULL UNIQUE, drawn INTEGER NOT NULL);
CREATE TABLE object (
    place INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    document BLOB NOT NULL, content BLOB, UNIQUE (tenant, kind, id)
);
"""
_UPSERT = """
INSERT INTO object (tenant, kind, id, document, content) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (tenant, kind, id) DO UPDATE SET document = excluded.document, content = excluded.content
"""


class Kept(Struct, frozen=True):
    """An object as it is kept; a deleted one has no document."""

    kind: str
    id: str
    document: bytes | None
    content: bytes | None = None


class Tenant(Struct, frozen=True):
    """Who has a key: the number of the sandbox that is its own, and how many draws that has made."""

    number: int
    drawn: int


class Keeper:
    """The file, open and locked. Raises ConfigError where it cannot be had, or is another's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection, self.salt = _opened(path)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def tenants(self) -> dict[bytes, Tenant]:
        """All that are known, by the hash of their key."""
        rows = self._connection.execute("SELECT key_hash, number, drawn FROM tenant ORDER BY number")
        return {key_hash: Tenant(number, drawn) for key_hash, number, drawn in rows}

    def objects(self, tenant: int) -> Iterator[Kept]:
        """A tenant's objects, in the order in which they came to be."""
        rows = self._connection.execute(
            "SELECT kind, id, document, content FROM object WHERE tenant = ? ORDER BY place", (tenant,)
        )
        return (Kept(*row) for row in rows)

    def keep(self, tenant: Tenant, key_hash: bytes, changed: Iterable[Kept]) -> None:
        """Write what has changed, in one transaction. Raises sqlite3.Error, and then nothing of it is written."""
        with self._connection:
            self._connection.execute(
                "INSERT INTO tenant VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET drawn = excluded.drawn",
                (tenant.number, key_hash, tenant.drawn),
            )
            for one in changed:
                self._write(tenant.number, one)

    def _write(self, tenant: int, one: Kept) -> None:
        if one.document is None:
            where = (tenant, one.kind, one.id)
            self._connection.execute("DELETE FROM object WHERE tenant = ? AND kind = ? AND id = ?", where)
        else:
            self._connection.execute(_UPSERT, (tenant, one.kind, one.id, one.document, one.content))


def _opened(path: Path) -> tuple[sqlite3.Connection, bytes]:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path.absolute(), timeout=BUSY_S)  # `:memory:` is a file like any other
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"cannot keep the sandbox's state in {path}: {error}") from error
    try:
        return connection, _prepared(connection, path)
    except BaseException:
        with suppress(sqlite3.Error):
            connection.close()
        raise


def _prepared(connection: sqlite3.Connection, path: Path) -> bytes:
    """Lock and check the file; gives its salt."""
    try:
        # Before anything is read, so that a second process is refused rather than surprised later.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        _check(connection, path)
        connection.commit()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return bytes(connection.execute("SELECT salt FROM salt").fetchone()[0])
    except sqlite3.OperationalError as error:
        why = "another process has it" if "locked" in str(error) else str(error)
        raise ConfigError(f"cannot keep the sandbox's state in {path}: {why}; name another file") from error
    except (sqlite3.Error, UnicodeDecodeError, TypeError) as error:
        message = f"{path} is no SQLite file, or a damaged one: {error}; name another for the sandbox's state"
        raise ConfigError(message) from error


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application, version = (_pragma(connection, name) for name in ("application_id", "user_version"))
    is_new = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if not is_new and application != APPLICATION_ID:
        raise ConfigError(f"{path} is an SQLite file but no sandbox's state; name another file")
    if version > VERSION:
        raise ConfigError(f"{path} is of version {version}, this Wiretape knows {VERSION}; update it")
    if is_new:
        _make(connection)


def _make(connection: sqlite3.Connection) -> None:
    for statement in _SCHEMA.strip().split(";")[:-1]:
        connection.execute(statement)
    connection.execute("INSERT INTO salt VALUES (?)", (secrets.token_bytes(32),))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
