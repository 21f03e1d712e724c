"""The relay on real sockets: nothing invented, nothing held back, nothing ended cleanly that was not."""

import asyncio
import contextlib
import gc
import gzip
import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.proxied import proxied
from support.raw import Connection, exchange, serving
from support.recorder import recording
from wiretape.edge.engines.answer import FastAnswer
from wiretape.edge.listen import EdgeOptions
from wiretape.edge.modes import Opened
from wiretape.edge.upstream import UpstreamOptions
from wiretape.errors import BadRequest
from wiretape.exchange import Chunk, Head, How
from wiretape.telemetry.options import TelemetryOptions
from wiretape.testing import CollectingSink

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
FIRST = b"event: a\ndata: 1\n\n"
SECOND = b"event: b\ndata: 2\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def get(target: str = "/", *fields: str, method: str = "GET", close: bool = True) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: proxy.test", *fields, *(["Connection: close"] if close else [])]
    return "\r\n".join([*lines, "", ""]).encode()


async def answered(upstream_answer: bytes, request: bytes | None = None) -> tuple[bytes, bytes]:
    """Send a request through a proxy; gives what the upstream saw and what the client got."""
    seen: list[bytes] = []

    async def script(connection: Connection) -> None:
        head, body = await connection.request()
        seen.append(head + body)
        await connection.send(upstream_answer)
        await connection.gone()

    async with serving(script) as url, proxied(url) as proxy:
        got = await exchange(proxy.traffic.url, request or get())
    return b"".join(seen), got


async def test_the_first_event_passes_without_waiting_for_the_second() -> None:
    release = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM, chunk(FIRST))
        await release.wait()
        await connection.send(chunk(SECOND), b"0\r\n\r\n")

    async with serving(script) as url, proxied(url) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get())
        await reader.readuntil(FIRST)
        release.set()
        rest = await reader.read()
        writer.close()
    assert rest == b"\r\n" + chunk(SECOND) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "target", ["/v1/a?b=c&b=d", "//a/../b/./c?x=%zz&y=a+b", "/a%2Fb;c?x=[]{}|", "/a?", "/?q=%C3%A9", "/a?b?c", "/a:b@c"]
)
async def test_the_raw_target_survives(target: str) -> None:
    seen, _ = await answered(OK, get(target))
    assert seen.startswith(f"GET {target} HTTP/1.1\r\n".encode())


async def test_header_order_case_and_repeats_survive_towards_the_upstream() -> None:
    seen, _ = await answered(OK, get("/", "x-B: 1", "X-a: 2", "x-b: 3", "Cookie: a=b", "Cookie: c=d"))
    lines = seen.split(b"\r\n")[2:]
    assert lines == [b"x-B: 1", b"X-a: 2", b"x-b: 3", b"Cookie: a=b", b"Cookie: c=d", b"", b""]


async def test_nothing_is_added_towards_the_upstream_but_its_own_host() -> None:
    seen, _ = await answered(OK, get())
    request, host, *rest = seen.split(b"\r\n")
    assert (request, rest) == (b"GET / HTTP/1.1", [b"", b""])
    assert host.startswith(b"Host: 127.0.0.1:")


async def test_hop_by_hop_fields_go_in_both_directions() -> None:
    answer = OK.replace(b"\r\n\r\n", b"\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: 2\r\n\r\n")
    seen, got = await answered(
        answer,
        get("/", "Connection: x-mine", "X-Mine: 1", "TE: trailers", "X-Kept: 2", close=False).replace(
            b"x-mine", b"x-mine, close"
        ),
    )
    assert b"X-Mine" not in seen
    assert b"TE:" not in seen
    assert b"X-Kept: 2" in seen
    assert got == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kept: 2\r\nConnection: close\r\n\r\nok"


async def test_the_answers_fields_are_passed_on_as_they_came() -> None:
    answer = OK.replace(b"\r\n\r\n", b"\r\nx-B: 1\r\nX-a:  2\r\nx-b: \xe9\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n")
    _, got = await answered(answer)
    assert got.split(b"\r\n")[1:-3] == [
        b"Content-Length: 2", b"x-B: 1", b"X-a: 2", b"x-b: \xe9", b"Set-Cookie: a", b"Set-Cookie: b",
    ]  # fmt: skip


