"""A client's connection: what aiohttp refuses by itself is refused in our words, and what is too many turned away."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter
from typing import Any, cast

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _ErrInfo

from wiretape.edge.refusal import refusal
from wiretape.edge.respond import LINGER_S, Relayed, refuse
from wiretape.edge.serving import INTERNAL, Handler, Serving
from wiretape.edge.stall import StallWatch, watches
from wiretape.edge.tls import cut
from wiretape.errors import BadRequest, HandshakeFailed, HeadersTooLarge, InternalError, Overloaded, WiretapeError
from wiretape.wire.framing import frame

_SHARE = 0.4
"""Of the file descriptors: with its upstream's, a connection may need two, and a fifth is left for all else."""
_LINGERING = 0.125
"""Of the connections: so many more that were turned away may take their time to read why."""
_BARE_END = b"\r\n0\r\n\r\n"
"""The last chunk without trailers (RFC 9112 section 7.1), and the line end before it."""
_HEAD_LINES = 4
"""Times `header_bytes_max` that a whole head may take: the parser bounds its lines and their number alone."""


class Server(web.Server):
    """aiohttp's low-level server with connections of ours, and no more than `connections_max` of them."""

    def __init__(
        self,
        handler: Handler,
        *,
        connections_max: int,
        send_idle_s: float,
        handshake_s: float | None,
        **options: Any,  # noqa: ANN401  aiohttp's own
    ) -> None:
        super().__init__(cast("Any", handler), **options)  # its answers are no responses of aiohttp's
        self.handler = handler
        self.connections_max = connections_max or affordable()
        self.send_idle_s = send_idle_s
        self.handshake_s = handshake_s
        """How long a TLS handshake may take; None without TLS."""
        self.handshakes: set[asyncio.TimerHandle] = set()
        """The limit of each that has begun."""
        self.refused: Counter[str] = Counter()
        """Connections and heads refused before they were an exchange, by error code."""
        self.turning = 0
        """Connections turned away that are still open."""

    @property
    def active(self) -> int:
        """Open connections."""
        return len(self._connections)

    def __call__(self) -> web.RequestHandler:
        """Make the protocol of a connection that was accepted."""
        connection = Connection(self, loop=self._loop, **self._kwargs)
        if self.handshake_s is not None:
            connection.handshake = self._loop.call_later(self.handshake_s, self._unshaken, connection)
            self.handshakes.add(connection.handshake)
        return connection

    def shaken(self, handshake: asyncio.TimerHandle) -> None:
        """Learn that a handshake is done."""
        handshake.cancel()
        self.handshakes.discard(handshake)

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  aiohttp's own
        """Close what is open."""
        for handshake in self.handshakes:
            handshake.cancel()
        self.handshakes.clear()
        await super().shutdown(timeout)

    def _unshaken(self, connection: Connection) -> None:
        """Count a handshake that came to nothing: the loop tells a protocol of none but those that are done."""
        if connection.handshake is not None:
            self.handshakes.discard(connection.handshake)
        self.refused[HandshakeFailed.code] += 1


