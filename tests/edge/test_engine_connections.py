"""What becomes of connections: kept, looked at before use, never trusted with what nobody asked for, freed at once."""

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.certificates import Authority
from support.engines import ENGINES, OK, asking, engine, one_by_one, outcome, request
from support.raw import Connection, serving
from wiretape.edge.engines.fast import FastUpstream
from wiretape.edge.upstream import EngineName, UpstreamOptions
from wiretape.errors import UpstreamTorn, UpstreamUnreachable

engines = pytest.mark.parametrize("name", ENGINES)
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"


class Kept:
    """A server that keeps connections and counts them, and the requests on each."""

    def __init__(self) -> None:
        self.requests: list[int] = []
        self.closed = asyncio.Event()

    async def __call__(self, connection: Connection) -> None:
        mine = len(self.requests)
        self.requests.append(0)
        try:
            while True:
                await connection.request()
                self.requests[mine] += 1
                await connection.send(OK)
        finally:
            self.closed.set()


@engines
async def test_one_connection_carries_one_request_after_the_other(name: EngineName) -> None:
    server = Kept()
    async with asking(name, server) as upstream:
        for method in ("GET", "POST", "HEAD", "DELETE"):
            await outcome(upstream, request(method))
    assert server.requests[0] >= 2
    assert sum(server.requests) == 4


@engines
async def test_requests_at_once_have_a_connection_each_and_no_bound(name: EngineName) -> None:
    everyone = asyncio.Barrier(150)

    async def script(connection: Connection) -> None:
        await connection.request()
        await everyone.wait()
        await connection.send(OK)
        await connection.gone()

    async with asking(name, script) as upstream:
        got = await asyncio.gather(*(outcome(upstream, request()) for _ in range(150)))
    assert {one.how for one in got} == {"whole"}


@engines
async def test_idle_connections_are_closed_after_a_while(name: EngineName) -> None:
    server = Kept()
    async with asking(name, server, kept_s=0.05) as upstream:
        await outcome(upstream, request())
        async with asyncio.timeout(5):
            await server.closed.wait()


async def test_no_more_idle_connections_are_kept_than_told() -> None:
    server, both = Kept(), asyncio.Barrier(2)

    async def script(connection: Connection) -> None:
        await connection.request()
        await both.wait()
        await connection.send(OK)
        await server(connection)

    async with asking("fast", script, kept_max=1) as upstream:
        await asyncio.gather(outcome(upstream, request()), outcome(upstream, request()))
        async with asyncio.timeout(5):
            await server.closed.wait()
        assert (await outcome(upstream, request())).how == "whole"
    assert sorted(server.requests) == [0, 1]


async def test_a_kept_connection_that_has_closed_unseen_carries_no_post() -> None:
    """The upstream's end lies in the socket, and the loop has not looked: the fast engine looks before it sends."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0)
    loop = asyncio.get_running_loop()
    upstream = engine("fast", UpstreamOptions(url=f"http://127.0.0.1:{server.getsockname()[1]}"))

    async def answer() -> socket.socket:
        client, _ = await loop.sock_accept(server)
        assert (await loop.sock_recv(client, 65_536)).startswith(b"POST ")
        await loop.sock_sendall(client, OK)
        return client

    first, client = await asyncio.gather(outcome(upstream, request("POST")), answer())
    client.close()  # and no turn of the loop before the next request
    second, client = await asyncio.gather(outcome(upstream, request("POST")), answer())
    assert [first.how, second.how] == ["whole", "whole"]
    await upstream.close()
    client.close()
    server.close()


@engines
@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("HEAD", 2), ("DELETE", 2), ("POST", 1), ("PATCH", 1)])
async def test_only_what_may_be_repeated_is_sent_again_where_a_kept_connection_breaks(
    name: EngineName, method: str, times: int
) -> None:
    asked = 0

    async def script(connection: Connection) -> None:
        nonlocal asked
        while True:
            head, _ = await connection.request()
            asked += head.startswith(method.encode())
            if asked == 1:
                return
            await connection.send(OK[:-2] if method == "HEAD" and asked else OK)

    async with asking(name, script) as upstream:
        await outcome(upstream, request("OPTIONS"))
        got = await outcome(upstream, request(method))
    assert (asked, got.how) == (times, "whole" if times == 2 else "unreachable")


async def test_a_new_connection_that_breaks_is_told_by_the_fast_engine() -> None:
    """The reference engine asks again there too: that is aiohttp's doing."""
    asked = 0

    async def script(connection: Connection) -> None:
        nonlocal asked
        await connection.request()
        asked += 1

    async with asking("fast", script) as upstream:
        assert (await outcome(upstream, request())).how == "unreachable"
    assert asked == 1