async def test_a_compressed_answer_passes_compressed() -> None:
    body = gzip.compress(b'{"a": 1}')
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    _, got = await answered(head % len(body) + body)
    assert got.endswith(b"\r\n\r\n" + body)


async def test_a_compressed_request_passes_compressed() -> None:
    body = gzip.compress(b"{}")
    seen, _ = await answered(
        OK, get("/", "Content-Encoding: gzip", f"Content-Length: {len(body)}", method="POST") + body
    )
    assert seen.endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_any_method_is_forwarded_with_its_body(method: str) -> None:
    seen, got = await answered(OK, get("/x", "Content-Length: 3", method=method) + b"abc")
    assert seen.startswith(f"{method} /x HTTP/1.1\r\n".encode())
    assert seen.endswith(b"\r\n\r\nabc")
    assert got.endswith(b"ok")


async def test_an_upload_is_passed_on_as_it_comes() -> None:
    first = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        await connection.reader.readuntil(b"one\r\n")
        first.set()
        await connection.reader.readuntil(b"0\r\n\r\n")
        await connection.send(OK)
        await connection.gone()

    async with serving(script) as url, proxied(url) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get("/", "Transfer-Encoding: chunked", method="POST") + chunk(b"one"))
        await first.wait()
        writer.write(chunk(b"two") + b"0\r\n\r\n")
        assert (await reader.read()).endswith(b"ok")
        writer.close()


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body_has_none(status: bytes) -> None:
    _, got = await answered(b"HTTP/1.1 " + status + b"\r\nETag: x\r\n\r\n")
    assert got == b"HTTP/1.1 " + status + b"\r\nETag: x\r\nConnection: close\r\n\r\n"


