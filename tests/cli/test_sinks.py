"""Collectors, ledgers and log pipes that fail under a real process: traffic goes on, losses are counted.

See the faults in `docs/telemetry.md`; those that need no process of their own are in `tests/edge/test_sinks.py`.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from support.command import running, wiretape
from support.losses import lost
from support.proxied import proxied
from support.raw import Connection, exchange, serving
from support.scenarios import asking, tool_run

EXIT_S = 3.0
"""From a signal to the end of the process, whatever its sinks do: what is promised."""
LONG_S = 60.0
HASTY = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_METRIC_EXPORT_INTERVAL": "100", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
"""What the SDK would take its time with: how long it gathers, and when it gives up."""
GET = b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
FAULTS = {
    "hangs": b"",
    "is slow": b"",
    "301": b"HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1:1/v1/traces\r\nContent-Length: 0\r\n\r\n",
    "400": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "429": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n",
    "503": b"HTTP/1.1 503 Busy\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n",
    "refuses": b"",
}


@asynccontextmanager
async def collector(fault: str) -> AsyncIterator[str]:
    """What says it is a collector; gives its URL."""

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            if fault == "is slow":
                await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n ")
            elif fault == "hangs":
                await connection.gone()
            else:
                await connection.send(FAULTS[fault])

    async with serving(script) as url:
        yield "http://127.0.0.1:1" if fault == "refuses" else url


async def spans_of_a_talk() -> int:
    exporter = InMemorySpanExporter()
    async with proxied(exporter=exporter) as proxy:
        await talk(proxy.traffic.url)
        await proxy.close()
    return len(exporter.get_finished_spans())


async def talk(url: str) -> None:
    """Let a run go over two streams; all is answered."""
    async with asking(url) as (ask, answers):
        await tool_run(ask)
    assert {one.status for one in answers} == {200}


async def until(admin: str, signal_name: str, least: float) -> float:
    """Wait until so much of a signal is lost; gives how much is."""
    async with asyncio.timeout(LONG_S):
        while (count := (await lost(admin)).get(signal_name, 0)) < least:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.02)
    return count


async def ended(process: asyncio.subprocess.Process, codes: frozenset[int] = frozenset({0})) -> float:
    """Ask a process to end; gives how long it took, less the time that others on this machine held it, or us, back."""
    begun, before, held = time.monotonic(), held_back(process.pid), 0.0
    process.send_signal(signal.SIGTERM)
    ending = asyncio.ensure_future(process.wait())
    async with asyncio.timeout(LONG_S):
        while not ending.done():
            held = max(held, held_back(process.pid) - before)
            await asyncio.wait([ending], timeout=0.01)
    assert ending.result() in codes
    return time.monotonic() - begun - held


def held_back(pid: int) -> float:
    """Seconds in which the main threads of a process and of this one could have run, and others did (proc(5))."""
    told = (Path(f"/proc/{one}/schedstat") for one in (pid, "self"))
    with contextlib.suppress(OSError):  # it has ended, or there is no such file here
        return sum(int(path.read_text().split()[1]) for path in told) / 1e9
    return 0.0


async def told(process: asyncio.subprocess.Process) -> list[dict[str, object]]:
    """Give the lines of its log."""
    assert process.stderr is not None
    return [json.loads(line) for line in (await process.stderr.read()).splitlines() if line.startswith(b"{")]


def rows(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as ledger:
        made = ledger.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'run'").fetchone()[0]
        return int(ledger.execute("SELECT count(*) FROM run").fetchone()[0]) if made else 0


async def written(path: Path) -> None:
    """Wait until the first run's row is there."""
    async with asyncio.timeout(LONG_S):
        while not path.exists() or not rows(path):  # noqa: ASYNC110  another process's file
            await asyncio.sleep(0.02)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=LONG_S)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize("fault", [*FAULTS])
async def test_what_a_broken_collector_does_not_take_is_counted_exactly_and_told_once(
    tmp_path: Path, fault: str
) -> None:
    spans = await spans_of_a_talk()
    async with collector(fault) as otlp:
        serve = ("serve", "--ledger", "none")
        async with running(*serve, cwd=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=otlp, **HASTY) as (process, at):
            await talk(at["traffic"])
            assert await until(at["admin"], "export", spans) == spans
            assert await until(at["admin"], "export_metrics", 1) < 1000
            assert (await exchange(at["admin"], GET.replace(b"/v1/nothing", b"/readyz"))).startswith(b"HTTP/1.1 200 ")
            assert await ended(process) < EXIT_S
            lines = await told(process)
    warned = [line["source"] for line in lines if line["event"] == "telemetry.sdk_warned"]
    assert len(warned) == len(set(warned)) > 0
    (end,) = [line for line in lines if line["event"] == "telemetry.shut_down"]
    assert end["spans_lost"] == spans