async def test_an_answer_that_nobody_asked_for_is_never_taken_for_the_next() -> None:
    """The reference engine takes it, which is aiohttp's doing."""
    connections, unasked = 0, asyncio.Event()

    async def script(connection: Connection) -> None:
        nonlocal connections
        connections += 1
        await connection.request()
        await connection.send(OK)
        if connections == 1:
            await connection.send(OK.replace(b"ok", b"no"))
            unasked.set()
        await connection.gone()

    async with asking("fast", script) as upstream:
        await outcome(upstream, request("POST"))
        await unasked.wait()
        assert (await outcome(upstream, request("POST"))).body == b"ok"
    assert connections == 2


@engines
@pytest.mark.parametrize("when", ["before the head", "within the body"])
async def test_a_cancelled_exchange_frees_its_connection_at_once(name: EngineName, when: str) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        if when == "within the body":
            await connection.send(STREAM)
        asked.set()
        await connection.gone()
        left.set()

    async with asking(name, script) as upstream:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(outcome(upstream, request()))
            await asked.wait()
            await asyncio.sleep(0)
            task.cancel()
        async with asyncio.timeout(5):
            await left.wait()


@engines
async def test_a_reset_after_an_early_answer_is_nothing_to_complain_of(name: EngineName) -> None:
    async def script(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        await connection.send(OK)
        connection.reset()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(65_536)
            await asyncio.sleep(0)

    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    upload = request("POST", "/", (b"Content-Length", b"6553600"))
    async with asking(name, script) as upstream:
        for _ in range(5):
            await outcome(upstream, upload, body())
    gc.collect()
    assert not complaints


@engines
async def test_no_head_in_time_is_told_as_late(name: EngineName) -> None:
    async with asking(name, Connection.gone, first_byte_s=0.05, connect_s=0.05) as upstream:
        assert (await outcome(upstream, request())).how == "late"
        assert (await outcome(upstream, request("POST"))).how == "late"


@engines
async def test_a_body_that_stalls_is_torn(name: EngineName) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM)
        await connection.gone()

    async with asking(name, script, idle_s=0.05) as upstream:
        got = await outcome(upstream, request())
    assert (got.how, got.body) == ("torn", b"ok")


@engines
async def test_a_reader_that_takes_its_time_is_no_stall(name: EngineName) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM + b"0\r\n\r\n")
        await connection.gone()

    async with asking(name, script, idle_s=0.05) as upstream:
        answer = await upstream.open(request(), None)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.15)
        assert [chunk.data async for chunk in answer.chunks()] == [b"ok"]
        answer.close()


@engines
async def test_a_slow_reader_slows_its_upstream(name: EngineName) -> None:
    pushed, stuck = 0, asyncio.Event()

    async def script(connection: Connection) -> None:
        nonlocal pushed
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
        for _ in range(1024):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if stuck.is_set() else 0.3):
                    await connection.send(b"x" * 65_536)
                    pushed += 65_536
                    continue
            stuck.set()

    async with asking(name, script) as upstream:
        answer = await upstream.open(request(), None)
        await stuck.wait()
        assert pushed < 32 << 20
        async with asyncio.timeout(20):
            assert sum([len(chunk.data) async for chunk in answer.chunks()]) == 64 << 20
        answer.close()


async def test_what_is_read_ahead_is_bounded_in_the_smallest_chunks_too() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        await one_by_one(connection, [b"x"] * 1000)
        sent.set()

    sent = asyncio.Event()
    async with asking("fast", script, read_ahead_bytes_max=10_000) as upstream:
        answer = await upstream.open(request(), None)
        await sent.wait()
        chunks = [chunk.data async for chunk in answer.chunks()]
        answer.close()
    assert b"".join(chunks) == b"x" * 1000
    assert max(map(len, chunks)) > 100  # what was not read ahead came in one read


@engines
async def test_a_reset_before_the_head_is_told(name: EngineName) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        connection.reset()

    async with asking(name, script) as upstream:
        assert (await outcome(upstream, request("POST"))).how == "unreachable"


