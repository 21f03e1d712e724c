"""The traffic listener against clients that are slow, gone, too many, or not quite HTTP."""

import asyncio
import contextlib
import gc
import json
import re
import resource
import select
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.certificates import Authority
from support.command import running
from support.proxied import proxied
from support.raw import Connection, Script, exchange, serving
from support.recorder import recording
from wiretape.app import Proxy
from wiretape.cassette.plan import Mode
from wiretape.edge.connection import Connection as ClientConnection
from wiretape.edge.connection import affordable
from wiretape.edge.incoming import Incoming
from wiretape.edge.listen import EdgeOptions
from wiretape.edge.upload import patience_s
from wiretape.exchange import How
from wiretape.runs.report import ExchangeReport
from wiretape.testing import CollectingSink

POST = b"POST / HTTP/1.1\r\nHost: proxy.test\r\n"
GET = b"GET / HTTP/1.1\r\nHost: proxy.test\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NOWHERE = "http://127.0.0.1:1"


def error_of(got: bytes) -> tuple[int, str]:
    head, _, body = got.partition(b"\r\n\r\n")
    code = json.loads(body)["error"]["code"]
    assert f"X-Wiretape-Error: {code}\r\n".encode() in head
    return int(head.split()[1]), code


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def told(proxy: Proxy, collector: CollectingSink) -> ExchangeReport:
    await proxy.close()
    (report,) = collector.exchanges
    return report


