"""Open runs that outlive their process: saved as they change, taken out when reported, taken up at the next start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from wiretape.errors import DecodeFailed
from wiretape.ledger.keeper import Keeper
from wiretape.ledger.open_runs import Saved
from wiretape.ledger.options import LedgerOptions
from wiretape.runs.observer import Runs
from wiretape.runs.report import RunReport
from wiretape.runs.snapshot import Snapshot, decode
from wiretape.runs.tracker import Key


class Reports(Protocol):
    """Where reports go, cleared of keys."""

    def run(self, report: RunReport) -> None:
        """Tell of a run that has ended."""

    def open_run(self, snapshot: Snapshot) -> bytes | None:
        """The snapshot, encoded and without keys; None where it cannot be had without."""


class Saving:
    """Between the runs and the ledger. Without a keeper nothing is saved, and a stop abandons what is open."""

    def __init__(self, keeper: Keeper | None, reports: Reports) -> None:
        self._keeper = keeper
        self._reports = reports
        self._saved: set[Key] = set()
        """Open runs that are in the ledger, or on their way there."""
        self._renewed = 0
        self._unsaved = 0
        self._unread = 0

    @property
    def lost(self) -> int:
        """States that were not saved when they were due, or could not be read at the start."""
        kept = 0 if self._keeper is None else self._keeper.refused + self._keeper.failed
        return kept + self._unsaved + self._unread

    def run(self, report: RunReport) -> None:
        """Pass a run's report on; the run need not be saved any longer."""
        self._reports.run(report)
        key = report.upstream, report.run_id
        if self._keeper is not None and key in self._saved:
            self._saved.discard(key)
            self._keeper.drop(key)

    def some(self, runs: Runs, options: LedgerOptions) -> None:
        """Save some of the runs that have changed, within the bounds of the options; it is the loop's own work."""
        if self._keeper is None:
            return
        self._look_at_file(self._keeper, runs)
        left = options.open_runs_batch_bytes
        for snapshot in runs.changed(options.open_runs_looks):
            saved = self._form(snapshot)
            if saved is not None and not self._put(self._keeper, saved):
                runs.unsaved(snapshot.key)
            left -= 0 if saved is None else len(saved.state)
            if left <= 0:
                return

    def restore(self, runs: Runs, upstreams: Sequence[str], told: Callable[..., object]) -> None:
        """Take up what dead processes left. It waits for the ledger: call it before the first request, in a thread."""
        if self._keeper is None:
            return
        found = self._keeper.adopt(upstreams)
        for saved in found:
            self._saved.add((saved.upstream, saved.run_id))
            self._take_up(runs, saved)
        if found:
            told("open_runs.restored", runs=len(found) - self._unread, unreadable=self._unread)

    def close(self, runs: Runs, deadline_s: float) -> None:
        """The process ends: save what is open, and report as abandoned what cannot be saved by then."""
        now_ns = time.monotonic_ns()
        if self._keeper is None:
            runs.close(now_ns)
            return
        left = []
        for snapshot in runs.all_open():
            saved = self._form(snapshot)
            if saved is None or not self._put(self._keeper, saved):
                left.append(snapshot.key)
        runs.abandon([*left, *self._keeper.close(deadline_s)], now_ns)

    def _look_at_file(self, keeper: Keeper, runs: Runs) -> None:
        """A damaged ledger was moved aside, or a person did it: all that is open is to be saved in the new one."""
        if keeper.renewed != self._renewed:
            self._renewed = keeper.renewed
            for key in self._saved:
                runs.unsaved(key)

    def _form(self, snapshot: Snapshot) -> Saved | None:
        """Encoded without keys; None where it cannot be had without."""
        state = self._reports.open_run(snapshot)
        if state is None:
            self._unsaved += 1
            return None
        return Saved(
            upstream=snapshot.upstream,
            run_id=snapshot.run_id,
            saved_us=time.time_ns() // 1000,
            is_foreign=not snapshot.origin.own,
            state=state,
        )

    def _put(self, keeper: Keeper, saved: Saved) -> bool:
        is_taken = keeper.put(saved)
        if is_taken:
            self._saved.add((saved.upstream, saved.run_id))
        return is_taken

    def _take_up(self, runs: Runs, saved: Saved) -> None:
        try:
            snapshot = decode(saved.state)
        except DecodeFailed:
            self._unread += 1
            return
        runs.restore(snapshot, time.monotonic_ns(), time.time_ns())
