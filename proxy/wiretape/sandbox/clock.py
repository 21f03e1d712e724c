"""The clock the sandbox lives by: passed in, so that a test may own time (see `wiretape.testing`)."""

from __future__ import annotations

import asyncio
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
