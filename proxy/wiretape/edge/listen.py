"""The listeners: connections of our own for traffic, an application of aiohttp's for admin."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Literal, Protocol

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct

from wiretape.edge.address import Address, Reserved, UnixAddress
from wiretape.edge.connection import Limits, Server
from wiretape.edge.serving import Handler
from wiretape.edge.tls import cut
from wiretape.wire.arriving import ArrivalBounds

# An application's own mistakes are told, but not by that request.
_UNQUOTING = logging.getLogger("wiretape.server")
_UNQUOTING.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
MODE_MAX = 0o777
CUT_S = 0.05
"""Seconds a connection gets at the end. We have drained before; and 0 would mean for ever to aiohttp."""
BACKLOG = 4_096
"""Connections that the kernel holds for us to accept (bounded by net.core.somaxconn); a client beyond them tries again
after a second."""


class EdgeOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of the traffic listener."""

    body_idle_s: float = 60.0
    """Seconds between two pieces of a request body; a longer silence is answered 408."""
    body_rate_min: int = 100
    """Bytes a second of a request body, over the time we wait for it and beyond `body_idle_s`; a slower one is
    answered 408."""
    connections_max: int = 0
    """Client connections; one more is answered 503 and closed. 0 takes two fifths of the process's file descriptors
    (RLIMIT_NOFILE), as each may need another one to its upstream."""
    disconnect_bytes_max: int = 16_777_216
    """Bytes of a stream that are read on for `on_client_disconnect = "drain"`; then the upstream is let go."""
    disconnect_s: float = 600.0
    """Seconds that a stream is read on for it at most; a run of the hosted service expires after as many."""
    header_bytes_max: int = 65_536
    """Bytes of a request line or of one header line; more are answered 431, and so is a head of
    over four times as much in all."""
    headers_max: int = 256
    """Fields of one request head; more are answered 431."""
    keepalive_s: float = 75.0
    """Seconds a connection may idle, or take to send its head."""
    matched_body_max: int = 16_777_216
    """Bytes of a request body that `replay` and `auto` hold to match it."""
    on_client_disconnect: Literal["cancel", "drain"] = "cancel"
    """What a client that leaves in mid-stream means for its upstream: the same hang-up as without a proxy, or `drain`:
    the event stream is read to its end, so that its tokens are known."""
    send_idle_s: float = 60.0
    """Seconds a client may take nothing of what waits for it before it is cut, a quarter more at most (Linux
    alone). 0 waits for ever."""
    streams_max: int = 4_096
    """Exchanges in flight; one more is answered 503."""
    server_timing: bool = False
    """Whether answers carry `Server-Timing: wiretape;dur=…`, the milliseconds that we added up to the head."""
    tls_handshake_s: float = 10.0
    """Seconds for a client's TLS handshake; one that is not done by then is cut, and counted whatever ended it."""
    socket_mode: str = "0600"
    """Mode of a unix socket that is listened on, in octal."""

    @property
    def socket_bits(self) -> int:
        """The mode as a number; raises ValueError where the text is no mode."""
        if not self.socket_mode.isdigit() or not 0 <= (bits := int(self.socket_mode, 8)) <= MODE_MAX:
            raise ValueError(self.socket_mode)
        return bits


class Behind(Protocol):
    """What is behind a listening socket."""

    async def stop(self) -> None:
        """Take no more connections."""

    async def close(self) -> None:
        """Close every connection, also one whose client does not read what is left for it."""


class Listener:
    """One open listening socket and the server behind it."""

    def __init__(self, behind: Behind, reserved: Reserved, scheme: str, server: Server | None = None) -> None:
        self._behind = behind
        self._reserved = reserved
        self._scheme = scheme
        self._server = server

    @property
    def address(self) -> Address | UnixAddress:
        """Where it listens, with the port that was picked."""
        return self._reserved.address

    @property
    def connections(self) -> int:
        """Open connections of the traffic listener; callable from any thread."""
        return 0 if self._server is None else self._server.active

    @property
    def refused(self) -> dict[str, int]:
        """Connections and heads that the traffic listener refused before they were an exchange, by error code."""
        return {} if self._server is None else dict(self._server.refused)

    @property
    def url(self) -> str:
        """The address as a URL, or as `unix:/path`."""
        return str(self.address) if isinstance(self.address, UnixAddress) else f"{self._scheme}://{self.address}"

    async def stop_accepting(self) -> None:
        """Close the listening socket, and remove its file if it is a unix socket's; exchanges in flight go on."""
        self._reserved.vanish()
        await self._behind.stop()

    async def close(self) -> None:
        """Close the socket and every connection."""
        self._reserved.vanish()
        await self._behind.close()


class _Traffic:
    """The traffic listener's server."""

    def __init__(self, server: Server, accepting: asyncio.AbstractServer) -> None:
        self._server = server
        self._accepting = accepting

    async def stop(self) -> None:
        """Take no more connections."""
        self._accepting.close()

    async def close(self) -> None:
        """Close every connection."""
        self._accepting.close()
        await self._server.shutdown(CUT_S)


class _Application:
    """An application's runner."""

    def __init__(self, runner: web.BaseRunner) -> None:
        self._runner = runner

    async def stop(self) -> None:
        """Take no more connections."""
        for site in list(self._runner.sites):
            await site.stop()

    async def close(self) -> None:
        """Close every connection: aiohttp waits for a client to read."""
        server = self._runner.server
        transports = [one.transport for one in server.connections] if server else []
        await self._runner.cleanup()
        for transport in transports:
            if transport is not None:
                cut(transport)


async def traffic(
    handler: Handler,
    reserved: Reserved,
    options: EdgeOptions,
    tls: ssl.SSLContext | None = None,
) -> Listener:
    """Listen for traffic."""
    limits = Limits(
        arrival=ArrivalBounds(options.header_bytes_max, options.headers_max),
        connections_max=options.connections_max,
        keepalive_s=options.keepalive_s,
        send_idle_s=options.send_idle_s,
        handshake_s=options.tls_handshake_s if tls else None,
    )
    server = Server(handler, limits)
    accepting = await asyncio.get_running_loop().create_server(
        server,
        sock=reserved.socket,
        ssl=tls,
        backlog=BACKLOG,
        ssl_handshake_timeout=limits.handshake_s,
    )
    return Listener(_Traffic(server, accepting), reserved, "http" if tls is None else "https", server)


async def application(app: web.Application, reserved: Reserved) -> Listener:
    """Listen for an aiohttp application (admin, sandbox)."""
    runner = web.AppRunner(app, access_log=None, logger=_UNQUOTING, shutdown_timeout=CUT_S)
    await runner.setup()
    await web.SockSite(runner, reserved.socket).start()
    return Listener(_Application(runner), reserved, "http")