async def test_the_answer_to_head_keeps_its_length_and_has_no_body() -> None:
    _, got = await answered(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", get(method="HEAD"))
    assert got == b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\n"


async def test_an_old_client_gets_the_body_until_the_close() -> None:
    _, got = await answered(STREAM + chunk(FIRST) + b"0\r\n\r\n", b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
    head, _, body = got.partition(b"\r\n\r\n")
    assert body == FIRST
    assert b"Transfer-Encoding" not in head


async def test_expect_100_continue_is_answered_here() -> None:
    body = b"x" * 10
    seen, got = await answered(OK, get("/", "Expect: 100-continue", "Content-Length: 10", method="POST") + body)
    assert got.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert b"Expect" not in seen
    assert seen.endswith(body)


async def test_server_timing_is_told_when_asked_for_beside_the_upstreams_own() -> None:
    own = OK.replace(b"\r\n\r\n", b"\r\nServer-Timing: db;dur=5\r\n\r\n")

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(own)
        await connection.gone()

    async with serving(script) as url, proxied(url, edge=EdgeOptions(server_timing=True)) as proxy:
        got = await exchange(proxy.traffic.url, get())
    fields = [line for line in got.split(b"\r\n") if line.startswith(b"Server-Timing: ")]
    assert fields[0] == b"Server-Timing: db;dur=5"
    assert re.fullmatch(rb"Server-Timing: wiretape;dur=\d+\.\d{3}", fields[1])
    _, untold = await answered(own)
    assert untold.count(b"Server-Timing") == 1


@pytest.mark.parametrize("upgrade", [b"", b"Upgrade: websocket\r\n"])
async def test_server_timing_is_told_on_what_we_answer_ourselves(upgrade: bytes) -> None:
    request = get().replace(b"\r\n\r\n", b"\r\n" + upgrade + b"\r\n")
    async with proxied("http://127.0.0.1:1", edge=EdgeOptions(server_timing=True)) as proxy:
        told = await exchange(proxy.traffic.url, request)
    async with proxied("http://127.0.0.1:1") as proxy:
        untold = await exchange(proxy.traffic.url, request)
    assert told.startswith(b"HTTP/1.1 501 " if upgrade else b"HTTP/1.1 502 ")
    assert re.search(rb"\r\nServer-Timing: wiretape;dur=\d+\.\d{3}\r\n", told)
    assert b"Server-Timing" not in untold


async def test_redirects_are_passed_on_and_not_followed() -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n"
    _, got = await answered(answer)
    assert b"302 Found" in got
    assert b"Location: http://127.0.0.1:1/elsewhere" in got


def error_of(got: bytes) -> tuple[int, str]:
    head, _, body = got.partition(b"\r\n\r\n")
    fault = json.loads(body)["error"]
    assert fault["type"] == "wiretape_error"
    assert fault["param"] is None
    assert f"X-Wiretape-Error: {fault['code']}".encode() in head
    return int(head.split()[1]), fault["code"]


async def test_an_upstream_that_refuses_is_a_502() -> None:
    async with serving(lambda _: asyncio.sleep(0)) as url:
        pass
    async with proxied(url) as proxy:
        got = await exchange(proxy.traffic.url, get())
    assert error_of(got) == (502, "upstream_unreachable")


async def test_an_unknown_name_is_a_502() -> None:
    async with proxied("http://no-such-host.invalid") as proxy:
        got = await exchange(proxy.traffic.url, get())
    assert error_of(got) == (502, "upstream_unreachable")


async def test_a_reset_before_the_head_is_a_502() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        connection.reset()

    async with serving(script) as url, proxied(url) as proxy:
        got = await exchange(proxy.traffic.url, get(method="POST"))
    assert error_of(got) == (502, "upstream_unreachable")


@pytest.mark.parametrize(
    "answer",
    [b"this is no HTTP\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
)
async def test_a_head_that_is_no_head_is_a_502(answer: bytes) -> None:
    _, got = await answered(answer)
    assert error_of(got) == (502, "upstream_protocol_error")


async def test_no_head_in_time_is_a_504() -> None:
    async def script(connection: Connection) -> None:
        await connection.gone()

    async with serving(script) as url:
        slow = (UpstreamOptions(url=url, connect_s=0.05, first_byte_s=0.05),)
        async with proxied(slow) as proxy:
            got = await exchange(proxy.traffic.url, get())
    assert error_of(got) == (504, "upstream_timeout")


@pytest.mark.parametrize("ending", ["fin", "reset", "fin after half a frame"])
async def test_a_stream_that_tears_is_seen_to_tear(ending: str) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM, chunk(FIRST))
        if ending == "fin after half a frame":
            await connection.send(chunk(SECOND[:9]))
        if ending == "reset":
            await asked_for_more.wait()
            connection.reset()

    asked_for_more = asyncio.Event()
    async with serving(script) as url, proxied(url) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get(close=False))
        await reader.readuntil(FIRST)
        asked_for_more.set()
        rest = await reader.read()
        writer.close()
    assert b"0\r\n\r\n" not in rest
    assert rest.endswith(SECOND[:9] + b"\r\n" if ending == "fin after half a frame" else b"\r\n")


async def test_a_body_shorter_than_its_length_is_cut_short_for_the_client_too() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")

    async with serving(script) as url, proxied(url) as proxy:
        got = await exchange(proxy.traffic.url, get(close=False))
    assert got == b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"


async def test_a_stream_that_stalls_is_cut_after_the_idle_time() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM, chunk(FIRST))
        await connection.gone()

    async with serving(script) as url, proxied((UpstreamOptions(url=url, idle_s=0.1),)) as proxy:
        got = await exchange(proxy.traffic.url, get(close=False))
    assert got.endswith(chunk(FIRST))


async def test_a_client_that_leaves_frees_its_upstream_at_once() -> None:
    left = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM, chunk(FIRST))
        await connection.gone()
        left.set()

    async with serving(script) as url, proxied(url) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get())
        await reader.readuntil(FIRST)
        writer.close()
        async with asyncio.timeout(5):
            await left.wait()


async def test_a_client_that_leaves_before_the_head_frees_its_upstream_too() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        asked.set()
        await connection.gone()
        left.set()

    async with serving(script) as url, proxied(url) as proxy:
        _, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get())
        await asked.wait()
        writer.close()
        async with asyncio.timeout(5):
            await left.wait()


async def test_a_slow_reader_slows_its_own_upstream() -> None:
    """The upstream can not push 64 MiB ahead of a client that reads nothing: at most the buffers of the way."""
    piece = b"x" * 65_536
    pushed = 0
    stuck = asyncio.Event()

    async def script(connection: Connection) -> None:
        nonlocal pushed
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
        for _ in range(1024):
            try:
                async with asyncio.timeout(1):
                    await connection.send(piece)
            except TimeoutError:
                break
            pushed += len(piece)
        stuck.set()

    async with serving(script) as url, proxied(url) as proxy:
        _, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port, limit=1024)
        writer.write(get())
        await stuck.wait()
        writer.transport.abort()
    assert pushed < 32 << 20


