"""One connection to an upstream: bytes both ways, and whether it may carry another request."""

from __future__ import annotations

import asyncio
import select
import ssl
from typing import Protocol, cast

from wiretape.edge.alarm import Alarm
from wiretape.edge.room import Roomy


class Carried(Protocol):
    """The exchange that a connection carries; every call comes from the loop, and none may raise."""

    def received(self, data: bytes) -> None:
        """Take what one read brought."""

    def lost(self, error: Exception | None) -> None:
        """Learn that no more comes: without an error the upstream has ended its side."""


class Keeper(Protocol):
    """Who counts the connections."""

    def made(self, connection: Connection) -> None:
        """Learn of one that is open."""

    def unasked(self) -> None:
        """Learn of bytes that nobody asked for."""

    def unfit(self, connection: Connection) -> None:
        """Learn of one that must not be used again."""

    def gone(self, connection: Connection) -> None:
        """Learn of one that is closed."""


class Connection(Roomy):
    """Carries one exchange after the other; what comes between two of them closes it."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        super().__init__()
        self._poll = select.poll()
        self.alarm = Alarm(self.loop)
        self.transport: asyncio.Transport
        self.exchange: Carried | None = None
        self.is_lost = False
        self.is_kept = False
        """Whether it has carried an exchange before this one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)  # by create_connection's promise; uvloop's is no subclass
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._keeper.made(self)

    def data_received(self, data: bytes) -> None:
        """Hand a read to the exchange; an answer that nobody asked for must never be taken for the next one."""
        if self.exchange is None:
            self._keeper.unasked()
            self.abort()
        else:
            self.exchange.received(data)

    def eof_received(self) -> None:
        """Close our side too, and at once: what waits to be sent might wait forever for an upstream to read it."""
        self._lose(None if self._is_end_told else _cut())
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; an upstream that had ended its side has been let go before, so whatever is still carried is cut."""
        self._lose(exc or _cut())
        self.alarm.stop()
        self._keeper.gone(self)

    @property
    def is_usable(self) -> bool:
        """Whether it may be used while idle: nothing came on it, nor its end, not even unseen by the loop."""
        return not (self.is_lost or self.transport.is_closing() or self._poll.poll(0))

    def abort(self) -> None:
        """Close at once, and forget what was not sent."""
        self.is_lost = True
        self._keeper.unfit(self)
        self.transport.abort()

    @property
    def _is_end_told(self) -> bool:
        """Whether the end is the upstream's: anybody on the way can end TCP, but not TLS (RFC 9112 section 9.8)."""
        tls = self.transport.get_extra_info("ssl_object")
        try:
            return tls is None or not tls.read(1)
        except ssl.SSLError:  # there is no close_notify to read; asyncio tells of this end like of any other
            return False

    def _lose(self, error: Exception | None) -> None:
        self.is_lost = True
        self._keeper.unfit(self)
        self.resume_writing()
        if self.exchange is not None:
            exchange, self.exchange = self.exchange, None
            exchange.lost(error)


def _cut() -> ConnectionError:
    return ConnectionAbortedError("the connection was cut")
