"""A ledger to write to, with the database's errors as ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from wiretape.errors import LedgerError
from wiretape.ledger.open import open_ledger
from wiretape.ledger.options import LedgerOptions


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The ledger, made where it is not there. Raises LedgerError."""
    try:
        with closing(open_ledger(path, LedgerOptions())) as connection:
            yield connection
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(f"ledger {path} could not be written: {error}") from error
