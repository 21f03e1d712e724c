"""The one loop: the client has each chunk before the observers see it; each exchange ends exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from typing import Protocol

from aiohttp import web
from msgspec import structs
from structlog.typing import FilteringBoundLogger

from wiretape.edge.arrival import Marks, arrive
from wiretape.edge.connection import Connection
from wiretape.edge.listen import EdgeOptions
from wiretape.edge.meter import Meter, report
from wiretape.edge.modes import Opened, Source
from wiretape.edge.respond import Relayed, refuse
from wiretape.edge.routes import scoped
from wiretape.edge.tee import Tee
from wiretape.edge.upload import Upload
from wiretape.errors import (
    CassetteMiss,
    ClientStalled,
    InternalError,
    Overloaded,
    ShuttingDown,
    UpstreamFailed,
    UpstreamTorn,
    WiretapeError,
)
from wiretape.exchange import Answer, Chunk, Ending, Head, How, Request
from wiretape.runs.observer import Runs, Watch
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

    async def __call__(self, raw: web.BaseRequest) -> Relayed:
        """Answer one request."""
        passage = self._passage(raw)
        self._passages.add(passage)
        self._idle.clear()
        try:
            return await passage.run()
        finally:
            self._passages.discard(passage)
            if not self._passages:
                self._idle.set()

    def _passage(self, raw: web.BaseRequest) -> Passage:
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

    def broken(self, error: Exception) -> None:
        """Log a mistake of ours by its kind and place: its words may quote what came over the wire."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        self._logger.error("exchange.broken", error=type(error).__name__, place=f"{place.name}:{place.lineno}")

    def hurry(self) -> None:
        """End `drain` at once, or spare it."""
        self._hurried = True
        self._idle.set()

    def admit(self, raw: web.BaseRequest, arrived: Request) -> Request:
        """Check, scope and route a request; raises the error that its client is told."""
        check(arrived, raw.version)
        if self.draining:
            raise _stopping()
        if self.active >= self.options.streams_max:
            raise Overloaded(f"{self.options.streams_max} exchanges are in flight (streams_max); try again in a moment")
        request = scoped(arrived) if self.source.has_sessions else arrived
        upstream = self.source.behind(request)
        return request if upstream == request.upstream else structs.replace(request, upstream=upstream)