async def metrics(proxy: Proxy) -> str:
    return (await exchange(proxy.admin.url, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).decode()


@pytest.mark.parametrize("head", [b"X: " + b"y" * 2000, b"X: y\r\n" * 20 + b"X: y"])
async def test_a_head_that_is_too_large_is_a_431(head: bytes) -> None:
    async with proxied(NOWHERE, edge=EdgeOptions(header_bytes_max=1000, headers_max=10)) as proxy:
        got = await exchange(proxy.traffic.url, GET + head + b"\r\n\r\n")
        counted = await metrics(proxy)
    assert error_of(got) == (431, "headers_too_large")
    assert 'wiretape_connections_refused_total{wiretape_reason="headers_too_large"} 1.0' in counted


@pytest.mark.parametrize("before", [b"", POST + b"Content-Length: 2\r\n\r\nok"])
async def test_a_head_of_many_large_fields_is_a_431_before_it_fills_the_memory(before: bytes) -> None:
    async with recording() as (url, recorder), proxied(url, edge=EdgeOptions(header_bytes_max=1000)) as proxy:
        async with connected(proxy) as (reader, writer):
            if before:
                writer.write(before)
                await reader.readuntil(b"\r\n\r\nok")
            writer.write(GET)
            got, fields = b"", 0
            while not got:
                fields += 1
                writer.write(b"X: " + b"y" * 900 + b"\r\n")
                with contextlib.suppress(TimeoutError):
                    got = await asyncio.wait_for(reader.readuntil(b"}}"), 0.02)
        assert proxy.traffic.refused == {"headers_too_large": 1}
    assert error_of(got) == (431, "headers_too_large")
    assert fields < 10
    assert recorder.begun == bool(before)


@pytest.mark.parametrize(("begin", "more"), [(b"0\r\n", b"X: %b\r\n" % (b"y" * 900)), (b"3;", b"y" * 900)])
async def test_trailers_and_chunk_extensions_without_end_are_refused_too(begin: bytes, more: bytes) -> None:
    async with recording() as (url, recorder), proxied(url, edge=EdgeOptions(header_bytes_max=1000)) as proxy:
        async with connected(proxy) as (reader, writer):
            writer.write(CHUNKED + b"3\r\nfoo\r\n")
            await reached(recorder)
            writer.write(begin)
            got, pieces = b"", 0
            while not got:
                pieces += 1
                writer.write(more)
                with contextlib.suppress(TimeoutError):
                    got = await asyncio.wait_for(reader.readuntil(b"}}"), 0.02)
    assert error_of(got) == (400, "bad_request")
    assert pieces < 10
    assert recorder.whole == []


async def test_a_target_that_is_too_long_is_a_431() -> None:
    async with proxied(NOWHERE, edge=EdgeOptions(header_bytes_max=1000)) as proxy:
        got = await exchange(proxy.traffic.url, b"GET /" + b"y" * 2000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert error_of(got) == (431, "headers_too_large")


async def test_a_head_within_its_bounds_passes() -> None:
    async with recording() as (url, recorder), proxied(url) as proxy:
        fields = b"X-Long: " + b"y" * 60_000 + b"\r\n" + b"X: y\r\n" * 200
        got = await exchange(proxy.traffic.url, GET + fields + b"Connection: close\r\n\r\n")
    assert got.endswith(b"ok")
    assert recorder.whole[0][0].endswith(fields + b"\r\n")


async def test_an_unknown_expectation_is_a_417_and_reaches_nobody() -> None:
    async with recording() as (url, recorder), proxied(url) as proxy:
        got = await exchange(proxy.traffic.url, POST + b"Expect: 200-maybe\r\nContent-Length: 2\r\n\r\nok")
    assert error_of(got) == (417, "expectation_failed")
    assert recorder.begun == 0


async def test_a_trailer_reaches_neither_the_upstream_nor_the_next_request() -> None:
    request = POST + b"Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    collector = CollectingSink()
    async with recording() as (url, recorder), proxied(url, sinks=(collector,)) as proxy:
        got = await exchange(proxy.traffic.url, request + GET + b"Connection: close\r\n\r\n")
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert [body for _, body in recorder.whole] == [b"abc", b""]
    assert not [head for head, _ in recorder.whole if b"X-Sum: 1" in head]
    assert [report.trailers_dropped for report in collector.exchanges] == [1, 0]


@pytest.mark.parametrize("rest", [b"\r\n\r\n", b" 0\r\n\r\n", b"z\r\n", b"3\r\nabcdef\r\n"])
@pytest.mark.parametrize("glued", [True, False])
async def test_a_body_that_breaks_off_never_ends_cleanly_upstream(rest: bytes, glued: bool) -> None:
    collector = CollectingSink()
    async with recording() as (url, recorder), proxied(url, sinks=(collector,)) as proxy:
        async with connected(proxy) as (reader, writer):
            writer.write(CHUNKED + b"3\r\nfoo\r\n")
            if not glued:
                await reached(recorder)
            writer.write(rest)
            got = await reader.read()
        await proxy.close()
    assert error_of(got) == (400, "bad_request")
    assert recorder.whole == []
    assert [(one.how, one.code) for one in collector.exchanges] == [(How.REFUSED, "bad_request")] * recorder.begun


async def reached(recorder: object) -> None:
    while not getattr(recorder, "begun", 0):  # noqa: ASYNC110  until the upstream has read the head
        await asyncio.sleep(0)


@pytest.mark.parametrize("begun", [POST + b"Content-Length: 10\r\n\r\nfoo", CHUNKED + b"3\r\nfoo\r\n"])
async def test_a_body_that_stops_coming_is_a_408(begun: bytes) -> None:
    collector = CollectingSink()
    edge = EdgeOptions(body_idle_s=0.1)
    async with recording() as (url, recorder), proxied(url, edge=edge, sinks=(collector,)) as proxy:
        got = await exchange(proxy.traffic.url, begun)
        report = await told(proxy, collector)
    assert error_of(got) == (408, "request_timeout")
    assert b"Connection: close\r\n" in got
    assert (report.how, report.code, report.bytes_in) == (How.REFUSED, "request_timeout", 3)
    assert recorder.whole == []


async def test_a_held_body_that_stops_coming_is_a_408() -> None:
    cassette = str(Path(__file__).parents[2] / "cassettes" / "slow-run")
    edge = EdgeOptions(body_idle_s=0.1)
    async with proxied("sandbox", edge=edge, mode=Mode.REPLAY, cassette=(cassette,)) as proxy:
        got = await exchange(proxy.traffic.url, POST + b"Content-Length: 10\r\n\r\nfoo")
    assert error_of(got) == (408, "request_timeout")


async def test_a_body_that_trickles_is_a_408() -> None:
    """Never idle for long, and yet too slow."""
    edge = EdgeOptions(body_idle_s=0.3, body_rate_min=1000)
    async with recording() as (url, recorder), proxied(url, edge=edge) as proxy:
        async with connected(proxy) as (reader, writer):
            writer.write(POST + b"Content-Length: 100000\r\n\r\n")
            got = b""
            while not got:
                writer.write(b"x")
                with contextlib.suppress(TimeoutError):  # a client that is slow, not one that sleeps
                    got = await asyncio.wait_for(reader.readuntil(b"}}"), 0.02)
    assert error_of(got) == (408, "request_timeout")
    assert recorder.whole == []


@pytest.mark.parametrize(
    ("got", "waited_s", "left_s"), [(0, 0.0, 10.0), (0, 4.0, 6.0), (1000, 4.0, 10.0), (500, 12.0, 3.0), (0, 11.0, 0.0)]
)
def test_patience_ends_with_the_idle_time_and_with_the_rate(got: int, waited_s: float, left_s: float) -> None:
    assert patience_s(10.0, 100, got, waited_s) == left_s
    assert patience_s(10.0, 0, got, waited_s) == 10.0


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-"])
async def test_a_head_that_stops_coming_is_closed(begun: bytes) -> None:
    async with proxied(NOWHERE, edge=EdgeOptions(keepalive_s=0.1)) as proxy:
        async with asyncio.timeout(5):
            assert await exchange(proxy.traffic.url, begun) == b""


async def test_pipelined_requests_are_answered_in_order_and_each_once() -> None:
    async def script(connection: Connection) -> None:
        while True:
            head, body = await connection.request()
            target = head.split(b" ")[1]
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(target + body), target + body)

    async with serving(script) as url, proxied(url) as proxy:
        requests = [b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" % number for number in range(40)]
        last = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        got = await exchange(proxy.traffic.url, b"".join(requests) + last)
    assert re.findall(rb"\r\n\r\n(/[a-z0-9]+)", got) == [*(b"/%dabc" % number for number in range(40)), b"/last"]


async def test_large_heads_that_wait_for_an_answer_are_bounded() -> None:
    """The first answer does not come: what the client sends meanwhile stays with it, and not with us."""
    asked = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        asked.set()
        await connection.gone()

    async with serving(script) as url, proxied(url) as proxy:
        async with connected(proxy) as (_, writer):
            writer.write(GET + b"\r\n")
            await asked.wait()
            large = (GET + b"".join(b"X-%d: %b\r\n" % (number, b"y" * 30_000) for number in range(8)) + b"\r\n") * 30
            writer.write(large)
            waiting = await still(lambda: len([one for one in gc.get_objects() if type(one) is Incoming]))
    assert 1 < waiting < 6


async def test_the_smallest_chunks_that_wait_for_an_answer_are_bounded() -> None:
    """Each costs us many times its bytes."""

    async def script(connection: Connection) -> None:
        await connection.gone()

    def held() -> int:
        return max((one.body.held_bytes for one in gc.get_objects() if type(one) is Incoming and one.body), default=0)

    async with serving(script) as url, proxied(url) as proxy:
        async with connected(proxy) as (_, writer):
            writer.write(GET + b"\r\n" + CHUNKED + b"2\r\nok\r\n" * 200_000)
            assert 0 < await still(held) < 100_000


async def still(size: Callable[[], int]) -> int:
    """Wait until a size is there, and changes no more; gives it."""
    before = 0
    async with asyncio.timeout(10):
        while not before or before != size():
            before = size()
            await asyncio.sleep(0.1)
    return before


@pytest.mark.parametrize("request_", [GET + b"\r\n", POST + b"Content-Length: 2\r\n\r\nok"])
async def test_a_connection_that_idles_keeps_nothing_of_its_last_request(request_: bytes) -> None:
    gc.collect()  # what refusals of other tests left: an error and its traceback hold each other
    async with recording() as (url, _), proxied(url) as proxy:
        async with connected(proxy) as (reader, writer):
            for _ in range(2):  # on a new connection of the upstream's, and on a kept one
                writer.write(request_)
                await reader.readuntil(b"\r\n\r\nok")
            assert [one for one in gc.get_objects() if type(one) is Incoming] == []


async def test_a_connection_that_is_closed_is_free_without_the_collector() -> None:
    async with recording() as (url, _), proxied(url) as proxy:
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                await exchange(proxy.traffic.url, GET + b"Connection: close\r\n\r\n")
            while proxy.traffic.connections:  # noqa: ASYNC110  nobody else tells
                await asyncio.sleep(0)
            assert len([one for one in gc.get_objects() if type(one) is ClientConnection]) < 2
        finally:
            gc.enable()


async def test_refusals_that_nobody_reads_do_not_heap_up() -> None:
    """Each of them leaves the connection open for the next request, which waits until there is room."""
    async with proxied(NOWHERE, edge=EdgeOptions(streams_max=0)) as proxy:
        _, writer = await asyncio.open_connection(sock=narrow(proxy), limit=1)
        writer.write((GET + b"\r\n") * 20_000)
        while not proxy.traffic.connections:  # noqa: ASYNC110  nobody else tells
            await asyncio.sleep(0)
        (one,) = [one for one in gc.get_objects() if type(one) is ClientConnection and one.transport]
        assert one.transport is not None
        held = await still(one.transport.get_write_buffer_size)
        writer.transport.abort()
    assert 0 < held < 100_000


async def test_an_old_client_may_stay_and_ask_again() -> None:
    async with recording() as (url, recorder), proxied(url) as proxy:
        old = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        got = await exchange(proxy.traffic.url, old + b"GET / HTTP/1.0\r\n\r\n")
    first, second = got.split(b"ok")[:2]
    assert b"Connection: keep-alive" in first
    assert b"Connection" not in second
    assert len(recorder.whole) == 2


async def test_a_last_answer_is_not_taken_back_by_a_reset() -> None:
    """A client that still writes when we close would be reset, and lose what it has not read."""
    async with recording() as (url, _), proxied(url) as proxy:
        async with connected(proxy) as (reader, writer):
            writer.write(b"GET / HTTP/2.0\r\nHost: x\r\n\r\n" + b"x" * 100_000)
            await reader.readuntil(b"400 Bad Request\r\n")
            for _ in range(10):
                writer.write(b"x" * 10_000)
                await asyncio.sleep(0)
            assert (await reader.read()).endswith(b"}}")


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400),
        (GET + b"X: y\r\n" * 300, 431),
        (POST + b"Content-Length: 9000000\r\n\r\nfoo", 408),
    ],
)
async def test_a_last_answer_is_not_taken_back_by_a_reset_through_tls(
    begun: bytes, status: int, tmp_path: Path
) -> None:
    """TLS knows no half-close: a client that still writes is read for a moment before we close."""

    def ask() -> bytes:
        raw = socket.create_connection((proxy.traffic.address.host, proxy.traffic.address.port), timeout=10)
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as client:
            client.sendall(begun)
            select.select([client], [], [])  # the answer is there, and not read
            for _ in range(1000):
                client.sendall(b"x" * 10_000)  # many a client reads nothing any more once this fails
            got = b""
            while not got.endswith(b"}}") and (data := client.recv(65_536)):
                got += data
            return got

    authority, edge = Authority(tmp_path), EdgeOptions(body_idle_s=0.1)
    cert, key = authority.issued()
    context = authority.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # whose servers say nothing after the handshake but their answer
    async with recording() as (url, _), proxied(url, edge=edge, tls_cert=cert, tls_key=key) as proxy:
        assert error_of(await asyncio.to_thread(ask))[0] == status


