"""The requests of one connection, one after the other: read, handed on, answered, and what is left of them read."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, cast

from wiretape.edge.alarm import Alarm
from wiretape.edge.hangup import LOOK_S, has_hung_up
from wiretape.edge.incoming import AHEAD_BYTES_MAX, Incoming, Responding
from wiretape.edge.room import Roomy
from wiretape.edge.tls import cut
from wiretape.errors import BadRequest, InternalError, WiretapeError
from wiretape.wire.arriving import ArrivalBounds, RequestHead, RequestParser

PIPELINED_MAX = 32
"""Requests that wait for the one before them; with more than that the socket is not read."""
LINGERING_S = 10.0
"""Seconds that the rest of a body gets which nobody wants: after that its connection cannot be used."""


class Carried(Protocol):
    """An exchange under way."""

    def left(self) -> None:
        """Learn that the client has left, or is cut, while no task of the exchange runs."""


Handler = Callable[[Incoming], Carried]
"""Begins an exchange; it ends by `Serving.answered`, or in a task of `Serving.carry`. What it raises is a mistake."""
_NO_REQUEST = RequestHead("GET", "/", (), (1, 1), keep_alive=False, has_body=False, is_chunked=False)
"""What stands for bytes that are none."""


class Serving(Roomy):
    """Answers with what `handler` gives, and with `_objected` what is no request or went wrong.

    One request is handled at a time. It has a task only where it has to wait for more than its upstream's head.
    """

    __slots__ = (
        "_alarm", "_carried", "_is_deaf", "_is_reading", "_keepalive_s", "_look", "_newest", "_parser",
        "_serving", "_waiting", "handler", "stalled", "task", "transport",
    )  # fmt: skip

    def __init__(self, handler: Handler, bounds: ArrivalBounds, keepalive_s: float) -> None:
        super().__init__()
        self.handler = handler
        self.transport: asyncio.Transport | None = None
        self.stalled = False
        self.task: asyncio.Task[None] | None = None
        """Of the exchange that is under way, where it has one."""
        self._parser = RequestParser(bounds, self)
        self._alarm = Alarm(self.loop)
        self._keepalive_s = keepalive_s
        self._waiting: deque[Incoming | WiretapeError] = deque()
        self._newest: Incoming | None = None
        self._serving: Incoming | WiretapeError | None = None
        self._carried: Carried | None = None
        self._is_deaf = False
        self._is_reading = True
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transports have no class of asyncio's
        self._idle()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End, and what is under way with it: its upstream is free at once."""
        self.transport = None
        self._is_deaf = True
        self._alarm.stop()
        if self._look is not None:
            self._look.cancel()
            self._look = None
        self._parser.release()
        self._waiting.clear()
        self._newest = None
        self.resume_writing()
        self.cancel()

    def cancel(self) -> None:
        """Cancel what is under way."""
        if self.task is not None:
            self.loop.call_soon(self.task.cancel)  # a task that is cancelled before its first step runs not at all
        elif self._carried is not None:
            carried, self._carried, self._serving = self._carried, None, None
            carried.left()

    def data_received(self, data: bytes) -> None:
        """Read; what comes after the last request is dropped."""
        if self._is_deaf:
            return
        parser = self._parser
        parser.feed(data)
        if parser.fault is not None:
            self._object_to(parser.fault)
        if self._serving is None:
            self._next()
        self.see_room()

    def begun(self, head: RequestHead) -> None:
        """Take a head from the parser."""
        self._newest = incoming = Incoming(head, self)
        self._waiting.append(incoming)

    def piece(self, data: bytes) -> None:
        """Take a piece of a body from the parser."""
        body = self._newest and self._newest.body
        if body:
            body.feed(data)

    def ended(self) -> None:
        """Learn that a request is whole."""
        body = self._newest and self._newest.body
        if body:
            body.end()

    def see_room(self) -> None:
        """Read on, or no further, by how much waits to be taken."""
        is_full = self._is_full()
        if is_full == self._is_reading and self.transport is not None and not self.transport.is_closing():
            self._is_reading = not is_full
            if is_full:
                self.transport.pause_reading()
                self._look = self._look or self.loop.call_later(LOOK_S, self._see_client)
            else:
                self.transport.resume_reading()

    def _see_client(self) -> None:
        """Cut a client that has left while it is not read: nobody else would tell."""
        self._look = None
        transport = self.transport
        if self._is_reading or transport is None or transport.is_closing():
            return
        if has_hung_up(transport):
            cut(transport)
        else:
            self._look = self.loop.call_later(LOOK_S, self._see_client)

    def _is_full(self) -> bool:
        if self._newest is None or not (self._waiting or self._newest.body):
            return False  # as nearly always
        if len(self._waiting) > PIPELINED_MAX:  # one read may bring thousands, to be looked at for each of them
            return True
        bodies = [one.body for one in (self._serving, *self._waiting) if isinstance(one, Incoming) and one.body]
        heads_bytes = sum([one.head_bytes for one in self._waiting if isinstance(one, Incoming)])
        return heads_bytes + sum([one.cost_bytes for one in bodies]) > AHEAD_BYTES_MAX

    def deafen(self) -> None:
        """Drop unread what still comes."""
        self._is_deaf = True
        self._waiting.clear()
        if not self._is_reading and self.transport is not None:
            self._is_reading = True
            self.transport.resume_reading()

    def close(self) -> None:
        """Close, after what was written has left."""
        self._is_deaf = True
        if self.transport is not None:
            self.transport.close()

    def carry(self, exchange: Coroutine[Any, Any, Responding]) -> None:
        """Let a task bring an exchange to its end."""
        self.task = self.loop.create_task(self._answered(exchange))

    def answered(self, response: Responding) -> None:
        """Take an exchange's end: at once where nothing is left to wait for."""
        serving = self._serving
        if response.keep_alive and isinstance(serving, Incoming) and serving.is_whole:
            self._over(is_last=False)
        else:
            self.carry(_given(response))

    async def shutdown(self, within_s: float) -> None:
        """Let what is under way end within so many seconds, then cancel it; then close."""
        task = self.task
        if task is not None:
            await asyncio.wait([task], timeout=within_s)
        self.cancel()
        if task is not None:
            await asyncio.wait([task])
        self.close()

    async def _answered(self, exchange: Coroutine[Any, Any, Responding]) -> None:
        """See an exchange to its end, and what is left of its request; then the connection takes another, or none."""
        is_last = True
        try:
            response = await self._given(exchange)
            await response.write_eof()
            is_last = not (await self._passed_over() and response.keep_alive)
        except ConnectionError:
            pass  # the client has left
        finally:
            self.task = None
            self._over(is_last=is_last)

    async def _given(self, exchange: Coroutine[Any, Any, Responding]) -> Responding:
        try:
            return await exchange
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001  a mistake of ours; the handler has logged it
            return self._objected(InternalError("Wiretape made a mistake"))

    async def _passed_over(self) -> bool:
        """Read what is left of a request's body, but not for ever; gives whether that was all."""
        body = self._serving.body if isinstance(self._serving, Incoming) else None
        if body is None:
            return True
        if not (body.is_ended or self._is_deaf):
            await asyncio.sleep(0)  # an upload that was cancelled lets go of its body only now; two may not read it
            with contextlib.suppress(TimeoutError, WiretapeError):
                async with asyncio.timeout(LINGERING_S):
                    while await body.read():
                        pass
        body.taken()
        return body.is_ended

    def _object_to(self, fault: WiretapeError) -> None:
        """Refuse what is no request when its turn comes; tell whoever reads a body that it is broken."""
        body = self._newest and self._newest.body
        self._is_deaf = True
        if body and not body.is_ended:
            body.fail(BadRequest("the body is no valid chunked coding (RFC 9112 section 7.1)"))
        else:
            self._waiting.append(fault)

    def _next(self) -> None:
        """Begin with the next request, if there is one; a body that is broken already reaches nobody."""
        if not self._waiting:
            return
        self._alarm.unwind()
        self._serving = serving = self._waiting.popleft()
        if isinstance(serving, WiretapeError):
            self.carry(self._refused(serving))
        elif serving.body is not None and serving.body.error is not None:
            self.carry(self._refused(serving.body.error))
        else:
            self._begin(serving)

    def _begin(self, incoming: Incoming) -> None:
        try:
            self._carried = self.handler(incoming)
        except Exception:  # noqa: BLE001  a mistake of ours; the handler has logged it
            self.carry(self._refused(InternalError("Wiretape made a mistake")))

    async def _refused(self, error: WiretapeError) -> Responding:
        return self._objected(error)

    def _over(self, *, is_last: bool) -> None:
        """Be done with a request."""
        self._serving = self._carried = None
        if is_last or self.transport is None or self.transport.is_closing():
            self.close()
        elif self._waiting:
            self._next()
            self.see_room()
        else:
            self._idle()

    def _idle(self) -> None:
        """Wait for a request, but not for ever, and keep nothing of the last: there may be thousands of us."""
        self._newest = None
        if self._is_deaf:
            self.close()
        else:
            self._alarm.wind(self._keepalive_s, self.close)

    def _objected(self, error: WiretapeError) -> Responding:
        """Answer in the handler's place."""
        raise NotImplementedError

    def _nobody(self) -> Incoming:
        """Give what an objection answers."""
        serving = self._serving
        return serving if isinstance(serving, Incoming) else Incoming(_NO_REQUEST, self)


async def _given(response: Responding) -> Responding:
    return response
