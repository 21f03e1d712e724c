"""All exchanges of the traffic listener: which are let in, and how they are let end."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from typing import Protocol

from msgspec import structs
from structlog.typing import FilteringBoundLogger

from wiretape.edge.arrival import Marks
from wiretape.edge.incoming import Incoming
from wiretape.edge.leaving import Leaving
from wiretape.edge.listen import EdgeOptions
from wiretape.edge.modes import Source
from wiretape.edge.passage import Passage, stopping
from wiretape.edge.routes import scoped
from wiretape.errors import Overloaded
from wiretape.exchange import Request
from wiretape.runs.observer import Runs
from wiretape.runs.report import ExchangeReport
from wiretape.wire.rules import check


class Reports(Protocol):
    """Where an exchange is told of; no call may block or raise."""

    def learn(self, request: Request) -> None:
        """See a request's credentials, so that they can be kept out of what is told."""

    def exchange(self, report: ExchangeReport) -> None:
        """Take an ended exchange's report."""


class Relay:
    """Takes every request of the traffic listener."""

    def __init__(
        self,
        source: Source,
        told: tuple[Runs, Reports, Marks] | None,
        logger: FilteringBoundLogger,
        options: EdgeOptions,
    ) -> None:
        self.source = source
        self.told = told
        """Who follows the runs and is told of exchanges; None where nobody listens."""
        self._logger = logger
        self.options = options
        self.draining = False
        """Whether new requests are refused because the proxy is stopping."""
        self.cutting = False
        """Whether what is still in flight is being cut."""
        self.reported = 0
        """Exchanges that have ended and were told of."""
        self.leaving = Leaving(options)
        self._hurried = False
        self._passages: set[Passage] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def active(self) -> int:
        """Exchanges in flight."""
        return len(self._passages)

    @property
    def buffered_bytes(self) -> int:
        """Bytes that clients have not taken yet; callable from any thread."""
        return sum(passage.buffered_bytes for passage in tuple(self._passages))

    def __call__(self, raw: Incoming) -> Passage:
        """Begin to answer one request."""
        passage = self._passage(raw)
        self._passages.add(passage)
        self._idle.clear()
        passage.begin()
        return passage

    def ended(self, passage: Passage) -> None:
        """Learn that an exchange has ended."""
        self._passages.discard(passage)
        if not self._passages:
            self._idle.set()

    def _passage(self, raw: Incoming) -> Passage:
        try:
            return Passage(self, raw)
        except Exception as error:
            self.broken(error)
            raise

    async def idle(self) -> None:
        """Wait until nothing is in flight."""
        await self._idle.wait()

    async def drain(self, within_s: float) -> None:
        """Refuse what is new and wait for what is in flight; what has not ended in time will be cut."""
        self.draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0 if self._hurried else within_s):
                await self._idle.wait()
        self.cutting = True
        await self.leaving.stop()

    def broken(self, error: Exception) -> None:
        """Log a mistake of ours by its kind and place: its words may quote what came over the wire."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        self._logger.error("exchange.broken", error=type(error).__name__, place=f"{place.name}:{place.lineno}")

    def hurry(self) -> None:
        """End `drain` at once, or spare it."""
        self._hurried = True
        self._idle.set()

    def admit(self, raw: Incoming, arrived: Request) -> Request:
        """Check, scope and route a request; raises the error that its client is told."""
        check(arrived, raw.version)
        if self.draining:
            raise stopping()
        if self.active >= self.options.streams_max:
            raise Overloaded(f"{self.options.streams_max} exchanges are in flight (streams_max); try again in a moment")
        request = scoped(arrived) if self.source.has_sessions else arrived
        upstream = self.source.behind(request)
        return request if upstream == request.upstream else structs.replace(request, upstream=upstream)
