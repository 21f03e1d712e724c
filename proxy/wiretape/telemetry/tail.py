"""Runs that the ratio left out, and whether they are kept all the same, whole: because they failed or were slow.

What chance left out waits here until its run is reported. Then all of it is let go or all of it is given back, and
what comes later goes the same way. A caller's decision is never undone: what it left out does not come here.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import structs

from wiretape.exchange import How
from wiretape.runs.report import Carried, ExchangeReport, RunReport
from wiretape.telemetry.attributes import client_error, run_error, server_error

Key = tuple[int, int]
"""Trace id and span id of a run."""

_CLIENT_ERROR = 400
_NS = 1_000_000_000


class Tail:
    """Holds at most `held_max` exchanges, and remembers as many verdicts. Belongs to one thread."""

    def __init__(self, held_max: int, slow_run_s: float) -> None:
        self._held_max = held_max
        self._slow_ns = int(slow_run_s * _NS)
        self._held: OrderedDict[Key, list[ExchangeReport]] = OrderedDict()
        self._verdicts: OrderedDict[Key, bool] = OrderedDict()
        self.waiting = 0
        """Exchanges that wait."""
        self.lost = 0
        """Exchanges that gave way before their run was reported."""

    def exchange(self, report: ExchangeReport) -> bool:
        """Whether the exchange is kept now; it may be given back later by `run`."""
        key = _run_of(report)
        if key is None:
            return _failed(report)
        if key in self._verdicts:
            return self._verdicts[key]
        self._hold(key, report)
        return False

    def run(self, report: RunReport, key: Key) -> list[ExchangeReport] | None:
        """What waited for a run that is kept; None for one that is not."""
        waited = self._held.pop(key, [])
        self.waiting -= len(waited)
        is_kept = self._is_worth_it(report) or any(map(_failed, waited))
        self._verdicts[key] = is_kept
        if len(self._verdicts) > self._held_max:
            self._verdicts.popitem(last=False)
        return waited if is_kept else None

    def close(self) -> None:
        """Give up what waits for runs that outlive this process: whoever reports them has nothing of it."""
        self._held.clear()
        self.lost += self.waiting
        self.waiting = 0

    def _is_worth_it(self, report: RunReport) -> bool:
        if report.outcome == "abandoned" or run_error(report) is not None:
            return True
        is_slow = report.duration_ns is not None and report.duration_ns >= self._slow_ns
        return is_slow or any(map(_broke, report.carried))

    def _hold(self, key: Key, report: ExchangeReport) -> None:
        """Without what no span shows."""
        self._held.setdefault(key, []).append(structs.replace(report, overhead_chunks_ns=()))
        self.waiting += 1
        while self.waiting > self._held_max:
            _, given_up = self._held.popitem(last=False)
            self.waiting -= len(given_up)
            self.lost += len(given_up)


def _run_of(report: ExchangeReport) -> Key | None:
    if report.run_trace is None or report.run_span_id is None or not report.run_trace.pending:
        return None
    return report.run_trace.trace_id, report.run_span_id


def _failed(report: ExchangeReport) -> bool:
    return server_error(report) is not None or client_error(report) is not None


def _broke(carried: Carried) -> bool:
    is_refused = carried.status is not None and carried.status >= _CLIENT_ERROR
    return is_refused or carried.how in {How.UPSTREAM_FAILED, How.REFUSED}
