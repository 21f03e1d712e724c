"""The listeners: aiohttp's low-level server for traffic, an application for admin."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from msgspec import Struct

from wiretape.edge.respond import refuse
from wiretape.errors import BadRequest, ConfigError, InternalError

INTERNAL = 500
# aiohttp would print the raw bytes of a request it cannot read, and a key may stand in them.
_SILENT = logging.getLogger("wiretape.silent")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
BACKLOG = 128
CUT_S = 0.05
"""Seconds aiohttp gives a connection at the end. We have drained before; and 0 would mean for ever."""


class EdgeOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of the traffic listener."""

    header_bytes_max: int = 65_536
    """Bytes of a request line or of one header line."""
    headers_max: int = 256
    """Fields of one request head."""
    keepalive_s: float = 75.0
    """Seconds a connection may idle, or take to send its head."""
    matched_body_max: int = 16_777_216
    """Bytes of a request body that `replay` and `auto` hold to match it."""
    streams_max: int = 4_096
    """Exchanges in flight; one more is answered 503."""


class Address(Struct, frozen=True):
    """A host and a port; port 0 picks a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read `host:port`; an IPv6 host stands in brackets. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004
        raise ConfigError(f"an address is host:port, such as 127.0.0.1:8787; got {text!r}")
    return Address(host.strip("[]"), int(port))


class _Connection(web.RequestHandler):
    """A client's connection, on which what aiohttp refuses by itself is refused in our words."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what is no HTTP with a 400 that quotes nothing of it."""
        error = (
            InternalError("Wiretape made a mistake") if status >= INTERNAL else BadRequest("this is no valid HTTP/1.1")
        )
        response, _ = refuse(request, error)
        return response


class _Server(web.Server):
    """aiohttp's low-level server with connections of ours."""

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Listener:
    """One open listening socket and the server behind it."""

    def __init__(self, runner: web.BaseRunner, address: Address) -> None:
        self._runner = runner
        self.address = address

    @property
    def url(self) -> str:
        """The listener's address as an http URL."""
        return f"http://{self.address}"

    async def stop_accepting(self) -> None:
        """Close the listening socket; exchanges in flight go on."""
        for site in list(self._runner.sites):
            await site.stop()

    async def close(self) -> None:
        """Close the socket and every connection, also one whose client does not read what is left for it."""
        server = self._runner.server
        transports = [one.transport for one in server.connections] if server else []
        await self._runner.cleanup()
        for transport in transports:
            if transport is not None:
                transport.abort()


def reserve(address: Address) -> socket.socket:
    """Take an address before anything answers on it; raises ConfigError when it is taken or not ours."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    reserved = socket.socket(family, socket.SOCK_STREAM)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((address.host, address.port))
        reserved.listen(BACKLOG)  # binding alone would let another bind as well, and fail only later
    except (OSError, UnicodeError, TypeError, ValueError) as error:
        reserved.close()
        reason = getattr(error, "strerror", None) or "no such host"
        raise ConfigError(f"cannot listen on {address}: {reason}; choose another, or port 0") from error
    return reserved


async def traffic(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], reserved: socket.socket, options: EdgeOptions
) -> Listener:
    """Listen for traffic."""
    server = _Server(
        handler,
        access_log=None,
        auto_decompress=False,
        handler_cancellation=True,  # a client that leaves frees its upstream at once
        keepalive_timeout=options.keepalive_s,
        logger=_SILENT,
        max_field_size=options.header_bytes_max,
        max_headers=options.headers_max,
        max_line_size=options.header_bytes_max,
    )
    return await _listen(web.ServerRunner(server, shutdown_timeout=CUT_S), reserved)


async def application(app: web.Application, reserved: socket.socket) -> Listener:
    """Listen for an aiohttp application (admin, sandbox)."""
    return await _listen(web.AppRunner(app, access_log=None, shutdown_timeout=CUT_S), reserved)


async def _listen(runner: web.BaseRunner, reserved: socket.socket) -> Listener:
    await runner.setup()
    await web.SockSite(runner, reserved).start()
    host, port = reserved.getsockname()[:2]
    return Listener(runner, Address(host, port))