@pytest.mark.parametrize("begun", [b"HTTP/1.1 200 OK\r\n\r\nok", STREAM])
async def test_a_reset_tears_a_body_even_one_that_ends_with_its_connection(begun: bytes) -> None:
    """The reference engine ends a body that has no other end without a word: that is aiohttp's doing."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(begun)
        await read_on.wait()
        connection.reset()

    read_on = asyncio.Event()
    async with asking("fast", script) as upstream:
        answer = await upstream.open(request("POST"), None)
        read_on.set()
        with pytest.raises(UpstreamTorn):
            _ = [chunk async for chunk in answer.chunks()]
        answer.close()


@engines
@pytest.mark.parametrize(
    "url", ["http://no-such-host.invalid", "http://" + "a" * 70 + ".invalid", "http://127.0.0.1:1"]
)
async def test_what_cannot_be_reached_is_told_so(name: EngineName, url: str) -> None:
    upstream = engine(name, UpstreamOptions(url=url))
    with pytest.raises(UpstreamUnreachable):
        await upstream.open(request(), None)
    await upstream.close()


@engines
async def test_a_connect_that_takes_too_long_is_given_up(name: EngineName) -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):  # a backlog of none takes one; the next waits, as ours will
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        upstream = engine(name, UpstreamOptions(url=f"http://127.0.0.1:{full.getsockname()[1]}", connect_s=0.1))
        with pytest.raises(UpstreamUnreachable, match=r"took no connection in 0\.1 s"):
            await upstream.open(request("POST"), None)
        await upstream.close()


@engines
async def test_closing_an_engine_closes_what_is_idle_and_what_is_not(name: EngineName) -> None:
    gone = asyncio.Semaphore(0)

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM)
        await connection.gone()
        gone.release()

    async with serving(script) as url:
        upstream = engine(name, UpstreamOptions(url=url))
        answer = await upstream.open(request(), None)
        await upstream.close()
        async with asyncio.timeout(5):
            await gone.acquire()
        answer.close()


async def test_closing_the_fast_engine_tears_a_body_that_ends_with_its_connection() -> None:
    """The reference engine ends it without a word: that is aiohttp's doing."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\nok")
        await connection.reader.read()

    async with asking("fast", script) as upstream:
        answer = await upstream.open(request(), None)
        await upstream.close()
        with pytest.raises(UpstreamTorn):
            _ = [chunk async for chunk in answer.chunks()]
        answer.close()


async def test_a_closed_engine_asks_nothing_again() -> None:
    server, asked_again = Kept(), asyncio.Event()

    async def script(connection: Connection) -> None:
        if not server.requests:
            server.requests.append(1)
            await connection.request()
            await connection.send(OK)
            await connection.request()
            asked_again.set()
            await connection.gone()
        else:
            await server(connection)

    async with asking("fast", script) as upstream:
        await outcome(upstream, request())
        async with asyncio.TaskGroup() as group:
            second = group.create_task(outcome(upstream, request()))
            await asked_again.wait()
            await upstream.close()
        assert second.result().how == "unreachable"
        assert (await outcome(upstream, request())).how == "unreachable"
    assert server.requests == [1]


async def test_a_connection_that_comes_after_the_close_is_closed() -> None:
    async with asking("fast", Kept()) as upstream:
        async with asyncio.TaskGroup() as group:
            late = group.create_task(outcome(upstream, request("POST")))
            await asyncio.sleep(0)
            await upstream.close()
        assert late.result().how == "unreachable"
        assert isinstance(upstream, FastUpstream)
        assert upstream.connections == 0


@engines
async def test_environment_proxies_and_cookies_are_not_used(name: EngineName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    heads: list[bytes] = []

    async def script(connection: Connection) -> None:
        while True:
            heads.append((await connection.request())[0])
            await connection.send(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n"))

    async with asking(name, script) as upstream:
        assert (await outcome(upstream, request())).how == "whole"
        assert (await outcome(upstream, request())).how == "whole"
    assert b"Cookie" not in b"".join(heads)


async def test_what_the_fast_engine_drops_and_does_again_is_counted() -> None:
    asked, connections, read = 0, 0, asyncio.Event()

    async def script(connection: Connection) -> None:
        nonlocal asked, connections
        connections += 1
        while True:
            await connection.request()
            asked += 1
            if asked == 2:
                return
            await connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" + STREAM + b"0\r\nT: 1\r\nU: 2\r\n\r\n")
            if asked == 4:
                await read.wait()
                await connection.send(OK)

    async with serving(script) as url:
        upstream = FastUpstream(UpstreamOptions(url=url))
        for _ in range(3):
            assert (await outcome(upstream, request())).how == "whole"
        read.set()
        while not upstream.counts.unasked:  # noqa: ASYNC110  until the loop has read it
            await asyncio.sleep(0)
        counted = upstream.counts
        await upstream.close()
    assert (counted.trailers, counted.interim, counted.repeated, counted.unasked) == (6, 3, 1, 1)
    assert connections == 2


@pytest.mark.parametrize("told", [True, False])
async def test_tls_that_ends_without_saying_so_tears_a_body_that_ends_with_its_connection(
    told: bool, tmp_path: Path
) -> None:
    """The reference engine ends it without a word: that is aiohttp's doing."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nok")
        if not told:
            with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as beneath:
                beneath.shutdown(socket.SHUT_WR)
        writer.close()

    authority = Authority(tmp_path)
    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=authority.server())
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    upstream = engine("fast", UpstreamOptions(url=url, ca_file=authority.file))
    got = await outcome(upstream, request("POST"))
    await upstream.close()
    server.close()
    assert (got.how, got.body) == ("whole" if told else "torn", b"ok")
