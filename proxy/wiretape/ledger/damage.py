"""A ledger that could not be written: whether that passes, whether the file is damaged, and where it then goes."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from wiretape.ledger.schema import APPLICATION_ID

_PRIMARY: Final = 0xFF
"""The bits of an extended result code that are the code itself."""
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PASSING: Final = frozenset(
    {
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM),
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY),
        sqlite3.SQLITE_PERM,
    }
)
_HEAD_BYTES: Final = 100
_MARK: Final = slice(68, 72)
"""Where SQLite's header, of a hundred bytes, has the application id."""
_ASIDE: Final = ".corrupt-"


def is_damage(error: Exception) -> bool:
    """Whether SQLite says that the file is not whole, or no database at all."""
    return _code(error) in _DAMAGE


def is_passing(error: Exception) -> bool:
    """Whether it is about the file, its disk or its other users, and so may go by: the rows are good."""
    return isinstance(error, OSError) or _code(error) in _PASSING


def is_ledger(path: Path) -> bool:
    """Whether what is left of a damaged file tells that it was a ledger: its mark, or a first page that was wiped.

    Any other file is somebody else's, named by mistake, and stays where it is.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head[_MARK] == APPLICATION_ID.to_bytes(4, "big") or not any(head)


def inode(path: Path) -> int | None:
    """Which file the path leads to; None where there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def set_aside(path: Path) -> Path:
    """Move a damaged ledger out of the way, with its log; gives where it lies now.

    The log goes first: left behind, it would be read into the new ledger.
    """
    aside = path.with_name(f"{path.name}{_ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    for companion in ("-wal", "-shm"):
        found = path.with_name(path.name + companion)
        if found.exists():
            found.replace(f"{aside}{companion}")
    path.replace(aside)
    return aside


def those_aside(path: Path) -> list[Path]:
    """The damaged ledgers that were moved aside from this path, oldest first."""
    found = path.parent.glob(f"{path.name}{_ASIDE}*")
    return sorted(one for one in found if not one.name.endswith(("-wal", "-shm")))


def _code(error: Exception) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & _PRIMARY
