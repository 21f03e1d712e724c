"""A client's connection: what is no HTTP is refused in our words, and what is too many turned away."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import time
from collections import Counter
from typing import cast

from msgspec import Struct

from wiretape.edge.refusal import refusal
from wiretape.edge.respond import LINGER_S, Relayed, refuse
from wiretape.edge.serving import Handler, Serving
from wiretape.edge.stall import StallWatch, watches
from wiretape.edge.tls import cut
from wiretape.errors import HandshakeFailed, Overloaded, WiretapeError
from wiretape.wire.arriving import ArrivalBounds
from wiretape.wire.framing import frame

_SHARE = 0.4
"""Of the file descriptors: with its upstream's, a connection may need two, and a fifth is left for all else."""
_LINGERING = 0.125
"""Of the connections: so many more that were turned away may take their time to read why."""


class Limits(Struct, frozen=True, kw_only=True):
    """What a listener's connections may take."""

    arrival: ArrivalBounds
    connections_max: int
    """0 takes what the process's descriptors allow."""
    keepalive_s: float
    send_idle_s: float
    handshake_s: float | None
    """None without TLS."""


class Server:
    """Makes the traffic listener's connections, no more than `connections_max` of them."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        self.handler = handler
        self.limits = limits
        self._connections_max = limits.connections_max or affordable()
        self.handshakes: set[asyncio.TimerHandle] = set()
        """The limit of each that has begun."""
        self.connections: set[Connection] = set()
        """Those that are open."""
        self.empty = asyncio.Event()
        self.empty.set()
        self.refused: Counter[str] = Counter()
        """Connections and heads refused before they were an exchange, by error code."""
        self.turning = 0
        """Connections turned away that are still open."""

    @property
    def active(self) -> int:
        """Open connections."""
        return len(self.connections)

    def __call__(self) -> Connection:
        """Make the protocol of a connection that was accepted."""
        connection = Connection(self)
        if self.limits.handshake_s is not None:
            loop = asyncio.get_running_loop()
            connection.handshake = loop.call_later(self.limits.handshake_s, self._unshaken, connection)
            self.handshakes.add(connection.handshake)
        return connection

    @property
    def is_full(self) -> bool:
        """Whether one more connection is one too many."""
        return len(self.connections) >= self._connections_max

    @property
    def may_linger(self) -> bool:
        """Whether one more that is turned away may take its time to read why."""
        return self.turning <= self._connections_max * _LINGERING

    def shaken(self, handshake: asyncio.TimerHandle) -> None:
        """Learn that a handshake is done."""
        handshake.cancel()
        self.handshakes.discard(handshake)

    async def shutdown(self, within_s: float) -> None:
        """Close what is open, also a connection whose client does not read what is left for it."""
        for handshake in self.handshakes:
            handshake.cancel()
        self.handshakes.clear()
        transports = [one.transport for one in self.connections]
        await asyncio.gather(*[one.shutdown(within_s) for one in tuple(self.connections)])
        for transport in transports:
            if transport is not None:
                cut(transport)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.empty.wait()

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

    __slots__ = ("handshake", "server", "watch")

    def __init__(self, server: Server) -> None:
        super().__init__(server.handler, server.limits.arrival, server.limits.keepalive_s)
        self.server = server
        self.handshake: asyncio.TimerHandle | None = None
        self.watch: StallWatch | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Turn it away where it is one too many: asyncio makes the protocols of a whole backlog before this."""
        if self.handshake is not None:
            self.server.shaken(self.handshake)
        if self.server.is_full:
            away = TurnedAway(self.server)
            transport.set_protocol(away)
            away.connection_made(transport)
            return
        if self.server.limits.send_idle_s and watches():
            self.watch = StallWatch(transport, self.server.limits.send_idle_s, self._cut)
        self.server.connections.add(self)
        self.server.empty.clear()
        _keep_alive(transport)
        super().connection_made(transport)

    def _cut(self, transport: asyncio.WriteTransport) -> None:
        """Give up a client that takes nothing, also one that we have closed meanwhile."""
        self.stalled = True
        cut(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop watching."""
        if self.watch is not None:
            self.watch.stop()
            self.watch = None  # it calls us: the collector need not find that
        self.server.connections.discard(self)
        if not self.server.connections:
            self.server.empty.set()
        super().connection_lost(exc)

    def _objected(self, error: WiretapeError) -> Relayed:
        """Answer what is no HTTP with an error that quotes nothing of it."""
        self.server.refused[error.code] += 1
        return refuse(self._nobody(), error)[0]


def _keep_alive(transport: asyncio.BaseTransport) -> None:
    """Have the kernel notice a client that is gone without a word."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


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
        moment_s = LINGER_S if self._server.may_linger else 0
        self._alarm = asyncio.get_running_loop().call_later(moment_s, transport.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop waiting."""
        self._server.turning -= 1
        self._alarm.cancel()


def _too_many() -> bytes:
    error = Overloaded("too many connections are open (connections_max); try again in a moment")
    head, body = refusal(error, time.monotonic_ns())
    return frame(head, method="GET", modern=True, keep_alive=False).head + body
