"""Sinks, decoders and clocks that fail under a whole proxy: traffic goes on, and what is lost is counted.

See the faults in `docs/telemetry.md`; those that want a process of their own are in `tests/cli/test_sinks.py`.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import aiohttp
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from support.losses import lost
from support.proxied import proxied
from support.raw import Connection, serving
from support.scenarios import asking, sandboxed, tool_run
from wiretape.app import Proxy
from wiretape.ledger.damage import those_aside
from wiretape.ledger.options import LedgerOptions
from wiretape.runs.bodies import StreamAnswer
from wiretape.runs.report import ExchangeReport, RunReport
from wiretape.telemetry.options import TelemetryOptions
from wiretape.testing import CollectingSink

LONG_S = 30.0
S = 1_000_000_000
PIECE = 65_536


class Bad:
    """A sink that raises, or hangs until the gate opens."""

    name = "bad"

    def __init__(self, gate: Event | None = None) -> None:
        self.gate = gate

    def exchange(self, report: ExchangeReport) -> None:
        self._fail()

    def run(self, report: RunReport) -> None:
        self._fail()

    def correction(self, report: Any) -> None:
        self._fail()

    def close(self, deadline_s: float) -> None:
        self._fail()

    def _fail(self) -> None:
        if self.gate is None:
            raise ZeroDivisionError("bad by nature")
        assert self.gate.wait(LONG_S)


async def talk(url: str) -> list[tuple[int, bytes]]:
    """A run over two streams; gives all that its client got."""
    async with asking(url) as (ask, answers):
        await tool_run(ask)
    return [(one.status, one.body) for one in answers]


async def expected() -> list[tuple[int, bytes]]:
    async with sandboxed() as url:
        return await talk(url)


async def ready(proxy: Proxy) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{proxy.admin.url}/readyz") as got:
        return got.status == 200


async def until_lost(proxy: Proxy, signal: str, count: float) -> None:
    async with asyncio.timeout(LONG_S):
        while (await lost(proxy.admin.url))[signal] != count:
            pass


async def test_a_sink_that_raises_loses_its_reports_and_nothing_else() -> None:
    async with sandboxed() as url, proxied(url, sinks=(Bad(),)) as proxy:
        assert await talk(proxy.traffic.url) == await expected()
        await until_lost(proxy, "bad", 6)  # five exchanges and a run
        assert await ready(proxy)


async def test_a_sink_that_hangs_fills_its_queue_and_nothing_else() -> None:
    gate = Event()
    options = TelemetryOptions(queue_max=2)
    async with sandboxed() as url, proxied(url, sinks=(Bad(gate),), telemetry=options) as proxy:
        assert await talk(proxy.traffic.url) == await expected()
        assert (await lost(proxy.admin.url))["bad"] >= 6 - 1 - 2  # one in its hands, two in its queue
        assert await ready(proxy)
        gate.set()


async def test_a_decoder_that_raises_is_counted_and_the_stream_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    def feed(_: StreamAnswer, data: bytes) -> None:
        raise ZeroDivisionError(data)

    async with sandboxed() as url, proxied(url) as proxy:
        monkeypatch.setattr(StreamAnswer, "feed", feed)
        assert await talk(proxy.traffic.url) == await expected()
        await until_lost(proxy, "observers", 2)


async def test_a_ledger_that_is_locked_all_the_while_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    settings = {"ledger": f"sqlite:///{path}", "audit": LedgerOptions(busy_timeout_ms=1)}
    async with sandboxed() as url, proxied(url, **settings) as proxy:
        await talk(proxy.traffic.url)
        async with asyncio.timeout(LONG_S):
            while not path.exists() or not rows(path):
                await ready(proxy)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=LONG_S)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for _ in range(3):
                await talk(proxy.traffic.url)
            assert await ready(proxy)
            other.execute("ROLLBACK")
        await proxy.close()
        assert proxy._dropped()["ledger"] == 0
    assert rows(path) == 4


async def test_a_ledger_that_is_damaged_is_moved_aside_and_the_next_run_is_in_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    for _ in range(2):
        async with sandboxed() as url, proxied(url, ledger=f"sqlite:///{path}") as proxy:
            await talk(proxy.traffic.url)
            await proxy.close()
            counts = proxy._dropped()
        data = path.read_bytes()
        path.write_bytes(data[:100] + b"\xa5" * (len(data) - 100))
    assert (counts["ledger_damaged"], counts["ledger"], len(those_aside(path))) == (1, 0, 1)


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as ledger:
        made = ledger.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'run'").fetchone()[0]
        return int(ledger.execute("SELECT count(*) FROM run").fetchone()[0]) if made else 0


@pytest.mark.parametrize("step_s", [-86_400, 86_400])
async def test_a_clock_that_jumps_at_every_look_changes_no_length_of_a_run(
    monkeypatch: pytest.MonkeyPatch, step_s: int
) -> None:
    """As NTP sets it: lengths are the monotonic clock's, and each report's points come from one look at the wall."""
    looks = count(1_750_000_000 * S, step_s * S)
    collector, exporter = CollectingSink(), InMemorySpanExporter()
    async with sandboxed() as url, proxied(url, sinks=(collector,), exporter=exporter) as proxy:
        monkeypatch.setattr(time, "time_ns", lambda: next(looks))
        begun = time.monotonic_ns()
        await talk(proxy.traffic.url)
        longest_ns = time.monotonic_ns() - begun
        await proxy.close()
    (run,) = collector.runs
    lengths = [run.duration_ns, run.queue_ns, run.first_event_ns, run.first_token_ns, run.model_ns, run.tool_wait_ns]
    lengths += [one.end_ns - one.start_ns for one in (run, *collector.exchanges)]
    lengths += [(span.end_time or 0) - (span.start_time or 0) for span in exporter.get_finished_spans()]
    assert len(lengths) > 20
    assert all(length is None or 0 <= length <= longest_ns for length in lengths)


class Turns:
    """How long the loop's longest turn was, in seconds of its thread's own CPU: others on the machine do not count."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.longest_s = 0.0
        turn = asyncio.events.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            begun = time.thread_time()
            turn(handle)
            self.longest_s = max(self.longest_s, time.thread_time() - begun)

        monkeypatch.setattr(asyncio.events.Handle, "_run", timed)


