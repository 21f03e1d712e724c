"""A server on raw sockets that does what a script says: the faults that an HTTP library would hide."""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Script = Callable[["Connection"], Awaitable[None]]


class Connection:
    """One accepted connection, seen from the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def request(self) -> tuple[bytes, bytes]:
        """Read one request: its head, and its body as framed by Content-Length or chunks (raw)."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        if length := re.search(rb"(?i)\r\ncontent-length: *(\d+)", head):
            return head, await self.reader.readexactly(int(length[1]))
        if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
            return head, await self.reader.readuntil(b"0\r\n\r\n")
        return head, b""

    async def send(self, *pieces: bytes) -> None:
        """Send each piece in a segment of its own, as far as the loopback goes."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        while await self.reader.read(65_536):
            pass

    def reset(self) -> None:
        """Close with a reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()


def answering_new(asked: list[bytes]) -> Script:
    """Note each request's target, and answer `new`."""

    async def script(connection: Connection) -> None:
        while True:
            head, _ = await connection.request()
            asked.append(head.split()[1])
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew")

    return script


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None, path: str | None = None) -> AsyncIterator[str]:
    """Serve each connection by the script, on a free port of the loopback or a unix socket's path; gives the URL."""

    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await script(Connection(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the script's other side left, which is what many of them are about
        finally:
            writer.close()

    if path is None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    else:
        server = await asyncio.start_unix_server(connected, path)
    try:
        at = server.sockets[0].getsockname()
        yield f"unix:{path}" if path else f"http{'s' if tls else ''}://127.0.0.1:{at[1]}"
    finally:
        server.close()
        for writer in writers:
            with suppress(AttributeError):  # asyncio's, where the transport has closed after its last write
                writer.transport.abort()  # what nobody read any more would keep it open beyond the test


async def exchange(url: str, request: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """Send raw bytes to a server and read until it closes."""
    host, port = url.partition("://")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.transport.abort()