async def test_one_connection_carries_many_exchanges() -> None:
    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(OK)

    async with serving(script) as url, proxied(url) as proxy:
        got = await exchange(proxy.traffic.url, get("/1", close=False) + get("/2", close=False) + get("/3"))
    assert got.count(b"HTTP/1.1 200 OK") == 3


async def test_what_must_not_be_forwarded_is_refused() -> None:
    reached = False

    async def script(connection: Connection) -> None:
        nonlocal reached
        reached = True

    async with serving(script) as url, proxied(url) as proxy:
        absolute = await exchange(proxy.traffic.url, get(f"{url}/x"))
        upgrade = await exchange(
            proxy.traffic.url, get("/", "Upgrade: websocket", "Connection: upgrade, close", close=False)
        )
    assert error_of(absolute) == (400, "bad_request")
    assert error_of(upgrade) == (501, "upgrade_unsupported")
    assert not reached


async def test_one_exchange_too_many_is_a_503() -> None:
    async with proxied("http://127.0.0.1:1", edge=EdgeOptions(streams_max=0)) as proxy:
        got = await exchange(proxy.traffic.url, get())
    assert error_of(got) == (503, "overloaded")
    assert b"Retry-After: 1\r\n" in got


async def test_a_path_without_an_upstream_is_a_404_that_is_not_retried() -> None:
    async with proxied((UpstreamOptions(url="http://127.0.0.1:1", prefix="/v1"),)) as proxy:
        got = await exchange(proxy.traffic.url, get("/v2"))
    assert error_of(got) == (404, "no_route")
    assert b"x-should-retry: false\r\n" in got


async def test_requests_go_to_the_upstream_with_the_longest_prefix() -> None:
    async def name_itself(connection: Connection) -> None:
        head, _ = await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))
        await connection.gone()

    async with serving(name_itself) as one, serving(name_itself) as two:
        upstreams = (
            UpstreamOptions(url=f"{one}/base", name="one"),
            UpstreamOptions(url=two, name="two", prefix="/two", strip_prefix=True),
        )
        async with proxied(upstreams) as proxy:
            first = await exchange(proxy.traffic.url, get("/x?y"))
            second = await exchange(proxy.traffic.url, get("/two/x?y"))
    assert b"GET /base/x?y HTTP/1.1" in first
    assert b"GET /x?y HTTP/1.1" in second


@pytest.mark.parametrize("bad", [b"zz\r\n", b"ffffffffffffffffffff\r\n", b"3\r\nabcdef\r\n"])
@pytest.mark.parametrize("glued", [True, False])
async def test_a_bad_chunk_is_a_failure_and_not_a_silence(bad: bytes, glued: bool) -> None:
    """Glued to the head aiohttp refuses the whole answer; later it closes the connection and tells no reader."""
    went_on = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM + chunk(FIRST) + (bad if glued else b""))
        if not glued:
            await went_on.wait()
            await connection.send(bad)
        await connection.gone()

    collector = CollectingSink()
    async with serving(script) as url, proxied(url, sinks=(collector,)) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get(close=False))
        got = await reader.readuntil(b"\r\n\r\n")
        went_on.set()
        if b" 200 " in got[:20]:
            assert not (await reader.read()).endswith(b"0\r\n\r\n")
        else:
            assert b" 502 " in got[:20]
        writer.close()
        await proxy.close()
    (told,) = collector.exchanges
    assert (told.how, told.code) in {
        (How.UPSTREAM_FAILED, "upstream_torn"), (How.UPSTREAM_FAILED, "upstream_protocol_error"),
    }  # fmt: skip


async def test_what_is_no_http_is_refused_in_our_words_and_quotes_nothing() -> None:
    async with proxied("http://127.0.0.1:1") as proxy:
        got = await exchange(
            proxy.traffic.url, b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-SECRET\x07\r\n\r\n"
        )
    assert error_of(got) == (400, "bad_request")
    assert b"SECRET" not in got
    assert b"\r\nConnection: close\r\n" in got


async def test_a_field_that_the_reference_engine_cannot_pass_on_unchanged_is_refused() -> None:
    async with proxied("http://127.0.0.1:1", engine="reference") as proxy:
        got = await exchange(proxy.traffic.url, get("/", "X-Name: caf\u00e9").replace("é".encode(), b"\xe9"))
    assert error_of(got) == (400, "bad_request")


