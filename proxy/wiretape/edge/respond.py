"""Writing to a client: our own head, our own framing, back-pressure, a visible tear."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable

from wiretape.edge.incoming import Incoming
from wiretape.edge.refusal import refusal
from wiretape.edge.tls import cut, unsent
from wiretape.errors import WiretapeError
from wiretape.exchange import Chunk, Head
from wiretape.wire.framing import LAST_CHUNK, Framing, frame

LINGER_S = 1.0
"""Seconds that a client gets to read its last answer and close, before we do."""
_MODERN = (1, 1)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Relayed:
    """A response that is written as it is told; the server only learns whether the connection lives on."""

    def __init__(self, raw: Incoming, head: Head, *, keep_alive: bool = True) -> None:
        modern = raw.version >= _MODERN
        is_last = not raw.keep_alive or (raw.head.is_chunked and not raw.is_whole)
        self._framed = frame(head, method=raw.method, modern=modern, keep_alive=keep_alive and not is_last)
        self._is_chunked = self._framed.framing is Framing.CHUNKED
        self._client = raw.client
        self._raw = raw
        self._is_objection = not keep_alive
        self._torn = False
        self._ended = False

    @property
    def keep_alive(self) -> bool:
        """Whether the client's connection may carry another request."""
        return self._framed.keep_alive and not self._torn

    @property
    def buffered_bytes(self) -> int:
        """What the client has not taken yet."""
        transport = self._client.transport
        return 0 if transport is None else unsent(transport)

    def begin(self, data: bytes = b"", *, is_all: bool = False) -> None:
        """Send the head at once, so that the client learns of it when we do, and what is there of the body with it."""
        self._ended = is_all
        end = LAST_CHUNK if is_all and self._is_chunked else b""
        self._send(self._framed.head + self._in_frame(data) + end if data else self._framed.head + end)

    def put(self, data: bytes) -> None:
        """Hand body bytes to the transport; raises ConnectionError when the client is gone."""
        if self._framed.framing is not Framing.EMPTY:
            self._send(self._in_frame(data))

    def _in_frame(self, data: bytes) -> bytes:
        framing = self._framed.framing
        if framing is Framing.CHUNKED:
            return b"%x\r\n%b\r\n" % (len(data), data)
        return b"" if framing is Framing.EMPTY else data  # RFC 9112 section 6.3: nothing may follow such a head

    def take(self, chunk: Chunk) -> bool:
        """Do as `put`, where the client keeps up; else leave it at that, and say so. Each chunk comes this way."""
        data = chunk.data
        client = self._client
        transport = client.transport
        if transport is None or client.room is not None or transport.is_closing():
            return False
        if self._is_chunked:
            transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        elif self._framed.framing is not Framing.EMPTY:
            transport.write(data)
        return True

    async def drain(self) -> None:
        """Wait until the client has room, where it has none: the upstream is not read meanwhile."""
        while (room := self._client.room) is not None:
            await room

    def finish(self) -> None:
        """End the body, unless it was torn."""
        if self._framed.framing is Framing.CHUNKED and not (self._torn or self._ended):
            self._send(LAST_CHUNK)
        self._ended = True

    async def write_eof(self) -> None:
        """Be done once the client has room for another answer; after the last, once it has closed, or in `LINGER_S`.

        Closing on bytes that were not read would reset the connection, and the answer might be lost (RFC 9112
        section 9.6).
        """
        self.finish()
        transport = self._client.transport
        if self.keep_alive:
            await self.drain()
        if self.keep_alive or self._torn or transport is None:
            return
        if transport.can_write_eof():
            transport.write_eof()
        elif not self._is_told_apart:
            return
        self._client.deafen()  # what still comes is dropped unread
        await asyncio.sleep(LINGER_S)  # or until the client closes: we are then cancelled

    @property
    def _is_told_apart(self) -> bool:
        """Whether a client that may still send sees the answer's end without a close: TLS knows no half-close."""
        may_send = self._is_objection or not self._raw.is_whole
        return may_send and self._framed.framing is not Framing.CLOSE

    def tear(self) -> None:
        """Close the connection with the body unfinished, after what was written has left.

        A body that ends with the connection would look whole after a plain close: there the connection is reset.
        TLS would announce an orderly end even so: there what waits in our own buffer is given up as well. A unix
        socket knows no reset: a client of HTTP/1.0 behind one cannot be told.
        """
        self._torn = True
        transport = self._client.transport
        if transport is None:
            return
        if self._framed.framing is Framing.CLOSE:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            if transport.get_extra_info("sslcontext") is not None:
                cut(transport)
        transport.close()  # by us: else what is left of the request would first be waited for

    def _send(self, data: bytes) -> None:
        transport = self._client.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has left")
        transport.write(data)


def refuse(raw: Incoming, error: WiretapeError, told: Callable[[Head], Head] | None = None) -> tuple[Relayed, Head]:
    """Answer in the upstream's place, with an error that SDKs parse; gives the response, sent, and its head.

    `told` may add to the head.
    """
    head, body = refusal(error, time.monotonic_ns())
    head = head if told is None else told(head)
    response = Relayed(raw, head, keep_alive=error.keeps_connection)
    response.begin(body)
    return response, head