def affordable() -> int:
    """Tell how many connections the process's limit of file descriptors allows."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, int(_SHARE * soft))


class Connection(Serving):
    """A client's connection."""

    __slots__ = ("bare", "body", "handshake", "head_bytes", "newest_bytes", "server", "stalled", "watch")

    def __init__(self, server: Server, **options: Any) -> None:  # noqa: ANN401  aiohttp's own
        super().__init__(server, server.handler, **options)
        self.server = server
        self.handshake: asyncio.TimerHandle | None = None
        self.stalled = False
        """Whether the client took nothing for `send_idle_s`, and was cut."""
        self.watch: StallWatch | None = None
        self.body: StreamReader | None = None
        """Of the newest request; those before it are whole."""
        self.bare: StreamReader | None = None
        """The newest chunked body that ended without trailers, and with nothing behind it.

        aiohttp 3.14.5 gives a trailer to the next request on the connection, as a field of its head: after any other
        chunked body there must be no next request.
        """
        self.newest_bytes = b""
        """As many as end a body."""
        self.head_bytes = 0
        """Read since the last whole head or byte of a body: of a head, of trailers, of a chunk's extensions."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Turn it away where it is one too many: asyncio makes the protocols of a whole backlog before this."""
        if self.handshake is not None:
            self.server.shaken(self.handshake)
        if self.server.active >= self.server.connections_max:
            away = TurnedAway(self.server)
            transport.set_protocol(away)
            away.connection_made(transport)
            return
        if self.server.send_idle_s and watches():
            self.watch = StallWatch(transport, self.server.send_idle_s, self._cut)
        super().connection_made(transport)

    def _cut(self, transport: asyncio.WriteTransport) -> None:
        """Give up a client that takes nothing, also one that we have closed meanwhile."""
        self.stalled = True
        cut(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop watching."""
        if self.watch is not None:
            self.watch.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass it to the parser, and see to what the parser does not: the size of a head, and a broken body."""
        before = self._request_count, self.body and self.body.total_bytes
        super().data_received(data)
        has_moved = before != (self._request_count, self.body and self.body.total_bytes)
        self.head_bytes = 0 if has_moved else self.head_bytes + len(data)
        self._bound_head()
        self._notice_broken_body()
        self._notice_bare_end(data)

    def _bound_head(self) -> None:
        """Refuse a head, or the like of one within a body, that grows too large, and read no more."""
        if self.head_bytes > _HEAD_LINES * self.max_line_size and not self._close:
            error = HeadersTooLarge(f"the request's head is over {_HEAD_LINES} times header_bytes_max")
            self._messages.append((_ErrInfo(error.status, error, error.code), EMPTY_PAYLOAD))
            self._close = True
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    def _notice_broken_body(self) -> None:
        """Tell whoever reads a body that its chunks are broken: aiohttp tells only the next request's turn."""
        if not self._messages:
            return
        message, payload = self._messages[-1]
        if isinstance(message, RawRequestMessage):
            self.body = payload
        elif self.body is not None and not self.body.is_eof():
            self.body.set_exception(BadRequest("the body is no valid chunked coding (RFC 9112 section 7.1)"))
            self.body.feed_eof()  # nothing more of it will come

    def _notice_bare_end(self, data: bytes) -> None:
        """Look how a body ended that is whole.

        No trailer is a line of `0` alone, so that where it stands before the end it is the last chunk. And all that
        came was parsed: the parser stops early within a body, or where many requests wait.
        """
        size = len(_BARE_END)
        self.newest_bytes = data[-size:] if len(data) >= size else (self.newest_bytes + data)[-size:]
        if self.newest_bytes == _BARE_END and self.body is not None and self.body.is_eof():
            waiting = [payload for _, payload in self._messages]
            self.bare = self.body if waiting in ([], [self.body]) else self.bare

    def _objected(self, request: web.BaseRequest, status: int, error: BaseException | None) -> Relayed:
        """Answer what is no HTTP with an error that quotes nothing of it."""
        told = InternalError("Wiretape made a mistake") if status >= INTERNAL else _objection(error)
        self.server.refused[told.code] += 1
        return refuse(request, told)[0]


def _objection(exc: BaseException | None) -> WiretapeError:
    if isinstance(exc, WiretapeError):
        return exc
    if isinstance(exc, LineTooLong):
        return HeadersTooLarge("the request line or a field is over header_bytes_max")
    if "Too many headers" in str(exc):
        return HeadersTooLarge("the request has more fields than headers_max")
    return BadRequest("this is no valid HTTP/1.1")


class TurnedAway(asyncio.Protocol):
    """A connection too many: told so at once, whatever it wanted, and closed."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer, and leave a moment to read it: closing on unread bytes would reset the connection."""
        transport = cast("asyncio.WriteTransport", transport)  # uvloop's transports have no class of asyncio's
        self._server.refused[Overloaded.code] += 1
        self._server.turning += 1
        transport.write(_too_many())
        if transport.can_write_eof():
            transport.write_eof()
        moment_s = LINGER_S if self._server.turning <= self._server.connections_max * _LINGERING else 0
        self._alarm = asyncio.get_running_loop().call_later(moment_s, transport.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop waiting."""
        self._server.turning -= 1
        self._alarm.cancel()


def _too_many() -> bytes:
    error = Overloaded("too many connections are open (connections_max); try again in a moment")
    head, body = refusal(error, time.monotonic_ns())
    return frame(head, method="GET", modern=True, keep_alive=False).head + body
