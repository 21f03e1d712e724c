"""Reports to rows of the ledger, in short transactions on the sink's own thread."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from wiretape.errors import LedgerError
from wiretape.ledger.batch import Batch
from wiretape.ledger.open import immediate, open_ledger
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.purge import give_back_some, purge_some
from wiretape.runs.report import Correction, ExchangeReport, RunReport

_US_PER_DAY: Final = 86_400 * 1_000_000


class LedgerSink:
    """Gathers reports and writes them when told to; opens the file on its first write, in the thread that writes.

    Raises LedgerError when the file is locked, damaged, read-only, not a ledger, or of a newer Wiretape. The batch is
    then lost, and the next one opens the file anew.
    """

    name = "ledger"

    def __init__(
        self,
        path: Path,
        options: LedgerOptions,
        *,
        aliases: Mapping[str, str] | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`aliases` are by the hash of a key; `now_ns` gives nanoseconds since the Unix epoch, for what is too old."""
        self._path = path
        self._options = options
        self._now_ns = now_ns
        self._batch = Batch(options.runs_remembered_max, aliases or {}, requests=options.requests)
        self._connection: sqlite3.Connection | None = None
        self.purged = 0
        """Rows that `retention_days` took out."""

    @property
    def gathered(self) -> int:
        """Reports that wait for `flush`."""
        return len(self._batch)

    def exchange(self, report: ExchangeReport) -> None:
        """Hold the exchange's row, where exchanges have some, and its share of its run's overhead."""
        self._batch.exchange(report)

    def run(self, report: RunReport) -> None:
        """Hold the rows of a run, its steps and its price until `flush`."""
        self._batch.run(report)

    def correction(self, report: Correction) -> None:
        """Hold a correction of a run until `flush`."""
        self._batch.correction(report)

    def flush(self) -> None:
        """Write all held rows in one transaction, and take out some of those that are too old."""
        try:
            connection = self._connection or open_ledger(self._path, self._options)
            self._connection = connection
            with immediate(connection):
                self._batch.write(connection)
        except (sqlite3.Error, OSError) as error:
            self._forget()
            lost = len(self._batch)
            raise LedgerError(f"ledger {self._path} could not be written: {error}; {lost} reports lost") from error
        finally:
            self._batch.clear()
        self._retire(connection)

    def close(self, deadline_s: float) -> None:
        """Write what is held and close the file."""
        try:
            if self._batch:
                self.flush()
        finally:
            self._forget()

    def _retire(self, connection: sqlite3.Connection) -> None:
        """One small batch after each that was written; one that cannot be taken out now is taken out later."""
        days = self._options.retention_days
        if days is None:
            return
        before_us = self._now_ns() // 1000 - int(days * _US_PER_DAY)
        with suppress(sqlite3.OperationalError):
            removed = purge_some(connection, before_us, self._options.retention_batch).total
            self.purged += removed
            if removed:
                give_back_some(connection)

    def _forget(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
