"""What engines send: each byte as it came, our own framing, uploads that wait for their upstream."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from support.engines import ENGINES, OK, asking, one_by_one, outcome, request
from support.raw import Connection
from wiretape.edge.engines.fast import FastUpstream
from wiretape.edge.upstream import EngineName
from wiretape.errors import BadRequest, RequestTooLarge

engines = pytest.mark.parametrize("name", ENGINES)
UPLOAD = request("POST", "/", (b"Content-Length", b"6"))


async def of(*pieces: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if then is not None:
        raise then


async def seen(name: EngineName, *headers: tuple[bytes, bytes], body: AsyncIterator[bytes] | None = None) -> bytes:
    """What the upstream sees of a request, without its line and Host."""
    got: list[bytes] = []

    async def script(connection: Connection) -> None:
        got.append(b"".join(await connection.request()))
        await connection.send(OK)
        await connection.gone()

    async with asking(name, script) as upstream:
        assert (await outcome(upstream, request("PUT", "/a?b", *headers), body)).how == "whole"
    line, host, rest = got[0].split(b"\r\n", 2)
    assert (line, host[:16]) == (b"PUT /a?b HTTP/1.1", b"Host: 127.0.0.1:")
    return rest


@engines
async def test_a_body_whose_length_the_client_told_keeps_it(name: EngineName) -> None:
    assert await seen(name, (b"content-length", b"4"), body=of(b"ab", b"", b"cd")) == b"content-length: 4\r\n\r\nabcd"


@engines
async def test_any_other_body_goes_in_chunks_of_ours(name: EngineName) -> None:
    chunks = b"2\r\nab\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
    got = await seen(name, (b"Transfer-Encoding", b"chunked"), body=of(b"ab", b"", b"0123456789abcdef"))
    assert got == b"Transfer-Encoding: chunked\r\n\r\n" + chunks


@engines
async def test_an_empty_body_of_known_length_stays_one(name: EngineName) -> None:
    assert await seen(name, (b"Content-Length", b"0")) == b"Content-Length: 0\r\n\r\n"


async def test_the_fast_engine_adds_no_length_to_a_request_without_a_body() -> None:
    """The reference engine adds `Content-Length: 0`, which is aiohttp's doing."""
    assert await seen("fast") == b"\r\n"
    assert await seen("reference") == b"Content-Length: 0\r\n\r\n"


async def test_fields_pass_in_their_bytes_case_and_order_by_the_fast_engine() -> None:
    """The reference engine spells a repeat as the first, and refuses what is no UTF-8."""
    headers = ((b"x-B", b"1"), (b"X-a", b"\xe9\xff\t\x07"), (b"x-b", b""), (b"Expect", b"100-continue"), (b"TE", b"x"))
    assert await seen("fast", *headers) == b"x-B: 1\r\nX-a: \xe9\xff\t\x07\r\nx-b: \r\n\r\n"


