"""The one loop: the client has each chunk before the observers see it; each exchange ends exactly once."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from aiohttp import web
from msgspec import structs

from wiretape.edge.arrival import arrive, check, new_bits, trace
from wiretape.edge.meter import Meter, report
from wiretape.edge.modes import Opened, Source
from wiretape.edge.refusal import refusal
from wiretape.edge.respond import Relayed
from wiretape.edge.routes import scoped
from wiretape.edge.tee import Tee
from wiretape.edge.upload import Upload
from wiretape.errors import CassetteMiss, Overloaded, ShuttingDown, UpstreamFailed, UpstreamTorn, WiretapeError
from wiretape.exchange import Answer, Ending, Head, How, Request
from wiretape.runs.observer import Runs
from wiretape.runs.report import ExchangeReport


class Reports(Protocol):
    """Where an exchange is told of; neither call may block or raise."""

    def learn(self, request: Request) -> None:
        """See a request's credentials, so that they can be kept out of what is told."""

    def exchange(self, report: ExchangeReport) -> None:
        """Take an ended exchange's report."""


class Relay:
    """Takes every request of the traffic listener."""

    def __init__(self, source: Source, runs: Runs, reports: Reports, *, streams_max: int) -> None:
        self.source = source
        self.runs = runs
        self.reports = reports
        self.streams_max = streams_max
        self.active = 0
        """Exchanges in flight."""
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False
        """Whether new requests are refused because the proxy is stopping."""

    async def __call__(self, raw: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        self.active += 1
        self._idle.clear()
        try:
            return await Passage(self, raw).run()
        finally:
            self.active -= 1
            if not self.active:
                self._idle.set()

    async def drain(self, within_s: float) -> bool:
        """Refuse what is new and wait for what is in flight; answers whether all of it ended in time."""
        self.draining = True
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def hurry(self) -> None:
        """End `drain` at once."""
        self._idle.set()

    def admit(self, raw: web.BaseRequest, arrived: Request) -> Request:
        """Check, scope and route a request; raises the error that its client is told."""
        check(raw, arrived)
        if self.draining:
            raise ShuttingDown("the proxy is stopping; try another replica, or again in a moment")
        if self.active > self.streams_max:
            raise Overloaded(f"{self.streams_max} exchanges are in flight (streams_max); try again in a moment")
        request = arrived if self.source.name == "forward" else scoped(arrived)
        if self.source.routes is None:
            # Nothing is behind us: the session stands in the upstream's place, so that its runs are its own.
            return structs.replace(request, upstream=request.session)
        return structs.replace(request, upstream=self.source.routes.upstream(request.path))


class Passage:
    """One exchange on its way through."""

    def __init__(self, relay: Relay, raw: web.BaseRequest) -> None:
        self._relay = relay
        self._raw = raw
        self._refused: WiretapeError | None = None
        request = self._admitted(arrive(raw))
        relay.reports.learn(request)
        self._request = structs.replace(request, trace=trace(request, relay.runs.joined(request), new_bits))
        self._watch = relay.runs.watch(self._request, mode=relay.source.name, cassette=relay.source.cassette)
        self._tee = Tee(self._watch)
        self._upload = Upload(raw, self._tee)
        self._meter = Meter(self._request)
        self._played: str | None = None
        self._how = How.CANCELLED
        self._code: str | None = None

    async def run(self) -> web.StreamResponse:
        """Carry the exchange to its end, whatever that is."""
        try:
            return await self._carry()
        except (asyncio.CancelledError, ConnectionError):
            # The server cancels us when the client's connection is lost; a shutdown does while it still stands.
            transport = self._raw.transport
            self._how = How.CLIENT_LEFT if transport is None or transport.is_closing() else How.CANCELLED
            raise
        finally:
            self._end(Ending(self._how, time.monotonic_ns(), self._code))

    def _admitted(self, arrived: Request) -> Request:
        try:
            return self._relay.admit(self._raw, arrived)
        except WiretapeError as error:
            self._refused = error
            return arrived

    async def _carry(self) -> Relayed:
        try:
            if self._refused is not None:
                raise self._refused
            opened = await self._open()
        except WiretapeError as error:
            return await self._refuse(error)
        try:
            return await self._pass_on(opened.answer)
        finally:
            opened.answer.close()

    async def _open(self) -> Opened:
        if self._relay.source.routes is not None:
            self._meter.opened_ns = time.monotonic_ns()
        opened = await self._relay.source.open(self._request, self._upload, self._tee)
        self._played = opened.played
        return opened

    async def _pass_on(self, answer: Answer) -> Relayed:
        try:
            response = Relayed(self._raw, answer.head)
        except WiretapeError as error:
            return await self._refuse(error)
        self._begin(response, answer.head)
        self._tee.head(answer.head)
        await self._pump(answer, response)
        return response

    async def _pump(self, answer: Answer, response: Relayed) -> None:
        try:
            async for chunk in answer.chunks():
                response.put(chunk.data)
                self._meter.passed(chunk, time.monotonic_ns())
                self._tee.chunk(chunk)
                await response.drain()
        except UpstreamTorn as error:
            response.tear()
            self._how, self._code = How.UPSTREAM_FAILED, error.code
        else:
            await response.write_eof()
            self._how = How.COMPLETE

    def _begin(self, response: Relayed, head: Head) -> None:
        response.begin()
        self._meter.answered(head, time.monotonic_ns())

    async def _refuse(self, error: WiretapeError) -> Relayed:
        self._how = How.UPSTREAM_FAILED if isinstance(error, UpstreamFailed) else How.REFUSED
        self._code = error.code
        self._played = "miss" if isinstance(error, CassetteMiss) else None
        head, body = refusal(error, time.monotonic_ns())
        response = Relayed(self._raw, head)
        self._begin(response, head)
        response.put(body)
        await response.write_eof()
        return response

    def _end(self, ending: Ending) -> None:
        self._tee.end(ending)
        self._relay.reports.exchange(
            report(
                self._meter,
                ending,
                self._watch.seen,
                mode=self._relay.source.name,
                cassette=self._relay.source.cassette,
                played=self._played,
                bytes_in=self._upload.bytes_in,
                dropped=len(self._tee.dropped),
            )
        )
