"""A client that leaves while we do not read its connection: its upstream is freed as that of any other."""

import asyncio
import socket
import struct
from pathlib import Path

import pytest

from support.certificates import Authority
from support.proxied import proxied
from support.raw import Connection, serving
from wiretape.edge.hangup import has_hung_up
from wiretape.exchange import How
from wiretape.testing import CollectingSink

GET = b"GET / HTTP/1.1\r\nHost: proxy.test\r\n\r\n"
UPLOAD = b"POST / HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 999999\r\n\r\n" + b"x" * 200_000


class Held:
    """An upstream that answers nothing."""

    def __init__(self) -> None:
        self.asked, self.freed = asyncio.Event(), asyncio.Event()

    async def __call__(self, connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        await connection.gone()
        self.freed.set()


async def paused(held: Held, writer: asyncio.StreamWriter, more: bytes) -> None:
    """Ask, and send more than is read ahead of the answer."""
    writer.write(GET)
    await held.asked.wait()
    writer.write(more)
    await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("more", [GET * 40, UPLOAD])
@pytest.mark.parametrize("over", ["tcp", "tcp reset", "unix", "tls"])
async def test_a_client_that_leaves_unread_frees_its_upstream_within_a_second(
    more: bytes, over: str, tmp_path: Path
) -> None:
    held, collector, authority = Held(), CollectingSink(), Authority(tmp_path)
    cert, key = authority.issued() if over == "tls" else (None, None)
    listen = f"unix:{tmp_path}/t" if over == "unix" else "127.0.0.1:0"
    async with serving(held) as url:
        async with proxied(url, sinks=(collector,), listen=listen, tls_cert=cert, tls_key=key) as proxy:
            if over == "unix":
                _, writer = await asyncio.open_unix_connection(f"{tmp_path}/t")
            else:
                at, tls = proxy.traffic.address, authority.client() if over == "tls" else None
                _, writer = await asyncio.open_connection(at.host, at.port, ssl=tls)
            await paused(held, writer, more)
            if over == "tcp reset":
                reset(writer)
            writer.transport.abort()  # not `close`, which over TLS first waits for our word
            async with asyncio.timeout(1):
                await held.freed.wait()
            await proxy.close()
    assert [(one.how, one.code) for one in collector.exchanges] == [(How.CLIENT_LEFT, None)]


async def test_a_client_that_stays_unread_is_left_alone() -> None:
    held = Held()
    async with serving(held) as url, proxied(url) as proxy:
        at = proxy.traffic.address
        _, writer = await asyncio.open_connection(at.host, at.port)
        await paused(held, writer, GET * 40)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.2):  # two looks and more
                await held.freed.wait()
        writer.transport.abort()


def test_what_has_no_socket_tells_nothing() -> None:
    assert not has_hung_up(asyncio.Transport())
