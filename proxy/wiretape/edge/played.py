"""A recorded answer on its way to a client: each piece at its deadline, and the end that it had or was given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from http.client import responses
from typing import Protocol

from wiretape.cassette.format import Ended
from wiretape.cassette.performance import Performance
from wiretape.errors import UpstreamTorn
from wiretape.exchange import Chunk, Head

_TICK_S = 0.001
"""uvloop sleeps in whole milliseconds and takes less than half of one for none."""


class Clock(Protocol):
    """Time as far as a pace needs it."""

    def now_s(self) -> float:
        """Seconds that only go on."""
        ...

    async def sleep(self, wait_s: float) -> None:
        """Come back in about so many seconds."""
        ...


class Steady:
    """The clock that chunks carry: a loop's own may run on a coarser one."""

    def now_s(self) -> float:
        """Seconds on the monotonic clock."""
        return time.monotonic()

    async def sleep(self, wait_s: float) -> None:
        """Sleep on the loop."""
        await asyncio.sleep(max(wait_s, _TICK_S))


class Played:
    """A performance as an answer. Each piece waits for its own deadline: never early, and no drift adds up."""

    def __init__(self, performance: Performance, clock: Clock | None = None) -> None:
        self._pieces = list(performance.pieces)
        self._how = performance.how
        self._clock = clock or Steady()
        status = performance.status
        self.head = Head(status, performance.headers, time.monotonic_ns(), responses.get(status, ""))

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Give the pieces, each when its time has come, counted from the first call."""
        begun_s = self._clock.now_s()
        for offset_s, data in self._pieces:
            await self._until(begun_s + offset_s)
            yield Chunk(data, time.monotonic_ns())
        if self._how is Ended.UPSTREAM_FAILED:
            raise UpstreamTorn("the recorded answer broke off here")
        if self._how is Ended.CLIENT_LEFT:
            # What came next was never recorded: silence until the client goes.
            await asyncio.get_running_loop().create_future()

    async def _until(self, deadline_s: float) -> None:
        while (wait_s := deadline_s - self._clock.now_s()) > 0:
            await self._clock.sleep(wait_s)

    def taken(self) -> Chunk | None:
        """Give the first piece where it waits for nothing, so that it leaves with the head."""
        if not self._pieces or self._pieces[0][0] > 0:
            return None
        (_, data), *self._pieces = self._pieces
        return Chunk(data, time.monotonic_ns())

    def offer_to(self, taker: Callable[[Chunk], bool]) -> None:
        """Offer nothing: each piece has its time."""

    @property
    def is_over(self) -> bool:
        """Whether all was given, and that was the end."""
        return not self._pieces and self._how is Ended.COMPLETE

    def close(self) -> None:
        """Have nothing to let go."""
