"""A ledger as a sink writes it."""

from __future__ import annotations

from collections.abc import Iterable

from wiretape.ledger.writer import LedgerSink
from wiretape.runs.report import Correction, ExchangeReport, RunReport

Report = RunReport | ExchangeReport | Correction


def hand(sink: LedgerSink, reports: Iterable[Report], *, each: bool = False) -> None:
    """Give reports to a ledger's sink and close it; with `each`, every one is written before the next comes."""
    for report in reports:
        if isinstance(report, RunReport):
            sink.run(report)
        elif isinstance(report, Correction):
            sink.correction(report)
        else:
            sink.exchange(report)
        if each and sink.gathered:
            sink.flush()
    sink.close(1.0)
