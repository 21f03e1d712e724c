"""A trailer is never a field of the next request, which may follow on the same connection."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from support.engines import one_by_one
from support.proxied import proxied
from support.raw import Connection
from support.recorder import recording
from wiretape.app import Proxy

HEAD = b"POST /%d HTTP/1.1\r\nHost: proxy.test\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BARE = CHUNKED + b"3\r\nabc\r\n0\r\n\r\n"
TRAILED = CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
SENT = {
    "bare": BARE,
    "empty": CHUNKED + b"0\r\n\r\n",
    "looks like an end": CHUNKED + b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
    "trailed": TRAILED,
    "trailed, ends like a body": CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: \r\nX-Sum: 0\r\n\r\n",
    "extended": CHUNKED + b"3;a=b\r\nabc\r\n0;X-Sum: 1\r\n\r\n",
    "long": HEAD + b"Content-Length: 3\r\n\r\nabc",
    "bodiless": b"GET /%d HTTP/1.1\r\nHost: proxy.test\r\n\r\n",
    "smuggled": CHUNKED + b"0\r\nX-Sum: 1\r\n0\r\n\r\n",
    "folded": CHUNKED + b"0\r\nX-Sum: 1\r\n 0\r\n\r\n",
}


@asynccontextmanager
async def client(proxy: Proxy) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


async def told(connection: Connection) -> bytes:
    """One answer of the recorder's; less, where the connection ends before."""
    try:
        async with asyncio.timeout(5):
            return await connection.reader.readuntil(b"\r\n\r\nok")
    except asyncio.IncompleteReadError as error:
        return error.partial


@pytest.mark.parametrize("kind", ["bare", "empty", "looks like an end", "trailed", "trailed, ends like a body"])
async def test_a_chunked_upload_leaves_its_connection_usable_whatever_the_cut(kind: str) -> None:
    whole = SENT[kind] % 1
    async with recording() as (url, recorder), proxied(url) as proxy, client(proxy) as one:
        for cut in range(len(whole)):
            await one_by_one(one, [whole[:cut], whole[cut:]])
            assert b"Connection" not in await told(one)
        await one.send(b"GET /last HTTP/1.1\r\nHost: proxy.test\r\n\r\n")
        assert (await told(one)).endswith(b"ok")
    assert len(recorder.whole) == len(whole) + 1
    assert not [head for head, _ in recorder.whole if b"X-Sum" in head]


@pytest.mark.parametrize("kind", ["extended", "smuggled", "folded"])
async def test_after_a_bad_trailer_no_request_is_taken_whatever_the_cut(kind: str) -> None:
    whole = SENT[kind] % 1 + BARE % 2 + BARE % 3
    async with recording() as (url, recorder), proxied(url) as proxy:
        for cut in range(1, len(whole)):
            async with client(proxy) as one:
                await one_by_one(one, [whole[:cut], whole[cut:]])
                while await told(one):
                    pass
    heads = [head for head, _ in recorder.whole]
    assert not [head for head in heads if b"X-Sum" in head]
    assert {head.split()[1] for head in heads} <= {b"/1"}


async def test_no_sequence_of_requests_in_any_pieces_reaches_the_upstream_otherwise_than_it_was_sent() -> None:
    kinds, chance = [*SENT], random.Random(9112)  # noqa: S311  the same requests each time
    async with recording() as (url, recorder), proxied(url) as proxy:
        for _ in range(150):
            recorder.whole.clear()
            names = chance.choices(kinds, k=4)
            whole = b"".join(SENT[name] % number for number, name in enumerate(names))
            cuts = sorted(chance.sample(range(1, len(whole)), 5))
            async with client(proxy) as one:
                pieces = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, None], strict=True)]
                await one_by_one(one, [*pieces, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"])
                while await told(one):
                    pass
            targets = [head.split()[1] for head, _ in recorder.whole]
            assert targets == [b"/%d" % number for number in range(4)][: len(targets)] + [b"/"] * (len(targets) > 4)
            assert not [head for head, _ in recorder.whole if b"X-Sum" in head], names


async def test_thousands_of_requests_at_once_are_answered_in_their_order() -> None:
    count = 2000
    async with recording() as (url, recorder), proxied(url) as proxy, client(proxy) as one:
        await one.send(b"".join((TRAILED if number % 2 else BARE) % number for number in range(count)))
        for _ in range(count):
            assert (await told(one)).endswith(b"ok")
    assert [head.split()[1] for head, _ in recorder.whole] == [b"/%d" % number for number in range(count)]
    assert not [head for head, _ in recorder.whole if b"X-Sum" in head]
