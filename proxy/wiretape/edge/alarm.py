"""One timer for all exchanges of a connection: to make and cancel one for each would cost more than to wind this."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class Alarm:
    """Rings once when it is due, unless it was wound anew or unwound; a timer that comes too early is set again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = NEVER
        self._due_s = NEVER
        self._ring: Callable[[], None] | None = None

    def wind(self, wait_s: float, ring: Callable[[], None]) -> None:
        """Ring in `wait_s`, and at no other time."""
        self._ring = ring
        self._due_s = self._loop.time() + wait_s
        if self._due_s < self._timer_s:
            self._set(self._due_s)

    def unwind(self) -> None:
        """Do not ring."""
        self._ring = None

    def stop(self) -> None:
        """Do not ring any more, and leave no timer behind."""
        self.unwind()
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_s = None, NEVER

    def _set(self, when_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_s = self._loop.call_at(when_s, self._look), when_s

    def _look(self) -> None:
        self._timer, self._timer_s = None, NEVER
        ring = self._ring
        if ring is None:
            return
        if self._due_s > self._loop.time():
            self._set(self._due_s)
        else:
            self._ring = None
            ring()
