"""The clocks the sandbox lives by: the machine's, or one of its own on which nobody waits."""

from __future__ import annotations

import asyncio
import heapq
import time
from typing import Protocol


class Clock(Protocol):
    """What the sandbox asks of time."""

    def now_s(self) -> float:
        """Seconds since the Unix epoch."""

    async def sleep(self, wait_s: float) -> None:
        """Return when `wait_s` seconds have passed; may be cancelled."""


class SystemClock:
    """The machine's own time."""

    def now_s(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time()

    async def sleep(self, wait_s: float) -> None:
        """Return when `wait_s` seconds have passed."""
        await asyncio.sleep(wait_s)


class VirtualClock:
    """A clock on which nobody waits: when someone sleeps it jumps to when the first sleeper wakes.

    Sleepers wake in the order of their times, however many there are. Each look moves it on by `step_s`, so that
    a client that polls sees time pass. The same requests in the same order get the same times.
    """

    def __init__(self, step_s: float, start_s: float) -> None:
        self._now_s = start_s
        self._step_s = step_s
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = 0

    def now_s(self) -> float:
        """Seconds since the Unix epoch; each call is `step_s` later than the one before."""
        self._now_s += self._step_s
        return self._now_s

    async def sleep(self, wait_s: float) -> None:
        """Return when all who wake sooner have had their turn."""
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        self._order += 1
        if not self._sleepers:
            loop.call_soon(self._wake_first)
        heapq.heappush(self._sleepers, (self._now_s + max(0.0, wait_s), self._order, woken))
        await woken

    def _wake_first(self) -> None:
        """Wake one, and the next when that one has had its turn."""
        at_s, _, woken = heapq.heappop(self._sleepers)
        if not woken.done():
            self._now_s = max(self._now_s, at_s)
            woken.set_result(None)
        if self._sleepers:
            asyncio.get_running_loop().call_soon(self._wake_first)
