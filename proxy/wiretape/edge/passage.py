"""One exchange on its way through: the client has each chunk before the observers see it; it ends exactly once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from wiretape.edge.arrival import arrive
from wiretape.edge.incoming import Incoming
from wiretape.edge.meter import Meter, report
from wiretape.edge.respond import Relayed, refuse
from wiretape.edge.tee import Tee
from wiretape.edge.upload import Upload
from wiretape.errors import (
    CassetteMiss,
    ClientStalled,
    InternalError,
    ShuttingDown,
    UpstreamFailed,
    UpstreamTorn,
    WiretapeError,
)
from wiretape.exchange import Answer, Chunk, Ending, Head, How, Pending, Request
from wiretape.runs.observer import Watch

if TYPE_CHECKING:
    from wiretape.edge.relay import Relay, Reports


class Passage:
    """One exchange on its way through."""

    def __init__(self, relay: Relay, raw: Incoming) -> None:
        self._relay = relay
        self._raw = raw
        self._refused: WiretapeError | None = None
        self._request, self._watch = self._seen(arrive(raw))
        self._tee = Tee() if self._watch is None else Tee(self._watch)
        options = relay.options
        self._upload = Upload(raw, self._tee, idle_s=options.body_idle_s, rate_min=options.body_rate_min)
        self._meter = Meter(self._request)
        self._response: Relayed | None = None
        self._pending: Pending | None = None
        self._failed: Exception | None = None
        """What went wrong before there was a task to hear of it."""
        self._in_hand: Chunk | None = None
        self._left: tuple[How, str | None] | None = None
        self._rest: Ending | None = None

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

    def begin(self) -> None:
        """Ask at once where nothing is to be waited for; else a task does."""
        if self._refused is None:
            try:
                self._pending = self._relay.source.ask(self._request, self._upload, self._tee, self._meter)
            except Exception as error:  # noqa: BLE001  told by the task
                self._failed = error
        if self._pending is None:
            self._raw.client.carry(self.run())
        else:
            self._pending.when_begun(self._begun)

    def _begun(self) -> None:
        """Answer at once what came with its head; whatever takes longer, or went wrong, is a task's."""
        try:
            response = self._passed_at_once()
        except Exception as error:  # noqa: BLE001  as above
            self._failed, response = error, None
        if response is None:
            self._raw.client.carry(self.run())
            return
        self._end(Ending(How.COMPLETE, time.monotonic_ns()))
        self._raw.client.answered(response)

    def _passed_at_once(self) -> Relayed | None:
        """Pass on what has come; gives the response where that is all, and the client has room for it."""
        pending = self._pending
        if pending is None or not pending.has_head:
            return None
        self._response = response = Relayed(self._raw, self._told(pending.head))
        self._begin(response, pending)
        if pending.is_over and self._raw.client.room is None:
            pending.close()
            return response
        self._offer(pending, response)
        return None

    def left(self) -> None:
        """Let go: the client has left, or is cut, before the upstream's head came."""
        if self._pending is not None:
            self._pending.close()
        how, code = self._lost()
        self._end(Ending(how, time.monotonic_ns(), code))

    async def run(self) -> Relayed:
        """Carry the exchange to its end, whatever that is."""
        how, code = How.CANCELLED, None
        try:
            response, how, code = await self._carry()
        except (asyncio.CancelledError, ConnectionError):
            # We are cancelled when the client's connection is lost, and, closing it, when we cut it ourselves.
            how, code = self._left or self._lost()
            raise
        finally:
            self._end(Ending(how, time.monotonic_ns(), code))
        return response

    def _lost(self) -> tuple[How, str | None]:
        if self._relay.cutting:
            return How.CANCELLED, ShuttingDown.code
        return How.CLIENT_LEFT, ClientStalled.code if self._raw.client.stalled else None

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
        answer = await self._open()
        try:
            if self._response is None:
                self._response = Relayed(self._raw, self._told(answer.head))
                self._begin(self._response, answer)
            return self._response, *await self._pump(answer, self._response)
        except (asyncio.CancelledError, ConnectionError):
            await self._read_on(answer)
            raise
        finally:
            answer.close()

    async def _read_on(self, answer: Answer) -> None:
        """Read what an upstream still streams to a client that has left, where somebody wants to know of it."""
        relay, meter = self._relay, self._meter
        if self._tee.observers and not relay.cutting and relay.leaving.wants(meter.head, meter.opened_ns):
            self._left = self._lost()
            self._rest = await relay.leaving.read(answer, self._in_hand, self._tee.chunk)

    def _told(self, head: Head) -> Head:
        return self._meter.timed(head, time.monotonic_ns()) if self._relay.options.server_timing else head

    async def _open(self) -> Answer:
        if self._failed is not None:
            if self._pending is not None:
                self._pending.close()
            raise self._failed
        if self._pending is not None:
            return await self._pending.opened()
        opened = await self._relay.source.open(self._request, self._upload, self._tee, self._meter)
        self._meter.played = opened.played
        return opened.answer

    def _begin(self, response: Relayed, answer: Answer) -> None:
        """Send the head, in one call with what has come of the body."""
        first = answer.taken()
        response.begin(b"" if first is None else first.data, is_all=answer.is_over)
        if self._is_watched:
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
        self._offer(answer, response)
        try:
            async for chunk in answer.chunks():
                self._in_hand = chunk
                await response.drain()
                response.put(chunk.data)
                self._in_hand = None
                self._passed(chunk)
        except UpstreamTorn as error:
            response.tear()
            return self._torn(error)
        await response.drain()
        response.finish()
        return How.COMPLETE, None

    def _offer(self, answer: Answer, response: Relayed) -> None:
        """Have chunks taken as they come; where nobody watches, by the response itself."""
        answer.offer_to(self._take if self._is_watched else response.take)

    @property
    def _is_watched(self) -> bool:
        """Whether anybody reads the meter, or looks on."""
        return self._watch is not None or bool(self._tee.observers)

    def _take(self, chunk: Chunk) -> bool:
        """Pass a chunk on within the call that brought it, unless the client has no room, or has left."""
        if self._response is None or not self._response.take(chunk):
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
            return self._refuse(stopping() if self._relay.cutting else error)
        self._relay.broken(error)
        if self._response is None:
            return self._refuse(InternalError("Wiretape made a mistake; its log tells more"))
        self._response.tear()
        return self._response, How.CANCELLED, InternalError.code

    def _end(self, ending: Ending) -> None:
        try:
            self._tee.end(self._rest or ending)  # the answer's own end, where it was read on to that
            if self._relay.told is not None and self._watch is not None:
                self._report(ending, self._relay.told[1], self._watch)
        finally:
            self._relay.ended(self)

    def _report(self, ending: Ending, reports: Reports, watch: Watch) -> None:
        source = self._relay.source
        self._relay.reported += 1
        try:
            reports.exchange(
                report(self._meter, ending, watch.seen, source.name, source.cassette, self._upload, self._tee)
            )
        except Exception as error:  # noqa: BLE001  a report is never worth an exchange
            self._relay.broken(error)


def stopping() -> ShuttingDown:
    """What a client is told that comes too late."""
    return ShuttingDown("the proxy is stopping; try another replica, or again in a moment")