async def test_an_upstream_cannot_take_the_framing_away_from_its_answer() -> None:
    _, got = await answered(OK.replace(b"\r\n\r\n", b"\r\nConnection: content-length\r\n\r\n"))
    assert got.endswith(b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n")


async def test_a_torn_stream_is_a_reset_for_a_client_that_reads_to_the_close() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM, chunk(FIRST))
        await went_on.wait()

    went_on = asyncio.Event()
    async with serving(script) as url, proxied(url) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        await reader.readuntil(FIRST)
        went_on.set()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_an_upload_may_take_longer_than_the_wait_for_the_head() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(OK)
        await connection.gone()

    async with serving(script) as url:
        quick = (UpstreamOptions(url=url, connect_s=0.05, first_byte_s=0.1),)
        async with proxied(quick) as proxy:
            reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
            writer.write(get("/", "Transfer-Encoding: chunked", method="POST"))
            for _ in range(6):
                writer.write(chunk(b"x"))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.05)  # a client that is slow, not one that sleeps
            writer.write(b"0\r\n\r\n")
            assert (await reader.read()).endswith(b"ok")
            writer.close()


async def test_a_shutdown_is_told_as_ours_and_not_as_the_clients() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM, chunk(FIRST))
        await connection.gone()

    collector = CollectingSink()
    async with serving(script) as url, proxied(url, sinks=(collector,)) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get())
        await reader.readuntil(FIRST)
        await proxy.close()
        writer.close()
    assert [(one.how, one.code) for one in collector.exchanges] == [(How.CANCELLED, "shutting_down")]


async def test_a_refusal_of_ours_is_not_told_as_the_upstreams_answer() -> None:
    collector = CollectingSink()
    async with proxied("http://127.0.0.1:1", sinks=(collector,)) as proxy:
        await exchange(proxy.traffic.url, get())
        await proxy.close()
    (told,) = collector.exchanges
    assert (told.status, told.head_ns, told.how, told.code) == (502, None, How.UPSTREAM_FAILED, "upstream_unreachable")


async def test_a_stripped_prefix_leaves_a_path() -> None:
    async def script(connection: Connection) -> None:
        head, _ = await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))
        await connection.gone()

    async with serving(script) as url:
        stripped = (UpstreamOptions(url=url, prefix="/two", strip_prefix=True),)
        async with proxied(stripped) as proxy:
            got = await exchange(proxy.traffic.url, get("/two?x=1"))
    assert b"GET /?x=1 HTTP/1.1" in got


@pytest.mark.parametrize("mistake", [ZeroDivisionError, BadRequest])
async def test_a_mistake_of_ours_never_writes_a_second_head_into_a_body(mistake: type[Exception]) -> None:
    """A source that raises what nobody expects: before the head it is a 500, after it a tear."""

    class Mistaken:
        head = Head(200, ((b"Content-Type", b"text/plain"),), 0, "OK")
        is_over = False

        def offer_to(self, taker: object) -> None:
            """Offer nothing."""

        def taken(self) -> Chunk | None:
            return None

        async def chunks(self) -> AsyncIterator[Chunk]:
            yield Chunk(b"begun", 0)
            raise mistake

        def close(self) -> None:
            """Have nothing to close."""

    log = io.StringIO()
    async with proxied("http://127.0.0.1:1", log=log) as proxy:
        proxy.relay.source.ask = lambda *_: None  # type: ignore[method-assign]
        proxy.relay.source.open = lambda *_: _opened(Mistaken())  # type: ignore[method-assign]
        torn = await exchange(proxy.traffic.url, get())
        proxy.relay.source.open = lambda *_: _opened(None)  # type: ignore[method-assign]
        refused = await exchange(proxy.traffic.url, get())
    assert torn.endswith(b"5\r\nbegun\r\n")
    assert error_of(refused) == (500, "internal_error")
    assert '"event":"exchange.broken","error":"' + mistake.__name__ + '","place":"chunks:' in log.getvalue()


async def _opened(answer: Any) -> Opened:
    return Opened(answer)


async def test_answers_on_a_kept_connection_do_not_stay_in_memory() -> None:
    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(STREAM)
            await connection.send(chunk(FIRST), b"0\r\n\r\n")

    async with serving(script) as url, proxied(url) as proxy:
        await exchange(proxy.traffic.url, get(close=False) * 20 + get())
        gc.collect()
        alive = [one for one in gc.get_objects() if type(one) is FastAnswer]
    assert len(alive) <= 1


