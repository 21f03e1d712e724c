"""Upstreams and clients that fail, end to end: what the client sees, what the report says. See `docs/relay.md`."""

import asyncio
import gzip
import json
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from support.proxied import proxied
from support.raw import Connection, Script, exchange, serving
from support.recorder import recording
from wiretape.app import Proxy
from wiretape.exchange import How
from wiretape.runs.report import ExchangeReport
from wiretape.testing import CollectingSink

GET = b"GET / HTTP/1.1\r\nHost: proxy.test\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = (b"event: a\ndata: 1\n\n", "event: b\ndata: caf\u00e9\n\n".encode(), b"data: [DONE]\n\n")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def dechunked(body: bytes) -> tuple[bytes, bool]:
    """Give what came of a chunked body, and whether it came to its end."""
    got = b""
    while body:
        line, end, rest = body.partition(b"\r\n")
        size = int(line, 16) if end else len(body)
        if not size:
            return got, True
        got, body = got + rest[:size], rest[size + 2 :]
    return got, False


def answering(*pieces: bytes, fin: bool = False) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(*pieces)
        if fin:
            connection.writer.write_eof()
        await connection.gone()

    return script


@asynccontextmanager
async def behind(script: Script) -> AsyncIterator[tuple[Proxy, CollectingSink]]:
    collector = CollectingSink()
    async with serving(script) as url, proxied(url, sinks=(collector,)) as proxy:
        yield proxy, collector


async def through(script: Script, request: bytes = POST) -> tuple[bytes, ExchangeReport]:
    async with behind(script) as (proxy, collector):
        got = await exchange(proxy.traffic.url, request)
        await proxy.close()
    (report,) = collector.exchanges
    return got, report


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Le"])
@pytest.mark.parametrize("ending", ["fin", "reset"])
async def test_an_answer_that_ends_before_its_head_is_a_502_and_asked_for_once(begun: bytes, ending: str) -> None:
    asked = 0

    async def script(connection: Connection) -> None:
        nonlocal asked
        await connection.request()
        asked += 1
        await connection.send(begun)
        if ending == "reset":
            connection.reset()

    got, report = await through(script)
    assert got.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert json.loads(got.partition(b"\r\n\r\n")[2])["error"]["code"] == report.code
    assert (report.how, report.head_ns, report.bytes_out, asked) == (How.UPSTREAM_FAILED, None, 0, 1)


async def test_a_stream_cut_at_any_byte_gives_what_came_and_then_a_tear() -> None:
    body = b"".join(map(chunk, EVENTS)) + b"0\r\n\r\n"

    async def script(connection: Connection) -> None:
        head, _ = await connection.request()
        await connection.send(STREAM)
        await connection.send(body[: int(head.split(b" ")[1].removeprefix(b"/"))])

    async with behind(script) as (proxy, collector):
        for cut in range(len(body)):
            got = await exchange(proxy.traffic.url, GET.replace(b"/ ", b"/%d " % cut, 1))
            data, ended = dechunked(got.partition(b"\r\n\r\n")[2])
            assert (data, ended) == (dechunked(body[:cut])[0][: len(data)], False)
            assert b"".join(EVENTS).startswith(data)
        await proxy.close()
    assert {(one.how, one.code) for one in collector.exchanges} == {(How.UPSTREAM_FAILED, "upstream_torn")}
    assert sum(one.bytes_out for one in collector.exchanges) == sum(
        len(dechunked(body[:cut])[0]) for cut in range(len(body))
    )


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_a_stream_that_is_no_utf_8_passes_as_it_is(size: int) -> None:
    data = b"".join(EVENTS) + b"data: \xff\xfe\xc3\n\ndata: \xed\xa0\x80\n\n"
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    got, report = await through(answering(STREAM, *map(chunk, pieces), b"0\r\n\r\n"))
    assert dechunked(got.partition(b"\r\n\r\n")[2]) == (data, True)
    assert report.how is How.COMPLETE


