"""Public doubles for tests: clocks that a test owns, and a sink that keeps what it is given.

Both clocks offer what every part of Wiretape asks of time: `now_s()`, seconds since the Unix epoch, and
`await sleep(wait_s)`.
"""

from __future__ import annotations

import asyncio
import heapq

from wiretape.runs.report import Correction, ExchangeReport, RunReport

EPOCH_S = 1_767_225_600.0
"""2026-01-01T00:00:00Z: where the clocks start unless told otherwise."""


class ManualClock:
    """A clock that stands still until the test moves it; whoever sleeps wakes when it has come far enough."""

    def __init__(self, start_s: float = EPOCH_S) -> None:
        self._now_s = start_s
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = 0

    def now_s(self) -> float:
        """Seconds since the Unix epoch."""
        return self._now_s

    async def sleep(self, wait_s: float) -> None:
        """Return when the test has moved the clock `wait_s` seconds on."""
        if wait_s <= 0:
            return
        woken = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (self._now_s + wait_s, self._order, woken))
        await woken

    def advance(self, by_s: float) -> None:
        """Move the clock on and wake all whose time has come, in the order of their times."""
        self._now_s += by_s
        while self._sleepers and self._sleepers[0][0] <= self._now_s:
            _, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)


class StepClock:
    """A clock that moves on by `step_s` at each look, so that what polling sees depends on the number of polls.

    A sleep takes no time in the test: the clock jumps, and the loop gets one turn. With `step_s=0` only sleeps
    move it. The sandbox looks twice for a JSON answer (once for the state, once for the `Date` header).
    """

    def __init__(self, step_s: float, start_s: float = EPOCH_S) -> None:
        self._now_s = start_s
        self._step_s = step_s

    def now_s(self) -> float:
        """Seconds since the Unix epoch; each call is `step_s` later than the one before."""
        now_s = self._now_s
        self._now_s += self._step_s
        return now_s

    async def sleep(self, wait_s: float) -> None:
        """Jump `wait_s` seconds on."""
        self._now_s += max(0.0, wait_s)
        await asyncio.sleep(0)


class CollectingSink:
    """A sink that keeps every report; pass it to `Proxy.start(sinks=…)` and read it after `Proxy.close`."""

    name = "collecting"

    def __init__(self) -> None:
        self.exchanges: list[ExchangeReport] = []
        self.runs: list[RunReport] = []
        self.corrections: list[Correction] = []

    def exchange(self, report: ExchangeReport) -> None:
        """Keep an exchange's report."""
        self.exchanges.append(report)

    def run(self, report: RunReport) -> None:
        """Keep a run's report."""
        self.runs.append(report)

    def correction(self, report: Correction) -> None:
        """Keep better figures of a run."""
        self.corrections.append(report)

    def close(self, deadline_s: float) -> None:
        """Have nothing to flush."""