@pytest.mark.parametrize("after", [CHUNKED + b"3\r\nfoo\r\n", POST + b"Content-Length: 9\r\n\r\nfoo", GET + b"\r\n"])
async def test_a_client_that_closes_its_half_is_taken_for_gone(after: bytes) -> None:
    """A client that leaves looks the same, and its upstream is to be freed within a second."""
    freed = asyncio.Event()
    asked = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        asked.set()
        await connection.gone()
        freed.set()

    collector = CollectingSink()
    async with serving(script) as url, proxied(url, sinks=(collector,)) as proxy:
        async with connected(proxy) as (reader, writer):
            writer.write(after)
            await asked.wait()
            writer.write_eof()
            assert await reader.read() == b""
            async with asyncio.timeout(1):
                await freed.wait()
        report = await told(proxy, collector)
    assert (report.how, report.code) == (How.CLIENT_LEFT, None)


async def test_one_connection_too_many_is_a_503_and_there_is_room_again_afterwards() -> None:
    async with recording() as (url, _), proxied(url, edge=EdgeOptions(connections_max=2)) as proxy:
        async with connected(proxy) as (reader, writer), connected(proxy):
            writer.write(GET + b"\r\n")
            await reader.readuntil(b"ok")
            refused = await exchange(proxy.traffic.url, GET + b"\r\n")
            counted = await metrics(proxy)
        while proxy.traffic.connections:  # noqa: ASYNC110  until the two are seen to have gone
            await asyncio.sleep(0)
        again = await exchange(proxy.traffic.url, GET + b"Connection: close\r\n\r\n")
    assert error_of(refused) == (503, "overloaded")
    assert b"Retry-After: 1\r\n" in refused
    assert b"Connection: close\r\n" in refused
    assert 'wiretape_connections_refused_total{wiretape_reason="overloaded"} 1.0' in counted
    assert "wiretape_connections_active 2.0" in counted
    assert again.endswith(b"ok")


