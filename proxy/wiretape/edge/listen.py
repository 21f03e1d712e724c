"""The listeners: aiohttp's low-level server for traffic, an application for admin."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct

from wiretape.edge.address import Address, Reserved, UnixAddress
from wiretape.edge.connection import Server
from wiretape.edge.serving import Handler
from wiretape.edge.tls import cut

# aiohttp would print the raw bytes of a request it cannot read, and a key may stand in them.
_SILENT = logging.getLogger("wiretape.silent")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
# An application's own mistakes are told, but not by that request.
_UNQUOTING = logging.getLogger("wiretape.server")
_UNQUOTING.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
MODE_MAX = 0o777
CUT_S = 0.05
"""Seconds aiohttp gives a connection at the end. We have drained before; and 0 would mean for ever."""


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
    header_bytes_max: int = 65_536
    """Bytes of a request line or of one header line; more are answered 431, and so is a head of
    over four times as much in all."""
    headers_max: int = 256
    """Fields of one request head; more are answered 431."""
    keepalive_s: float = 75.0
    """Seconds a connection may idle, or take to send its head."""
    matched_body_max: int = 16_777_216
    """Bytes of a request body that `replay` and `auto` hold to match it."""
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


class Listener:
    """One open listening socket and the server behind it."""

    def __init__(self, runner: web.BaseRunner, reserved: Reserved, scheme: str) -> None:
        self._runner = runner
        self._reserved = reserved
        self._scheme = scheme

    @property
    def address(self) -> Address | UnixAddress:
        """Where it listens, with the port that was picked."""
        return self._reserved.address

    @property
    def connections(self) -> int:
        """Open connections of the traffic listener; callable from any thread."""
        server = self._runner.server
        return server.active if isinstance(server, Server) else 0

    @property
    def refused(self) -> dict[str, int]:
        """Connections and heads that the traffic listener refused before they were an exchange, by error code."""
        server = self._runner.server
        return dict(server.refused) if isinstance(server, Server) else {}

    @property
    def url(self) -> str:
        """The address as a URL, or as `unix:/path`."""
        return str(self.address) if isinstance(self.address, UnixAddress) else f"{self._scheme}://{self.address}"

    async def stop_accepting(self) -> None:
        """Close the listening socket, and remove its file if it is a unix socket's; exchanges in flight go on."""
        self._reserved.vanish()
        for site in list(self._runner.sites):
            await site.stop()

    async def close(self) -> None:
        """Close the socket and every connection, also one whose client does not read what is left for it."""
        self._reserved.vanish()
        server = self._runner.server
        transports = [one.transport for one in server.connections] if server else []
        await self._runner.cleanup()
        for transport in transports:
            if transport is not None:
                cut(transport)


class Site(web.SockSite):
    """aiohttp's site, with a limit on TLS handshakes: it would leave them asyncio's minute."""

    def __init__(
        self, runner: web.BaseRunner, sock: socket.socket, tls: ssl.SSLContext | None, handshake_s: float
    ) -> None:
        super().__init__(runner, sock, ssl_context=tls)
        self._handshake_s = None if tls is None else handshake_s

    async def start(self) -> None:
        """Listen."""
        await web.BaseSite.start(self)
        self._server = await asyncio.get_running_loop().create_server(
            cast("Server", self._runner.server),
            sock=self._sock,
            ssl=self._ssl_context,
            backlog=self._backlog,
            ssl_handshake_timeout=self._handshake_s,
        )


async def traffic(
    handler: Handler,
    reserved: Reserved,
    options: EdgeOptions,
    tls: ssl.SSLContext | None = None,
) -> Listener:
    """Listen for traffic."""
    server = Server(
        handler,
        connections_max=options.connections_max,
        send_idle_s=options.send_idle_s,
        handshake_s=options.tls_handshake_s if tls else None,
        access_log=None,
        auto_decompress=False,
        handler_cancellation=True,  # a client that leaves frees its upstream at once
        keepalive_timeout=options.keepalive_s,
        logger=_SILENT,
        max_field_size=options.header_bytes_max,
        max_headers=options.headers_max,
        max_line_size=options.header_bytes_max,
    )
    runner = web.ServerRunner(server, shutdown_timeout=CUT_S)
    await runner.setup()
    await Site(runner, reserved.socket, tls, options.tls_handshake_s).start()
    return Listener(runner, reserved, "http" if tls is None else "https")


async def application(app: web.Application, reserved: Reserved) -> Listener:
    """Listen for an aiohttp application (admin, sandbox)."""
    runner = web.AppRunner(app, access_log=None, logger=_UNQUOTING, shutdown_timeout=CUT_S)
    await runner.setup()
    await web.SockSite(runner, reserved.socket).start()
    return Listener(runner, reserved, "http")