class Passage:
    """One exchange on its way through."""

    def __init__(self, relay: Relay, raw: web.BaseRequest) -> None:
        self._relay = relay
        self._raw = raw
        self._refused: WiretapeError | None = None
        self._request, self._watch = self._seen(arrive(raw))
        self._tee = Tee() if self._watch is None else Tee(self._watch)
        options = relay.options
        self._upload = Upload(raw, self._tee, idle_s=options.body_idle_s, rate_min=options.body_rate_min)
        self._meter = Meter(self._request)
        self._response: Relayed | None = None

    def _seen(self, arrived: Request) -> tuple[Request, Watch | None]:
        """Admit a request, and have its run followed where anybody listens."""
        source, told = self._relay.source, self._relay.told
        if told is None:
            return self._admitted(arrived), None
        runs, reports, marks = told
        reports.learn(arrived)
        request = self._admitted(arrived)
        request = marks.on(request, runs.joined(request))
        return request, runs.watch(request, mode=source.name, cassette=source.cassette)

    @property
    def buffered_bytes(self) -> int:
        """What the client has not taken yet."""
        return 0 if self._response is None else self._response.buffered_bytes

    async def run(self) -> Relayed:
        """Carry the exchange to its end, whatever that is."""
        how, code = How.CANCELLED, None
        try:
            response, how, code = await self._carry()
        except (asyncio.CancelledError, ConnectionError):
            # aiohttp cancels us when the client's connection is lost, and, closing it, when we cut it ourselves.
            how, code = self._lost()
            raise
        finally:
            self._end(Ending(how, time.monotonic_ns(), code))
        return response

    def _lost(self) -> tuple[How, str | None]:
        if self._relay.cutting:
            return How.CANCELLED, ShuttingDown.code
        connection = self._raw.protocol
        is_stalled = isinstance(connection, Connection) and connection.stalled
        return How.CLIENT_LEFT, ClientStalled.code if is_stalled else None

    def _admitted(self, arrived: Request) -> Request:
        try:
            return self._relay.admit(self._raw, arrived)
        except WiretapeError as error:
            self._refused = error
            return arrived

    async def _carry(self) -> tuple[Relayed, How, str | None]:
        try:
            return await self._answer() if self._refused is None else self._refuse(self._refused)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001  a mistake of ours must not write a second head into a body
            return self._fail(self._upload.failed or error)

    async def _answer(self) -> tuple[Relayed, How, str | None]:
        opened = await self._open()
        try:
            response = Relayed(self._raw, self._told(opened.answer.head))
            self._begin(response, opened.answer)
            return response, *await self._pump(opened.answer, response)
        finally:
            opened.answer.close()

    def _told(self, head: Head) -> Head:
        return self._meter.timed(head, time.monotonic_ns()) if self._relay.options.server_timing else head

    async def _open(self) -> Opened:
        opened = await self._relay.source.open(self._request, self._upload, self._tee, self._meter)
        self._meter.played = opened.played
        return opened

    def _begin(self, response: Relayed, answer: Answer) -> None:
        """Send the head, in one call with what has come of the body."""
        self._response = response
        first = answer.taken()
        response.begin(b"" if first is None else first.data)
        self._meter.answered(answer.head, time.monotonic_ns())
        self._tee.head(answer.head)
        if first is not None:
            self._passed(first)

    def _passed(self, chunk: Chunk) -> None:
        """Count a chunk, and show it to whoever watches."""
        if self._watch is not None:  # who else would read the meter
            self._meter.passed(chunk, time.monotonic_ns())
        if self._tee.observers:
            self._tee.chunk(chunk)

    async def _pump(self, answer: Answer, response: Relayed) -> tuple[How, str | None]:
        """Pass the body on: as it comes where the client keeps up, else when it has room again."""
        answer.offer_to(self._take)
        try:
            async for chunk in answer.chunks():
                await response.drain()
                response.put(chunk.data)
                self._passed(chunk)
        except UpstreamTorn as error:
            response.tear()
            return self._torn(error)
        await response.drain()
        response.finish()
        return How.COMPLETE, None

    def _take(self, chunk: Chunk) -> bool:
        """Pass a chunk on within the call that brought it, unless the client has no room, or has left."""
        if self._response is None or not self._response.take(chunk.data):
            return False
        self._passed(chunk)
        return True

    def _torn(self, error: UpstreamTorn) -> tuple[How, str | None]:
        """Tell whose doing a tear was: a body that failed takes the upstream's connection with it."""
        if self._relay.cutting:
            return How.CANCELLED, ShuttingDown.code
        failed = self._upload.failed
        return (How.UPSTREAM_FAILED, error.code) if failed is None else (How.CANCELLED, failed.code)

    def _refuse(self, error: WiretapeError) -> tuple[Relayed, How, str | None]:
        how = How.UPSTREAM_FAILED if isinstance(error, UpstreamFailed) else How.REFUSED
        how = How.CANCELLED if self._relay.cutting and self._refused is None else how
        self._meter.played = "miss" if isinstance(error, CassetteMiss) else self._meter.played
        response, head = refuse(self._raw, error, self._told)
        self._meter.refused_status = head.status
        return response, how, error.code

    def _fail(self, error: Exception) -> tuple[Relayed, How, str | None]:
        """Tell the client by an error of ours before a head was sent, and by a tear after it."""
        if isinstance(error, WiretapeError) and self._response is None:
            return self._refuse(_stopping() if self._relay.cutting else error)
        self._relay.broken(error)
        if self._response is None:
            return self._refuse(InternalError("Wiretape made a mistake; its log tells more"))
        self._response.tear()
        return self._response, How.CANCELLED, InternalError.code

    def _end(self, ending: Ending) -> None:
        self._tee.end(ending)
        if self._relay.told is not None and self._watch is not None:
            self._report(ending, self._relay.told[1], self._watch)

    def _report(self, ending: Ending, reports: Reports, watch: Watch) -> None:
        source = self._relay.source
        self._relay.reported += 1
        try:
            reports.exchange(
                report(self._meter, ending, watch.seen, source.name, source.cassette, self._upload, self._tee)
            )
        except Exception as error:  # noqa: BLE001  a report is never worth an exchange
            self._relay.broken(error)


def _stopping() -> ShuttingDown:
    return ShuttingDown("the proxy is stopping; try another replica, or again in a moment")