@pytest.mark.parametrize("value", [b"a\r\nX-Evil: 1", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_field_that_could_end_the_head_early_reaches_nobody(value: bytes) -> None:
    async with asking("fast", lambda _: asyncio.sleep(0)) as upstream:
        with pytest.raises(BadRequest):
            await outcome(upstream, request("GET", "/", (b"X", value)))


@pytest.mark.parametrize("pieces", [(b"abc",), (b"abc", b"defg")])
async def test_a_body_that_is_not_as_long_as_told_breaks_off_before_a_byte_too_many(pieces: tuple[bytes, ...]) -> None:
    got = b""
    gone = asyncio.Event()

    async def script(connection: Connection) -> None:
        nonlocal got
        await connection.reader.readuntil(b"\r\n\r\n")
        got = await connection.reader.read()
        gone.set()

    async with asking("fast", script) as upstream:
        with pytest.raises(BadRequest):
            await outcome(upstream, UPLOAD, of(*pieces))
        await gone.wait()
    assert got in {b"abc", b""}


async def test_what_breaks_an_upload_off_before_the_answer_is_what_is_raised() -> None:
    async def script(connection: Connection) -> None:
        await connection.gone()

    async with asking("fast", script) as upstream:
        with pytest.raises(RequestTooLarge):
            await outcome(upstream, UPLOAD, of(b"abc", then=RequestTooLarge("too large")))
        with pytest.raises(BadRequest):
            await outcome(upstream, UPLOAD, of(b"abc", then=ValueError()))
        with pytest.raises(ConnectionResetError):
            await outcome(upstream, UPLOAD, of(b"abc", then=ConnectionResetError()))


async def test_what_breaks_an_upload_off_after_the_head_tears_the_answer() -> None:
    answered = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        await answered.wait()
        raise ValueError

    async def script(connection: Connection) -> None:
        await connection.reader.readuntil(b"abc")
        await connection.send(OK[:-1])
        await connection.gone()

    async with asking("fast", script) as upstream:
        answer = await upstream.open(UPLOAD, body())
        answered.set()
        with pytest.raises(Exception, match="the request's body broke off"):
            _ = [chunk async for chunk in answer.chunks()]
        answer.close()


async def test_what_breaks_an_upload_off_after_a_whole_answer_takes_nothing_from_it() -> None:
    answered, broken = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        await answered.wait()
        broken.set()
        raise ValueError

    async def script(connection: Connection) -> None:
        await connection.reader.readuntil(b"abc")
        await one_by_one(connection, [OK])
        answered.set()
        await connection.gone()

    async with asking("fast", script) as upstream:
        answer = await upstream.open(UPLOAD, body())
        await broken.wait()
        assert [chunk.data async for chunk in answer.chunks()] == [b"ok"]
        answer.close()


async def test_an_upstream_that_ends_its_side_and_reads_nothing_holds_no_connection() -> None:
    full, freed = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(1024):
            yield b"x" * 65_536
            full.set()

    async def script(connection: Connection) -> None:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await full.wait()
        connection.writer.write_eof()
        await freed.wait()

    async with asking("fast", script) as upstream:
        assert (await outcome(upstream, request("POST"), body())).how == "unreachable"
        for _ in range(8):
            await asyncio.sleep(0)
        assert isinstance(upstream, FastUpstream)
        assert upstream.connections == 0
        freed.set()


@engines
async def test_an_answer_may_come_before_the_upload_ends_and_takes_its_connection_with_it(name: EngineName) -> None:
    never = asyncio.Event()
    connections: list[Connection] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        await never.wait()

    async def script(connection: Connection) -> None:
        connections.append(connection)
        await connection.reader.readuntil(b"abc" if len(connections) == 1 else b"\r\n\r\n")
        await connection.send(OK)
        await connection.gone()

    async with asking(name, script) as upstream:
        assert (await outcome(upstream, UPLOAD, body())).body == b"ok"
        assert (await outcome(upstream, request())).body == b"ok"
    assert len(connections) == 2


@engines
async def test_an_upload_is_taken_no_faster_than_the_upstream_reads(name: EngineName) -> None:
    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1024):
            taken += 65_536
            yield b"x" * 65_536

    async def script(connection: Connection) -> None:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await done.wait()

    done = asyncio.Event()
    async with asking(name, script, idle_s=0.2) as upstream:
        assert (await outcome(upstream, request("POST"), body())).how == "late"
        done.set()
    assert taken < 32 << 20


@engines
async def test_an_upload_may_take_longer_than_the_wait_for_the_head(name: EngineName) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(4):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.04)  # a client that is slow
            yield b"x"

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(OK)
        await connection.gone()

    async with asking(name, script, first_byte_s=0.1, connect_s=0.01) as upstream:
        assert (await outcome(upstream, request("POST"), body())).how == "whole"


@engines
async def test_a_large_upload_arrives_whole(name: EngineName) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(128):
            yield b"x" * 65_536

    async def script(connection: Connection) -> None:
        _, got = await connection.request()
        assert len(got) == 8 << 20
        await connection.send(OK)
        await connection.gone()

    async with asking(name, script) as upstream:
        asked = request("POST", "/", (b"Content-Length", b"8388608"))
        assert (await outcome(upstream, asked, body())).how == "whole"