SIZE = 100_000_000
TURN_S = 0.05
"""Far more than the turns take (2 ms), far less than it takes to parse what is large here."""
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def large(kind: str) -> tuple[bytes, bytes]:
    """A head, and a piece that is repeated."""
    if kind == "a JSON answer":
        return JSON_HEAD % SIZE, b'{"id":"run_1","object":"thread.run"},' + b" " * (PIECE - 37)
    if kind == "a frame without an end":
        return STREAM_HEAD, b"data: " + b"x" * (PIECE - 6)
    frame = b"event: thread.run.in_progress\ndata: " + json.dumps({"object": "thread.run", "x": ["y"] * 8000}).encode()
    return STREAM_HEAD, frame + b"\n\n"


@pytest.mark.parametrize("kind", ["a JSON answer", "a frame without an end", "large frames"])
async def test_a_large_body_holds_up_no_other_stream(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    head, piece = large(kind)
    over = asyncio.Event()

    async def upstream(connection: Connection) -> None:
        asked, _ = await connection.request()
        if asked.startswith(b"GET /v1/small"):
            await connection.send(STREAM_HEAD)
            while not over.is_set():
                await connection.send(b"event: a\ndata: 1\n\n")
                await asyncio.sleep(0)
            return
        await connection.send(head)
        for start in range(0, SIZE, len(piece)):
            await connection.send(piece[: SIZE - start])

    async with (
        serving(upstream) as url,
        proxied(url) as proxy,
        asked(proxy, b"GET /v1/small") as small,
        asked(proxy, b"POST /v1/threads/thread_1/runs") as large_one,
    ):
        turns = Turns(monkeypatch)
        reading_small = asyncio.ensure_future(read(small))
        got, _ = await read(large_one)
        over.set()
        _, events = await reading_small
        await proxy.close()
    assert got > SIZE
    assert events > 100
    assert turns.longest_s < TURN_S


@asynccontextmanager
async def asked(proxy: Proxy, line: bytes) -> AsyncIterator[asyncio.StreamReader]:
    address = proxy.traffic.address
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(line + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    yield reader
    writer.close()


async def read(reader: asyncio.StreamReader) -> tuple[int, int]:
    """How many bytes came to the end, and how many events."""
    size = events = 0
    while data := await reader.read(PIECE):
        size, events = size + len(data), events + data.count(b"\n\n")
    return size, events
