"""The ledger's tables, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from wiretape.errors import LedgerError

APPLICATION_ID: Final = 0x77746C67
"""`wtlg`, in the file's header: what tells a ledger from any other SQLite file."""

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE run (
            upstream TEXT NOT NULL,
            run_id TEXT NOT NULL,
            thread_id TEXT,
            assistant_id TEXT,
            assistant_name TEXT,
            model_requested TEXT,
            model TEXT,
            mode TEXT NOT NULL,
            cassette TEXT,
            is_foreign INTEGER NOT NULL,
            streamed INTEGER NOT NULL,
            created_us INTEGER NOT NULL,
            queue_us INTEGER,
            first_event_us INTEGER,
            first_token_us INTEGER,
            first_token_kind TEXT,
            model_us INTEGER,
            tool_wait_us INTEGER,
            duration_us INTEGER,
            polls INTEGER NOT NULL,
            exchanges INTEGER NOT NULL,
            events INTEGER NOT NULL,
            steps INTEGER NOT NULL,
            tool_calls INTEGER NOT NULL,
            input_tokens INTEGER,
            cached_tokens INTEGER,
            output_tokens INTEGER,
            reasoning_tokens INTEGER,
            usage_source TEXT NOT NULL,
            cost_nano INTEGER,
            price_version TEXT,
            status TEXT NOT NULL,
            outcome TEXT NOT NULL,
            error TEXT,
            trace_id TEXT,
            PRIMARY KEY (upstream, run_id)
        ) WITHOUT ROWID
        """,
    ),
)
"""Statements that lead from version n to n + 1. What was released is never edited: a change is a new entry."""

VERSION: Final = len(MIGRATIONS)
"""`user_version` of a ledger this code writes and reads."""


def known_version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the ledger, 0 for an empty file; raises LedgerError for a newer one, or somebody else's file."""
    application, found = (_pragma(connection, name) for name in ("application_id", "user_version"))
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and (application or found or tables):
        raise LedgerError(f"{path} is an SQLite file but no Wiretape ledger: name another file")
    if found > VERSION:
        raise LedgerError(f"ledger {path} has schema {found}, this Wiretape knows {VERSION}: update it")
    return found


def migrate(connection: sqlite3.Connection, found: int) -> None:
    """Bring a ledger from version `found` to `VERSION`, inside the caller's transaction."""
    for statements in MIGRATIONS[found:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
