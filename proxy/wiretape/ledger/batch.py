"""What one transaction writes: rows by table, gathered from reports."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from wiretape.ledger.merge import CORRECTION, PRICE, REQUEST, RUN, STEP
from wiretape.ledger.rows import (
    Row,
    correction_values,
    overhead_ns,
    price_values,
    request_values,
    run_values,
    step_values,
)
from wiretape.runs.report import Correction, ExchangeReport, RunReport

Key = tuple[str, str]

UPSERTS: Final = {table.name: table.upsert() for table in (PRICE, RUN, STEP, REQUEST, CORRECTION)}
"""How a row of each table is written, or merged into the one that is there."""
_OVERHEAD: Final = """
    UPDATE run SET overhead_us = max(coalesce(overhead_us, 0), ?) WHERE upstream = ? AND run_id = ?
"""


class Batch:
    """Reports until they are written. A run's own overhead adds up over its exchanges, some of which come later."""

    def __init__(self, runs_remembered_max: int, aliases: Mapping[str, str], *, requests: bool) -> None:
        self._aliases = aliases
        self._requests = requests
        self._remembered_max = runs_remembered_max
        self._overhead: OrderedDict[Key, int] = OrderedDict()
        self._written: OrderedDict[Key, None] = OrderedDict()
        self._grown: dict[Key, None] = {}
        """Runs whose overhead has grown since they were written."""
        self._runs: list[RunReport] = []
        self._rows: dict[str, list[Row]] = {}
        self._reports = 0

    def __len__(self) -> int:
        """Reports held, and runs whose overhead has grown since they were written."""
        return self._reports + len(self._grown)

    def exchange(self, report: ExchangeReport) -> None:
        """Add its overhead to its run's, and hold its row where exchanges have some."""
        if report.run_key is not None and (own_ns := overhead_ns(report)):
            self._add(report.run_key, own_ns)
        if self._requests:
            self._hold("request", request_values(report))
            self._reports += 1

    def run(self, report: RunReport) -> None:
        """Hold a run with its steps and its price."""
        self._runs.append(report)
        for row in step_values(report):
            self._hold("step", row)
        if report.cost is not None:
            self._hold("price", price_values(report.cost))
        self._reports += 1

    def correction(self, report: Correction) -> None:
        """Hold what is known better of a run."""
        self._hold("correction", correction_values(report))
        self._reports += 1

    def write(self, connection: sqlite3.Connection) -> None:
        """Write all of it, inside the caller's transaction; it is held until `clear`."""
        rows = self._rows | {"run": [*map(self._row, self._runs)]}
        for table, upsert in UPSERTS.items():
            if rows.get(table):
                connection.executemany(upsert, rows[table])
        if self._grown:
            grown = [(self._overhead.get(key, 0) // 1000, *key) for key in self._grown]
            connection.executemany(_OVERHEAD, grown)

    def clear(self) -> None:
        """Hold nothing any more, written or lost."""
        self._written.update(dict.fromkeys(map(_key, self._runs)))
        while len(self._written) > self._remembered_max:
            self._written.popitem(last=False)
        self._runs, self._grown, self._rows, self._reports = [], {}, {}, 0

    def _row(self, report: RunReport) -> Row:
        return run_values(report, self._overhead.get(_key(report)), self._aliases)

    def _hold(self, table: str, row: Row) -> None:
        self._rows.setdefault(table, []).append(row)

    def _add(self, key: Key, more_ns: int) -> None:
        self._overhead[key] = self._overhead.pop(key, 0) + more_ns
        if len(self._overhead) > self._remembered_max:
            self._overhead.popitem(last=False)
        if key in self._written:
            self._grown[key] = None


def _key(report: RunReport) -> Key:
    return report.upstream, report.run_id