async def test_a_collector_that_hangs_costs_the_exit_less_than_three_seconds(tmp_path: Path) -> None:
    """With the SDK's own patience, for traces and metrics alike; it alone would take 30 s. The ledger is written."""
    spans = await spans_of_a_talk()
    async with collector("hangs") as otlp:
        serve = ("serve", "--ledger", f"sqlite:///{tmp_path}/l.db")
        async with running(*serve, cwd=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=otlp) as (process, at):
            await talk(at["traffic"])
            assert await ended(process) < EXIT_S
            (end,) = [line for line in await told(process) if line["event"] == "telemetry.shut_down"]
    assert (sorted(end["late"]), end["spans_lost"]) == (["metrics", "spans"], spans)  # type: ignore[call-overload]
    assert rows(tmp_path / "l.db") == 1


async def test_all_that_can_hang_hangs_at_once_and_the_exit_takes_less_than_three_seconds(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    async with collector("hangs") as otlp:
        with locked(path), pipe() as (_, stderr):
            serve = ("serve", "--ledger", f"sqlite:///{path}")
            async with running(*serve, cwd=tmp_path, stderr=stderr, OTEL_EXPORTER_OTLP_ENDPOINT=otlp) as (process, at):
                await flooded(at)
                await talk(at["traffic"])
                assert await ended(process) < EXIT_S


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that is full with a few lines."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)  # type: ignore[attr-defined]  # Linux alone has it
    try:
        yield reader, writer
    finally:
        os.close(writer)
        os.close(reader)


async def flooded(at: dict[str, str]) -> None:
    """More lines than the pipe takes; each request is answered."""
    for _ in range(40):
        assert (await exchange(at["traffic"], GET)).startswith(b"HTTP/1.1 401 ")


@pytest.mark.skipif(sys.platform != "linux", reason="a pipe's size can be set on Linux alone")
async def test_a_log_that_nobody_reads_blocks_nobody(tmp_path: Path) -> None:
    with pipe() as (_, stderr):
        toml = tmp_path / "wiretape.toml"
        toml.write_text("[telemetry]\nqueue_max = 10\n")
        async with running("serve", "--ledger", "none", cwd=tmp_path, stderr=stderr) as (process, at):
            await flooded(at)
            await talk(at["traffic"])
            assert await until(at["admin"], "log_lines", 1) <= 46  # 45 exchanges and a run
            assert await ended(process) < EXIT_S


async def test_a_log_whose_reader_is_gone_is_counted_and_blocks_nobody(tmp_path: Path) -> None:
    async with running("serve", "--ledger", "none", cwd=tmp_path) as (process, at):
        process._transport.get_pipe_transport(2).close()  # type: ignore[attr-defined]
        await talk(at["traffic"])
        assert await until(at["admin"], "log_lines", 6) == 6  # five exchanges and a run
        # 120 is Python's own, for an output that it could not flush
        assert await ended(process, frozenset({0, 120})) < EXIT_S


async def test_a_ledger_that_is_locked_to_the_end_loses_what_is_told(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    async with running("serve", "--ledger", f"sqlite:///{path}", cwd=tmp_path) as (process, at):
        await talk(at["traffic"])
        await written(path)
        with locked(path):
            await talk(at["traffic"])
            assert await ended(process) < EXIT_S
            (end,) = [line for line in await told(process) if line["event"] == "sink.ended"]
    assert (end["sink"], rows(path)) == ("ledger", 1)
    assert isinstance(end["dropped"], int)
    assert 1 <= end["dropped"] <= 6  # the run; where its thread still waits, the exchanges that queue behind it


async def test_a_full_disk_costs_no_row_once_there_is_room_again(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    async with running("serve", "--ledger", f"sqlite:///{path}", cwd=tmp_path) as (process, at):
        await talk(at["traffic"])
        await written(path)
        most = resource.RLIM_INFINITY
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (path.with_name("l.db-wal").stat().st_size, most))
        for _ in range(3):
            await talk(at["traffic"])
        await warned(process)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
        assert await ended(process) < EXIT_S
    assert rows(path) == 4


async def warned(process: asyncio.subprocess.Process) -> None:
    """Wait until it says that the ledger's rows wait."""
    assert process.stderr is not None
    async with asyncio.timeout(LONG_S):
        while True:
            line = await process.stderr.readline()
            if b"sink.failed" in line:
                assert b"LedgerBusy" in line
                return


async def test_a_damaged_ledger_is_told_loudly_counted_and_named_by_the_audit(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    path.write_bytes(bytes(8192))  # as a power cut leaves a file whose blocks were never written
    ledger = f"sqlite:///{path}"
    async with running("serve", "--ledger", ledger, cwd=tmp_path) as (process, at):
        await talk(at["traffic"])
        assert await until(at["admin"], "ledger_damaged", 1) == 1
        assert await ended(process) < EXIT_S
        (line,) = [line for line in await told(process) if line["event"] == "sink.failed"]
    assert (line["error"], rows(path)) == ("LedgerDamaged", 1)
    (aside,) = tmp_path.glob("l.db.corrupt-*")
    assert str(aside) in str(line["detail"])
    said = await wiretape("audit", "report", "--ledger", ledger, cwd=tmp_path)
    assert str(aside) in said.err
