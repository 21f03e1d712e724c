"""A request as its connection gives it: the head, and the body as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from wiretape.errors import WiretapeError
from wiretape.wire.arriving import RequestHead

AHEAD_BYTES_MAX = 131_072
"""Bytes of bodies, and of heads behind the first, that are read ahead of whoever takes them; one more read of the
socket may come on top."""


PIECE_COST_BYTES = 64
"""What a piece that waits takes beside its bytes, so that the smallest chunks are bounded too."""


class Responding(Protocol):
    """What a request is answered with."""

    @property
    def keep_alive(self) -> bool:
        """Whether the client's connection may carry another request."""

    async def write_eof(self) -> None:
        """Be done."""


class Client(Protocol):
    """The connection that a request came by."""

    stalled: bool
    """Whether the client took nothing for `send_idle_s`, and was cut."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """Where to write to; None once the connection is lost."""

    @property
    def room(self) -> asyncio.Future[None] | None:
        """What to wait for before more is written, or None where there is room."""

    def see_room(self) -> None:
        """Read on, or no further, by how much waits to be taken."""

    def deafen(self) -> None:
        """Drop unread what still comes."""

    def carry(self, exchange: Coroutine[Any, Any, Responding]) -> None:
        """Let a task bring the exchange to its end."""

    def answered(self, response: Responding) -> None:
        """Learn that the exchange has come to its end without a task."""


class Body:
    """A request's body, in the pieces that its reads brought."""

    __slots__ = ("_client", "_pieces", "_waiter", "error", "held_bytes", "is_ended")

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self.held_bytes = 0
        """Come, and not taken."""
        self.is_ended = False
        """Whether all of it has come."""
        self.error: WiretapeError | None = None
        """Why the rest of it will never come."""

    @property
    def cost_bytes(self) -> int:
        """What takes memory here."""
        return self.held_bytes + len(self._pieces) * PIECE_COST_BYTES

    def feed(self, data: bytes) -> None:
        """Take a piece off the wire."""
        self._pieces.append(data)
        self.held_bytes += len(data)
        self._wake()

    def end(self) -> None:
        """Learn that it is whole."""
        self.is_ended = True
        self._wake()

    def fail(self, error: WiretapeError) -> None:
        """Learn that the rest will never come."""
        if not self.is_ended and self.error is None:
            self.error = error
            self._wake()

    def held(self) -> bytes:
        """Give what has come and was not taken, and leave it."""
        return b"".join(self._pieces)

    def taken(self) -> bytes:
        """Take what has come."""
        data = self.held()
        self._pieces.clear()
        self.held_bytes = 0
        self._client.see_room()
        return data

    async def read(self) -> bytes:
        """Take what has come, or wait for it; nothing at its end. Raises what it broke off with."""
        while not self._pieces and not self.is_ended:
            if self.error is not None:
                raise self.error
            await self._wait()
        return self.taken()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Incoming:
    """One request."""

    __slots__ = ("body", "client", "head", "headers", "keep_alive", "method", "version")

    def __init__(self, head: RequestHead, client: Client) -> None:
        self.head = head
        self.method = head.method
        self.headers = head.headers
        self.version = head.version
        self.keep_alive = head.keep_alive
        self.client = client
        self.body = Body(client) if head.has_body else None

    @property
    def head_bytes(self) -> int:
        """What its fields take while it waits for those before it."""
        return sum([len(name) + len(value) for name, value in self.headers])

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        return self.body is None or self.body.is_ended
