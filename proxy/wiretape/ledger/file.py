"""The ledger's file as its writer has it: opened when it is written to, and again after anything went wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec import structs

from wiretape.errors import LedgerBusy, LedgerDamaged, LedgerError
from wiretape.ledger.damage import inode, is_damage, is_ledger, is_passing, set_aside
from wiretape.ledger.open import immediate, open_ledger
from wiretape.ledger.options import LedgerOptions

Work = Callable[[sqlite3.Connection], object]


class LedgerFile:
    """Opens the file on its first write, in the thread that writes; belongs to that thread."""

    def __init__(self, path: Path, options: LedgerOptions) -> None:
        self._path = path
        self._options = options
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._was_ledger = False
        """Whether this path led to a whole ledger before."""
        self.set_aside = 0
        """Damaged ledgers that were moved aside."""

    def write(self, write: Work, then: Work) -> None:
        """Let it write in one transaction, and `then` do what comes after: damage that this meets counts too.

        Raises LedgerBusy where the file is locked, read-only or its disk full, and LedgerDamaged where it was damaged
        and so moved aside: in both cases the same may be written later. Any other LedgerError is about what was to be
        written, or about a file that is no ledger or a newer Wiretape's.
        """
        is_fresh = self._connection is None
        try:
            connection = self._opened()
            with immediate(connection):
                write(connection)
            then(connection)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise self._failed(error, is_fresh=is_fresh) from error

    def hurry(self, within_s: float) -> None:
        """Wait for others no longer than that, from now on."""
        wait_ms = min(int(within_s * 1000), self._options.busy_timeout_ms)
        self._options = structs.replace(self._options, busy_timeout_ms=wait_ms)
        self.close()  # what is opened anew waits that long

    def close(self) -> None:
        """Close it; the next write opens it again."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        """The connection, opened anew where the file it leads to was moved away."""
        if self._connection is not None and inode(self._path) != self._inode:
            self.close()
        if self._connection is None:
            self._inode = inode(self._path)
            self._connection = open_ledger(self._path, self._options)
            self._inode = inode(self._path)
            self._was_ledger = True
        return self._connection

    def _failed(self, error: Exception, *, is_fresh: bool) -> LedgerError:
        """What a failed write means, for what was to be written and for the file."""
        told = f"ledger {self._path} could not be written: {error}"
        is_ours = is_damage(error) and (self._was_ledger or is_ledger(self._path))
        # Only one that is damaged when opened anew is moved: another process may have done so already.
        if is_ours and is_fresh and inode(self._path) == self._inode:
            return self._damaged(error)
        return LedgerBusy(told) if is_ours or is_passing(error) else LedgerError(told)

    def _damaged(self, error: Exception) -> LedgerError:
        aside = set_aside(self._path)
        self.set_aside += 1
        return LedgerDamaged(
            f"ledger {self._path} is damaged ({error}); it was moved to {aside}, and a new one is begun: "
            f"`sqlite3 {aside} .recover` may get back what it held"
        )