async def test_connections_that_come_all_at_once_are_no_more_than_the_bound() -> None:
    async with proxied(NOWHERE, edge=EdgeOptions(connections_max=3)) as proxy:
        address = proxy.traffic.address
        clients = [socket.create_connection((address.host, address.port)) for _ in range(20)]
        while proxy.traffic.connections + proxy.traffic.refused.get("overloaded", 0) < len(clients):  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert (proxy.traffic.connections, proxy.traffic.refused) == (3, {"overloaded": 17})
        for client in clients:
            client.close()


def test_connections_leave_descriptors_for_their_upstreams() -> None:
    assert affordable() == max(1, int(0.4 * resource.getrlimit(resource.RLIMIT_NOFILE)[0]))


async def test_descriptors_that_run_out_are_no_flood_of_errors_and_the_proxy_recovers(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with recording() as (url, _):
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))  # for the child, which inherits it
        try:
            starting = running("serve", "--upstream", url, "--ledger", "none", cwd=tmp_path)
            process, ready = await starting.__aenter__()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        address = ready["traffic"].removeprefix("http://")
        host, port = address.rsplit(":", 1)
        many = [await asyncio.open_connection(host, int(port)) for _ in range(200)]
        answers = await asyncio.gather(*(asyncio.wait_for(reader.read(12), 5) for reader, _ in many[60:]))
        for _, writer in many:
            writer.transport.abort()
        got = b""
        while not got.endswith(b"ok"):
            got = await exchange(f"http://{address}", GET + b"Connection: close\r\n\r\n")
        process.terminate()
        _, err = await process.communicate()
        await starting.__aexit__(None, None, None)
    assert answers.count(b"HTTP/1.1 503") >= 5
    assert err.count(b"\n") < 50


