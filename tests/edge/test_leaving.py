"""Clients that leave in mid-stream where `on_client_disconnect` is `drain`: the rest is read, within bounds."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from support.proxied import proxied
from support.raw import Connection, exchange, serving
from support.streams import completed, event, run, text
from wiretape.app import Proxy
from wiretape.cassette.format import Ended
from wiretape.edge.listen import EdgeOptions
from wiretape.edge.store import load, tape_path
from wiretape.exchange import How
from wiretape.runs.report import Usage
from wiretape.testing import CollectingSink

pytestmark = pytest.mark.usefixtures("by_each_engine")

BODY = json.dumps({"assistant_id": "asst_1", "stream": True}).encode()
POST = (
    b"POST /v1/threads/thread_1/runs HTTP/1.1\r\nHost: proxy.test\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CREATED = event("thread.run.created", run())
REST = text() + completed() + b"event: done\ndata: [DONE]\n\n"
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Scene:
    """A proxy and its upstream, which sends a first event, and goes on when its client has left."""

    def __init__(self, *rest: bytes, head: bytes = STREAM) -> None:
        self.pieces = head + chunk(CREATED), rest
        self.told = CollectingSink()
        self.left, self.freed = asyncio.Event(), asyncio.Event()
        self.proxy: Proxy

    async def script(self, connection: Connection) -> None:
        await connection.request()
        await connection.send(self.pieces[0])
        await self.left.wait()
        await connection.send(*self.pieces[1])
        await connection.gone()
        self.freed.set()

    @asynccontextmanager
    async def running(self, *, edge: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Self]:
        options = EdgeOptions(**({"on_client_disconnect": "drain"} | (edge or {})))
        async with (
            serving(self.script) as url,
            proxied(url, sinks=(self.told,), edge=options, **settings) as self.proxy,
        ):
            yield self

    async def asked(self, request: bytes = POST) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = self.proxy.traffic.address
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(request)
        return reader, writer

    async def left_by_its_client(self, how: str = "fin") -> None:
        """Have a client read the first event and leave, and wait until the proxy knows."""
        reader, writer = await self.asked()
        await reader.readuntil(CREATED)
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
        while self.proxy.relay.active > self.proxy.relay.leaving.active:  # noqa: ASYNC110  until that is noticed
            await asyncio.sleep(0)

    async def over(self) -> None:
        """Let the upstream go on, and wait until nothing is under way."""
        self.left.set()
        while self.proxy.relay.active:  # noqa: ASYNC110  until the proxy has done its part
            await asyncio.sleep(0)

    @property
    def ended(self) -> dict[str, int]:
        return {why: count for why, count in self.proxy.relay.leaving.ended.items() if count}


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_a_stream_is_read_to_its_end_and_the_tokens_of_its_run_are_known(how: str) -> None:
    async with Scene(chunk(REST), LAST).running() as scene:
        await scene.left_by_its_client(how=how)
        await scene.over()
        counted = await exchange(scene.proxy.admin.url, b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        await scene.proxy.close()
    (told,), (ended,) = scene.told.exchanges, scene.told.runs
    assert (told.how, told.code, told.bytes_out) == (How.CLIENT_LEFT, None, len(CREATED))
    assert told.events == 4
    assert (ended.outcome, ended.usage, ended.error) == ("completed", Usage(10, 5), None)
    assert scene.ended == {"end": 1}
    assert b'wiretape_stream_drained_total{wiretape_reason="end"} 1.0' in counted


async def test_while_it_is_read_it_counts_as_a_stream() -> None:
    async with Scene().running(edge={"streams_max": 1}) as scene:
        await scene.left_by_its_client()
        assert scene.proxy.relay.active == 1
        reader, writer = await scene.asked(b"GET / HTTP/1.1\r\nHost: proxy.test\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        writer.close()


async def test_without_the_setting_the_upstream_is_let_go_within_a_second() -> None:
    async with Scene().running(edge={"on_client_disconnect": "cancel"}) as scene:
        await scene.left_by_its_client()
        scene.left.set()
        async with asyncio.timeout(1):
            await scene.freed.wait()
        await scene.proxy.close()
    (told,) = scene.told.exchanges
    assert (told.how, scene.ended) == (How.CLIENT_LEFT, {})


@pytest.mark.parametrize(
    ("bound", "ended"), [({"disconnect_bytes_max": len(REST) - 1}, "bytes"), ({"disconnect_s": 0.05}, "seconds")]
)
async def test_a_bound_lets_the_upstream_go_and_is_counted(bound: dict[str, Any], ended: str) -> None:
    rest = (chunk(REST),) if ended == "bytes" else ()
    async with Scene(*rest).running(edge=bound) as scene:
        await scene.left_by_its_client()
        await scene.over()
        async with asyncio.timeout(1):
            await scene.freed.wait()
        assert scene.ended == {ended: 1}
        await scene.proxy.close()
    (told,), (open_run,) = scene.told.exchanges, scene.told.runs
    assert (told.how, open_run.outcome, open_run.usage) == (How.CLIENT_LEFT, "abandoned", None)


async def test_an_upstream_that_tears_it_is_seen_to_by_the_run_alone() -> None:
    async with Scene(chunk(text()), b"no chunk\r\n").running() as scene:
        await scene.left_by_its_client()
        await scene.over()
        assert scene.ended == {"torn": 1}
        await scene.proxy.close()
    (told,), (torn,) = scene.told.exchanges, scene.told.runs
    assert (told.how, told.code) == (How.CLIENT_LEFT, None)
    assert (torn.outcome, torn.error, torn.carried[0].how) == ("abandoned", "upstream_torn", How.UPSTREAM_FAILED)


async def test_a_stop_waits_for_it_as_for_any_stream() -> None:
    async with Scene(chunk(REST), LAST).running(drain_s=30.0) as scene:
        await scene.left_by_its_client()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(scene.proxy.close())
            while not scene.proxy.draining:  # noqa: ASYNC110  until it has begun to close
                await asyncio.sleep(0)
            scene.left.set()
    (ended,) = scene.told.runs
    assert (ended.outcome, scene.ended) == ("completed", {"end": 1})


async def test_a_stop_that_does_not_wait_any_longer_gives_it_up() -> None:
    async with Scene().running() as scene:
        await scene.left_by_its_client()
        async with asyncio.timeout(2):
            await scene.proxy.close()
        scene.left.set()
    (told,) = scene.told.exchanges
    assert (told.how, told.code, scene.ended) == (How.CLIENT_LEFT, None, {"shutdown": 1})


async def test_what_a_client_would_not_take_is_not_missed() -> None:
    """It reads nothing more, so that it leaves while a piece waits for it."""
    flood = [chunk(text("x" * 60_000)) for _ in range(100)]
    async with Scene(*flood, chunk(REST), LAST).running() as scene:
        reader, writer = await scene.asked()
        await reader.readuntil(CREATED)
        writer.transport.pause_reading()
        scene.left.set()
        while not scene.proxy.relay.buffered_bytes:  # noqa: ASYNC110  until the buffers of the way are full
            await asyncio.sleep(0)
        writer.transport.abort()
        await scene.over()
        await scene.proxy.close()
    (told,), (ended,) = scene.told.exchanges, scene.told.runs
    assert (told.how, told.events, told.decoder_errors) == (How.CLIENT_LEFT, 1 + len(flood) + 3, 0)
    assert (ended.outcome, ended.usage) == ("completed", Usage(10, 5))


async def test_a_recording_gets_the_whole_of_it(tmp_path: Path) -> None:
    settings = {"mode": "record", "cassette": (str(tmp_path / "talk"),)}
    async with Scene(chunk(REST), LAST).running(**settings) as scene:
        await scene.left_by_its_client()
        await scene.over()
        await scene.proxy.close()
    (kept,) = load(tape_path(tmp_path / "talk")).interactions
    assert (kept.how, b"thread.run.completed" in kept.body) == (Ended.COMPLETE, True)


async def test_what_is_no_stream_is_left_as_its_client_left_it() -> None:
    async with Scene(head=STREAM.replace(b"text/event-stream", b"application/json")).running() as scene:
        await scene.left_by_its_client()
        scene.left.set()
        async with asyncio.timeout(1):
            await scene.freed.wait()
        assert scene.ended == {}
