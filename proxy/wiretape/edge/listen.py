"""The listeners: aiohttp's low-level server for traffic, an application for admin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from msgspec import Struct

from wiretape.errors import ConfigError

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
        """Close the socket and every connection."""
        await self._runner.cleanup()


async def traffic(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], address: Address, options: EdgeOptions
) -> Listener:
    """Listen for traffic; raises ConfigError when the address is taken."""
    server = web.Server(
        handler,
        access_log=None,
        auto_decompress=False,
        handler_cancellation=True,  # a client that leaves frees its upstream at once
        keepalive_timeout=options.keepalive_s,
        max_field_size=options.header_bytes_max,
        max_headers=options.headers_max,
        max_line_size=options.header_bytes_max,
    )
    return await _listen(web.ServerRunner(server, shutdown_timeout=CUT_S), address)


async def application(app: web.Application, address: Address) -> Listener:
    """Listen for an aiohttp application (admin, sandbox)."""
    return await _listen(web.AppRunner(app, access_log=None, shutdown_timeout=CUT_S), address)


async def _listen(runner: web.BaseRunner, address: Address) -> Listener:
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(f"cannot listen on {address}: {error.strerror}; choose another, or port 0") from error
    bound = runner.addresses[0]
    return Listener(runner, Address(bound[0], bound[1]))