def narrow(proxy: Proxy, room: int = 1) -> socket.socket:
    """Connect with a small buffer, by default the smallest that the kernel gives."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.connect((proxy.traffic.address.host, proxy.traffic.address.port))
    return client


async def test_a_slow_reader_costs_at_most_a_mebibyte() -> None:
    """100 MB wait at the upstream; what the proxy holds of them is bounded all the while."""
    held = 0

    async def script(connection: Connection) -> None:
        nonlocal held
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            connection.writer.write(b"x" * 100_000)
            held = max(held, proxy.relay.buffered_bytes)
            async with asyncio.timeout(1):
                await connection.writer.drain()

    async with serving(script) as url, proxied(url) as proxy:
        client = narrow(proxy)
        client.sendall(GET + b"\r\n")
        while not proxy.relay.buffered_bytes:  # noqa: ASYNC110  until the buffers of the way are full
            await asyncio.sleep(0)
        client.settimeout(0)
        for _ in range(1000):
            await asyncio.get_running_loop().sock_recv(client, 65_536)
            held = max(held, proxy.relay.buffered_bytes)
        client.close()
    assert 0 < held <= 1 << 20


def freed_by_loss(freed: asyncio.Event) -> Script:
    """Send more than any buffer takes, and tell when the connection is lost."""

    async def script(connection: Connection) -> None:
        await connection.request()
        try:
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", *[b"x" * 65_536] * 1500)
        except ConnectionError:
            freed.set()

    return script


async def test_a_client_that_takes_nothing_is_cut_and_frees_its_upstream() -> None:
    freed = asyncio.Event()
    collector = CollectingSink()
    edge = EdgeOptions(send_idle_s=0.3)
    async with serving(freed_by_loss(freed)) as url, proxied(url, edge=edge, sinks=(collector,)) as proxy:
        client = narrow(proxy)
        client.sendall(GET + b"\r\n")
        async with asyncio.timeout(10):
            await freed.wait()
        report = await told(proxy, collector)
        client.close()
    assert (report.how, report.code) == (How.CLIENT_LEFT, "client_stalled")


async def test_a_client_that_takes_nothing_is_cut_through_tls_too(tmp_path: Path) -> None:
    freed = asyncio.Event()

    def ask(client: socket.socket) -> ssl.SSLSocket:
        secured = authority.client().wrap_socket(client, server_hostname="127.0.0.1")
        secured.sendall(GET + b"\r\n")
        return secured

    authority, collector, edge = Authority(tmp_path), CollectingSink(), EdgeOptions(send_idle_s=0.3)
    cert, key = authority.issued()
    async with serving(freed_by_loss(freed)) as url:
        async with proxied(url, edge=edge, sinks=(collector,), tls_cert=cert, tls_key=key) as proxy:
            with await asyncio.to_thread(ask, narrow(proxy, 4096)):
                async with asyncio.timeout(10):
                    await freed.wait()
                report = await told(proxy, collector)
    assert (report.how, report.code) == (How.CLIENT_LEFT, "client_stalled")


async def test_a_send_deadline_longer_than_the_kernel_can_count_keeps_no_client_out() -> None:
    async with recording() as (url, _), proxied(url, edge=EdgeOptions(send_idle_s=1e10)) as proxy:
        async with asyncio.timeout(5):
            got = await exchange(proxy.traffic.url, GET + b"Connection: close\r\n\r\n")
    assert got.endswith(b"ok")


async def test_a_client_that_reads_all_the_while_is_not_cut_however_slowly() -> None:
    """Its window never opens far enough for a whole segment, and yet it takes what comes."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", *[b"x" * 65_536] * 1500)

    async with serving(script) as url, proxied(url, edge=EdgeOptions(send_idle_s=0.5)) as proxy:
        client = narrow(proxy, 4096)
        client.sendall(GET + b"\r\n")
        client.settimeout(0)
        loop = asyncio.get_running_loop()
        while not proxy.relay.buffered_bytes:  # noqa: ASYNC110  until the buffers of the way are full
            await asyncio.sleep(0)
        until_s = loop.time() + 2.5
        while loop.time() < until_s:
            assert await loop.sock_recv(client, 1000)
            await asyncio.sleep(0.05)  # a client that is slow
        client.close()


@pytest.mark.parametrize("request_", [GET + b"\r\n", b"NO HTTP\r\n\r\n"])
async def test_clients_that_leave_at_once_are_no_mistakes_of_ours(request_: bytes) -> None:
    async with recording() as (url, _), proxied(url) as proxy:
        for _ in range(50):
            with socket.create_connection((proxy.traffic.address.host, proxy.traffic.address.port)) as client:
                client.sendall(request_)
            await asyncio.sleep(0)
        while proxy.traffic.connections:  # noqa: ASYNC110  until they are seen to have gone
            await asyncio.sleep(0)
        assert "internal_error" not in proxy.traffic.refused
