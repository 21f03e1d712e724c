"""The connections to one upstream: kept while they may be used again, the last used first."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable
from typing import Any

from wiretape.edge.engines.connection import Connection
from wiretape.edge.engines.counts import Counts
from wiretape.edge.engines.racing import Address, Race, addresses
from wiretape.edge.upstream import Place, UpstreamOptions
from wiretape.errors import UpstreamUnreachable


class Pool:
    """Opens connections and keeps idle ones, `kept_max` at most and each for `kept_s`; any number may be in use."""

    def __init__(self, options: UpstreamOptions, place: Place, tls: ssl.SSLContext | None) -> None:
        self._options = options
        self._place = place
        self._tls = tls
        self.counts = Counts()
        self._idle: dict[Connection, float] = {}
        """Since when each idles, the longest first."""
        self._open: set[Connection] = set()
        self._empty = asyncio.Event()
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def size(self) -> int:
        """Connections open, idle or in use."""
        return len(self._open)

    def kept(self) -> Connection | None:
        """Take an idle connection that is fit for use."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.is_usable:
                return connection
            connection.abort()
        return None

    async def connect(self) -> Connection:
        """Open one; raises UpstreamUnreachable."""
        place, within_s = self._options.place, self._options.connect_s
        if self._is_closed:
            raise UpstreamUnreachable(f"{place} is not asked any more: the engine is closed")
        race = Race(self._connect, self._options.stagger_s)
        try:
            async with asyncio.timeout(within_s):
                return await self._reached(race)
        except TimeoutError as error:
            failed = "".join(f"; {one}" for one in race.failures)
            raise UpstreamUnreachable(f"{place} took no connection in {within_s:g} s{failed}") from error
        except (OSError, ValueError) as error:  # ValueError: a host that is no host
            raise UpstreamUnreachable(f"{place} could not be reached: {str(error) or type(error).__name__}") from error

    async def _reached(self, race: Race) -> Connection:
        if self._options.socket is not None:
            loop, connection = asyncio.get_running_loop(), Connection(self)
            await self._made(connection, loop.create_unix_connection(lambda: connection, self._options.socket))
        else:
            among = await addresses(self._place.host, self._place.port)
            # Nothing races a single address: its connect then costs no task.
            connection = await (self._connect(among[0]) if len(among) == 1 else race.run(among))
        if connection.is_lost:  # before any exchange was there to be told
            raise ConnectionAbortedError("the connection was lost before it was used")
        return connection

    async def _connect(self, at: Address) -> Connection:
        loop, within_s = asyncio.get_running_loop(), self._options.connect_s
        # The handshake's own limit is a minute, which `connect_s` may be over.
        tls: Any = self._tls and {
            "ssl": self._tls, "server_hostname": self._place.host, "ssl_handshake_timeout": within_s + 1
        }  # fmt: skip
        connection = Connection(self)
        return await self._made(connection, loop.create_connection(lambda: connection, *at, **(tls or {})))

    async def _made(self, connection: Connection, making: Awaitable[object]) -> Connection:
        try:
            await making
        except BaseException:
            self.gone(connection)  # uvloop closes one whose making was cancelled, and tells it nothing of it
            raise
        return connection

    def keep(self, connection: Connection) -> None:
        """Take back a connection whose exchange has ended."""
        connection.exchange = None
        if self._is_closed or connection.is_lost or not self._options.kept_max:
            connection.abort()
            return
        if len(self._idle) >= self._options.kept_max:
            next(iter(self._idle)).abort()
        connection.is_kept = True
        self._idle[connection] = asyncio.get_running_loop().time()
        if self._sweeping is None:
            self._sweep_in(self._options.kept_s)

    def made(self, connection: Connection) -> None:
        """Count a connection that is open; one that comes too late is closed."""
        self._open.add(connection)
        self._empty.clear()
        if self._is_closed:
            connection.abort()

    def unasked(self) -> None:
        """Count a connection that was spoken on unasked."""
        self.counts.unasked += 1

    def unfit(self, connection: Connection) -> None:
        """Keep a connection from being used again."""
        self._idle.pop(connection, None)

    def gone(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self.unfit(connection)
        self._open.discard(connection)
        if not self._open:
            self._empty.set()

    async def close(self) -> None:
        """Close all connections, also those in use, and wait until they are closed."""
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in tuple(self._open):
            connection.abort()
        if self._open:
            await self._empty.wait()

    def _sweep_in(self, wait_s: float) -> None:
        self._sweeping = asyncio.get_running_loop().call_later(wait_s, self._sweep)

    def _sweep(self) -> None:
        """Close what has idled too long; one timer for all, and none while nothing idles."""
        self._sweeping = None
        due_s = asyncio.get_running_loop().time() - self._options.kept_s
        while self._idle:
            connection, since_s = next(iter(self._idle.items()))
            if since_s > due_s:
                self._sweep_in(since_s - due_s)
                return
            connection.abort()
