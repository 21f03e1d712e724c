"""An upstream on raw sockets that writes down each whole request it was sent, read by the letter of RFC 9112."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.raw import Connection, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP/1\.1(\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*)*\r\n\r\n")
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")


class Recorder:
    """What one upstream was sent."""

    def __init__(self) -> None:
        self.whole: list[tuple[bytes, bytes]] = []
        """Head and body of each request that came to its end."""
        self.begun = 0
        """Requests of which a head came."""

    async def script(self, connection: Connection) -> None:
        """Read requests one after the other, and answer each."""
        while True:
            head = await connection.reader.readuntil(b"\r\n\r\n")
            assert HEAD.fullmatch(head), f"no head of HTTP/1.1: {head!r}"
            self.begun += 1
            self.whole.append((head, await _body(connection.reader, head)))
            await connection.send(OK.removesuffix(b"ok") if head.startswith(b"HEAD ") else OK)


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    lengths = re.findall(rb"(?i)\r\ncontent-length: *(.*?)\r\n", head)
    codings = re.findall(rb"(?i)\r\ntransfer-encoding: *(.*?)\r\n", head)
    assert len(lengths) + len(codings) <= 1, f"two framings: {head!r}"
    if lengths:
        return await reader.readexactly(int(lengths[0]))
    return await _chunks(reader, codings) if codings else b""


async def _chunks(reader: asyncio.StreamReader, codings: list[bytes]) -> bytes:
    assert codings == [b"chunked"]
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        found = CHUNK.fullmatch(line)
        assert found, f"no chunk: {line!r}"
        size = int(found[1], 16)
        data = await reader.readexactly(size + 2)
        assert data.endswith(b"\r\n")
        if not size:
            return body
        body += data[:-2]


@asynccontextmanager
async def recording() -> AsyncIterator[tuple[str, Recorder]]:
    """Serve a recorder; gives its URL as well."""
    recorder = Recorder()
    async with serving(recorder.script) as url:
        yield url, recorder
