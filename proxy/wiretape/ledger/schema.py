"""The ledger's tables, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from wiretape.errors import LedgerError
from wiretape.ledger.views import VIEWS

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
    (
        "ALTER TABLE run ADD COLUMN key_hash TEXT",
        "ALTER TABLE run ADD COLUMN key_alias TEXT",
        "ALTER TABLE run ADD COLUMN gap_sketch BLOB",
        "ALTER TABLE run ADD COLUMN overhead_us INTEGER",
        "CREATE INDEX run_created ON run (created_us)",
        """
        CREATE TABLE step (
            upstream TEXT NOT NULL,
            run_id TEXT NOT NULL,
            step_id TEXT NOT NULL,
            type TEXT NOT NULL,
            status TEXT NOT NULL,
            created_us INTEGER NOT NULL,
            duration_us INTEGER,
            error TEXT,
            tools TEXT,
            input_tokens INTEGER,
            cached_tokens INTEGER,
            output_tokens INTEGER,
            reasoning_tokens INTEGER,
            PRIMARY KEY (upstream, run_id, step_id)
        ) WITHOUT ROWID
        """,
        # In the order of time, so that a row is added at the end, and an hour or what is too old lies together.
        """
        CREATE TABLE request (
            start_us INTEGER NOT NULL,
            span_id INTEGER NOT NULL,
            trace_id TEXT NOT NULL,
            upstream TEXT NOT NULL,
            run_id TEXT,
            session TEXT NOT NULL,
            mode TEXT NOT NULL,
            cassette TEXT,
            played TEXT,
            method TEXT NOT NULL,
            route TEXT NOT NULL,
            status INTEGER,
            how TEXT NOT NULL,
            code TEXT,
            streamed INTEGER NOT NULL,
            passed_us INTEGER,
            head_us INTEGER,
            first_chunk_us INTEGER,
            duration_us INTEGER NOT NULL,
            overhead_us INTEGER NOT NULL,
            bytes_in INTEGER NOT NULL,
            bytes_out INTEGER NOT NULL,
            chunks INTEGER NOT NULL,
            events INTEGER NOT NULL,
            upstream_request_id TEXT,
            upstream_processing_ms INTEGER,
            key_hash TEXT,
            PRIMARY KEY (start_us, span_id)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE price (
            version TEXT NOT NULL PRIMARY KEY,
            model TEXT NOT NULL,
            provider TEXT,
            upstream TEXT,
            since TEXT,
            input_pico INTEGER NOT NULL,
            cached_pico INTEGER NOT NULL,
            output_pico INTEGER NOT NULL,
            source TEXT NOT NULL
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE correction (
            digest TEXT NOT NULL PRIMARY KEY,
            upstream TEXT NOT NULL,
            run_id TEXT NOT NULL,
            at_us INTEGER NOT NULL,
            is_foreign INTEGER NOT NULL,
            status TEXT NOT NULL,
            outcome TEXT NOT NULL,
            error TEXT,
            input_tokens INTEGER,
            cached_tokens INTEGER,
            output_tokens INTEGER,
            reasoning_tokens INTEGER,
            usage_source TEXT NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX correction_run ON correction (upstream, run_id)",
    ),
    (
        # By owner, as two processes may follow one run.
        """
        CREATE TABLE open_run (
            owner TEXT NOT NULL,
            upstream TEXT NOT NULL,
            run_id TEXT NOT NULL,
            saved_us INTEGER NOT NULL,
            is_foreign INTEGER NOT NULL,
            state BLOB NOT NULL,
            PRIMARY KEY (owner, upstream, run_id)
        ) WITHOUT ROWID
        """,
    ),
    (
        # An hour of which something was taken out is never exported again: the file that is there has it whole.
        "CREATE TABLE purged (name TEXT NOT NULL PRIMARY KEY, until_us INTEGER NOT NULL) WITHOUT ROWID",
        *(
            f"""
            CREATE TRIGGER {name}_purged AFTER DELETE ON {name} BEGIN
                INSERT INTO purged VALUES ('{name}', old.{time} + 1)
                ON CONFLICT (name) DO UPDATE SET until_us = max(until_us, excluded.until_us);
            END
            """  # noqa: S608 - names are ours
            for name, time in (
                ("run", "created_us"),
                ("step", "created_us"),
                ("request", "start_us"),
                ("correction", "at_us"),
            )
        ),
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
    if found == VERSION:
        return
    for statements in MIGRATIONS[found:]:
        for statement in statements:
            connection.execute(statement)
    _see(connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _see(connection: sqlite3.Connection) -> None:
    """Make the views anew."""
    for name, made in VIEWS.items():
        connection.execute(f"DROP VIEW IF EXISTS {name}")
        connection.execute(made)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
