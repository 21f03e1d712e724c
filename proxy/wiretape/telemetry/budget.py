"""One span of time that several ends share, one after the other: what one leaves, the next may take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

FLUSH_S: Final = 2.0
"""Seconds that all sinks together get at the end: a dead collector must not eat a container's grace period.

Of the 3 s that are promised the rest is for the process's own end. The shares say until when each may take its time.
"""
OPEN_RUNS_SHARE: Final = 0.25
SINKS_SHARE: Final = 0.55
EXPORT_SHARE: Final = 0.9
LOG_SHARE: Final = 1.0


class Budget:
    """So many seconds from the first look on."""

    def __init__(self, whole_s: float, clock: Callable[[], float] = monotonic) -> None:
        """`clock` gives monotonic seconds."""
        self._whole_s = whole_s
        self._clock = clock
        self._begun: float | None = None

    def until(self, share: float) -> float:
        """Seconds left until that share of the whole has passed; 0 where it has."""
        now = self._clock()
        if self._begun is None:
            self._begun = now
        return max(self._begun + self._whole_s * share - now, 0.0)

    async def end(self, share: float, call: Callable[[float], object]) -> None:
        """Let one of them end, in a thread, told how long it has."""
        await asyncio.to_thread(call, self.until(share))