@pytest.mark.parametrize("spoilt", ["cut", "garbage", "bomb"])
async def test_a_spoilt_compressed_answer_passes_as_it_is(spoilt: str) -> None:
    plain = b'{"object":"thread.run","id":"run_1"}' + b" " * (30_000_000 if spoilt == "bomb" else 1000)
    packed = gzip.compress(plain)
    body = {"cut": packed[: len(packed) // 2], "garbage": b"\x00" + packed, "bomb": packed}[spoilt]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    request = POST.replace(b"/ ", b"/v1/threads/thread_1/runs ", 1)
    got, report = await through(answering(head % len(body), body), request)
    assert got.endswith(b"\r\n\r\n" + body)
    assert report.how is How.COMPLETE


async def test_interim_answers_are_not_passed_and_the_answer_is() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    got, _ = await through(answering(*[early] * 50, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert got.endswith(b"ok")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_a_body_where_none_may_be_is_not_passed(status: bytes) -> None:
    """Read with the head, it makes the whole answer a 502."""
    head = b"HTTP/1.1 " + status + b"\r\n\r\n"
    got, _ = await through(answering(head, b"surprise"))
    assert b"surprise" not in got
    assert got.startswith(b"HTTP/1.1 502 ") or got == head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


async def test_large_heads_pass_up_to_the_bound_and_are_a_502_beyond() -> None:
    fields = b"X-Long: " + b"y" * 60_000 + b"\r\n" + b"X: y\r\n" * 200
    got, _ = await through(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + fields + b"\r\n"))
    assert fields in got
    got, report = await through(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"X: y\r\n" * 2000 + b"\r\n"))
    assert got.startswith(b"HTTP/1.1 502 ")
    assert report.code == "upstream_protocol_error"


@pytest.mark.parametrize(
    "status", [b"429 Too Many Requests", b"500 Internal Server Error", b"503 Busy", b"307 Temporary Redirect"]
)
async def test_an_answer_that_is_an_error_passes_and_is_not_asked_for_again(status: bytes) -> None:
    asked = 0

    async def script(connection: Connection) -> None:
        nonlocal asked
        await connection.request()
        asked += 1
        await connection.send(answer)
        await connection.gone()

    answer = b"HTTP/1.1 " + status + b"\r\nRetry-After: 7\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nno"
    got, report = await through(script)
    assert got == answer.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert (report.how, report.status, asked) == (How.COMPLETE, int(status[:3]), 1)


@pytest.mark.parametrize("leaving", ["fin", "reset"])
async def test_a_client_that_leaves_in_mid_stream_frees_its_upstream_within_a_second(leaving: str) -> None:
    freed = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM, chunk(EVENTS[0]))
        await connection.gone()
        freed.set()

    async with behind(script) as (proxy, collector):
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(POST)
        await reader.readuntil(EVENTS[0])
        if leaving == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
        async with asyncio.timeout(1):
            await freed.wait()
        await proxy.close()
    (report,) = collector.exchanges
    assert (report.how, report.code, report.bytes_out) == (How.CLIENT_LEFT, None, len(EVENTS[0]))


async def test_a_clock_that_is_set_back_changes_no_length(monkeypatch: pytest.MonkeyPatch) -> None:
    wall_ns = iter(range(10**18, 0, -(10**15)))
    monkeypatch.setattr(time, "time_ns", lambda: next(wall_ns))
    _, report = await through(answering(STREAM, chunk(EVENTS[0]), b"0\r\n\r\n"))
    assert report.head_ns is not None
    assert report.start_ns <= report.head_ns <= report.end_ns < report.start_ns + 60 * 10**9


async def test_a_body_too_large_to_be_read_along_passes_whole() -> None:
    body = b'{"data":"' + b"x" * 40_000_000 + b'"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    got, report = await through(answering(head, body), POST.replace(b"/ ", b"/v1/threads/thread_1/runs ", 1))
    assert got.endswith(body)
    assert (report.how, report.bytes_out) == (How.COMPLETE, len(body))


async def test_no_idle_connection_keeps_another_out() -> None:
    async with recording() as (url, _), proxied(url) as proxy:
        address = proxy.traffic.address
        idle = [await asyncio.open_connection(address.host, address.port) for _ in range(500)]
        got = await exchange(proxy.traffic.url, POST)
        for _, writer in idle:
            writer.transport.abort()
    assert got.endswith(b"ok")
