"""Reports to rows of the ledger, in short transactions on the sink's own thread."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from wiretape.errors import LedgerBusy, LedgerDamaged, LedgerError
from wiretape.ledger.batch import Batch
from wiretape.ledger.file import LedgerFile
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.purge import give_back_some, purge_some
from wiretape.runs.report import Correction, ExchangeReport, RunReport

_US_PER_DAY: Final = 86_400 * 1_000_000


class LedgerSink:
    """Gathers reports and writes them when told to, in the thread that writes.

    Raises LedgerError when it cannot. Where the file is locked or its disk full (LedgerBusy), or was damaged and moved
    aside (LedgerDamaged), the reports stay for the next try, up to `held_max`; else they are lost.
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
        self._file = LedgerFile(path, options)
        self._batch = Batch(options.runs_remembered_max, aliases or {}, requests=options.requests)
        self.purged = 0
        """Rows that `retention_days` took out."""

    @property
    def gathered(self) -> int:
        """Reports that wait for `flush`."""
        return len(self._batch)

    @property
    def set_aside(self) -> int:
        """Damaged ledgers that were moved aside."""
        return self._file.set_aside

    def wants(self, report: ExchangeReport) -> bool:
        """Whether an exchange has a row of its own, or belongs to a run."""
        return self._options.requests or report.run_key is not None

    def exchange(self, report: ExchangeReport) -> None:
        """Hold the exchange's row, where exchanges have some, and its share of its run's overhead."""
        if self._options.requests:
            self._make_sure_of_room()
        self._batch.exchange(report)

    def run(self, report: RunReport) -> None:
        """Hold the rows of a run, its steps and its price until `flush`; raises LedgerBusy where `held_max` wait."""
        self._make_sure_of_room()
        self._batch.run(report)

    def correction(self, report: Correction) -> None:
        """Hold a correction of a run until `flush`; raises LedgerBusy where `held_max` wait."""
        self._make_sure_of_room()
        self._batch.correction(report)

    def flush(self) -> None:
        """Write all held rows in one transaction, and take out some of those that are too old."""
        try:
            # Rows stay held until old ones are out: if these lie on damaged pages, all of the file goes aside.
            self._file.write(self._batch.write, self._retire)
        except (LedgerBusy, LedgerDamaged):
            raise
        except LedgerError:
            self._batch.clear()
            raise
        self._batch.clear()

    def close(self, deadline_s: float) -> None:
        """Write what is held, waiting for others within the deadline, and close the file."""
        self._file.hurry(deadline_s)
        try:
            if self._batch:
                self.flush()
        finally:
            self._file.close()

    def _make_sure_of_room(self) -> None:
        if self.gathered >= self._options.held_max:
            raise LedgerBusy(f"ledger {self._path}: {self.gathered} reports wait already (audit.held_max)")

    def _retire(self, connection: sqlite3.Connection) -> None:
        """One small batch after each that was written; one that cannot be taken out now is taken out later."""
        days = self._options.retention_days
        if days is None:
            return
        now_us = self._now_ns() // 1000
        before_us = now_us - int(min(days * _US_PER_DAY, now_us))
        with suppress(sqlite3.OperationalError):
            removed = purge_some(connection, before_us, self._options.retention_batch).total
            self.purged += removed
            if removed:
                give_back_some(connection)