async def test_the_upstream_sees_the_head_before_the_first_byte_of_the_body() -> None:
    """Else it could not refuse an upload early, and a client that waits for that would wait for ever."""

    async def script(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        await connection.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        await connection.gone()

    async with serving(script) as url, proxied(url) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get("/", "Transfer-Encoding: chunked", method="POST"))
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"no")).startswith(b"HTTP/1.1 401 ")
        writer.close()


@pytest.mark.usefixtures("by_each_engine")
async def test_an_answer_before_the_end_of_an_upload_leaves_the_connection_usable() -> None:
    """What is left is passed over: else the client, told of no close, would fail in sending it, or lose the answer."""

    async def script(connection: Connection) -> None:
        await connection.reader.readuntil(b"some of it")
        await connection.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
        await connection.gone()

    async with serving(script) as url, proxied(url) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        async with asyncio.timeout(5):
            for _ in range(2):
                writer.write(get("/", "Content-Length: 100", method="POST", close=False) + b"some of it")
                assert (await reader.readuntil(b"\r\n\r\nno")).startswith(b"HTTP/1.1 413 ")
                writer.write(b" and all the rest".ljust(90))
        writer.close()


async def test_a_tear_does_not_wait_for_the_rest_of_an_upload() -> None:
    async def script(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        await connection.send(STREAM, chunk(FIRST))

    async with serving(script) as url, proxied(url) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get("/", "Content-Length: 100", method="POST", close=False) + b"some of it")
        async with asyncio.timeout(5):
            assert (await reader.read()).endswith(FIRST + b"\r\n")
        writer.close()


async def test_an_upload_that_is_cut_by_a_shutdown_is_told_as_ours() -> None:
    reached = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.reader.readuntil(b"one\r\n")
        reached.set()
        await connection.gone()

    collector = CollectingSink()
    async with serving(script) as url, proxied(url, sinks=(collector,)) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get("/", "Transfer-Encoding: chunked", method="POST") + chunk(b"one"))
        await reached.wait()
        await proxy.close()
        assert b"upstream" not in await reader.read()
        writer.close()
    assert [(one.how, one.code) for one in collector.exchanges] == [(How.CANCELLED, "shutting_down")]


async def test_an_upstream_that_does_not_read_an_upload_is_given_up() -> None:
    async def script(connection: Connection) -> None:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await done.wait()

    done = asyncio.Event()
    async with serving(script) as url:
        impatient = (UpstreamOptions(url=url, connect_s=1.0, first_byte_s=0.2, idle_s=0.2),)
        async with proxied(impatient) as proxy:
            reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
            writer.write(get("/", "Content-Length: 67108864", method="POST") + b"x" * (64 << 20))
            async with asyncio.timeout(20):
                assert await reader.readexactly(13) == b"HTTP/1.1 504 "
            done.set()
            writer.transport.abort()


async def test_an_old_client_gets_no_100_and_a_held_body_gets_one() -> None:
    body = b"x" * 10
    old = b"POST / HTTP/1.0\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n" + body
    _, got = await answered(OK, old)
    assert got.startswith(b"HTTP/1.1 200 ")


async def test_a_connection_whose_client_does_not_read_is_closed_with_the_proxy() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await connection.send(*[b"x" * 65_536] * 1024)

    async with serving(script) as url, proxied(url) as proxy:
        reader, writer = await asyncio.open_connection(
            proxy.traffic.address.host, proxy.traffic.address.port, limit=1024
        )
        writer.write(get())
        await reader.readuntil(b"\r\n\r\n")
        while not proxy.relay.buffered_bytes:  # noqa: ASYNC110  until the buffers of the way are full
            await asyncio.sleep(0)
        await proxy.close()
        assert len(await reader.read(-1)) < 67_108_864
        writer.close()


async def test_with_telemetry_off_nothing_looks_on_and_the_trace_is_left_alone() -> None:
    parent = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    async with recording() as (url, recorder), proxied(url, telemetry=TelemetryOptions(enabled=False)) as proxy:
        got = await exchange(proxy.traffic.url, get("/v1/threads/t/runs/r", f"traceparent: {parent}"))
        assert proxy.relay.told is None
    assert got.startswith(b"HTTP/1.1 200 OK")
    assert [f"traceparent: {parent}".encode() in head for head, _ in recorder.whole] == [True]
