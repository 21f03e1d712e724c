"""SIGTERM against a real process: what is in flight ends or is cut, sinks are flushed, the exit is 0 and in time."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.command import running
from support.raw import Connection, exchange, serving
from wiretape.cassette.format import Ended
from wiretape.edge.store import load, tape_path

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"event: a\ndata: 1\n\n"
SDKS_OWN_WAIT_S = 30.0
"""What a hanging collector would cost if the exit waited for OpenTelemetry's SDK."""


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def get(target: str = "/") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


class Slow:
    """An upstream whose streams go on for as long as the test wants."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, connection: Connection) -> None:
        await connection.request()
        await connection.send(HEAD, chunk(EVENT))
        await self.go_on.wait()
        await connection.send(chunk(EVENT), b"0\r\n\r\n")
        await connection.gone()


@asynccontextmanager
async def streaming(url: str, target: str = "/v1/stream") -> AsyncIterator[asyncio.StreamReader]:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(get(target))
    await reader.readuntil(EVENT)
    try:
        yield reader
    finally:
        writer.close()


async def drained(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    while b"draining" not in await process.stderr.readline():
        pass


async def test_sigterm_refuses_what_is_new_and_lets_streams_end(tmp_path: Path) -> None:
    slow = Slow()
    async with serving(slow) as url:
        serve = ("serve", "--upstream", url, "--ledger", "none", "--drain-s", "60")
        async with running(*serve, cwd=tmp_path) as (process, at), streaming(at["traffic"]) as reader:
            process.send_signal(signal.SIGTERM)
            await drained(process)
            assert (await exchange(at["admin"], get("/readyz"))).startswith(b"HTTP/1.1 503 ")
            assert (await exchange(at["admin"], get("/healthz"))).startswith(b"HTTP/1.1 200 ")
            with pytest.raises(ConnectionRefusedError):
                await exchange(at["traffic"], get())
            slow.go_on.set()
            assert await reader.read() == b"\r\n" + chunk(EVENT) + b"0\r\n\r\n"
            assert await process.wait() == 0


async def test_a_stream_that_outlasts_the_drain_is_cut_and_seen_to_be(tmp_path: Path) -> None:
    async with serving(Slow()) as url:
        serve = ("serve", "--upstream", url, "--ledger", "none", "--drain-s", "0.2")
        async with running(*serve, cwd=tmp_path) as (process, at), streaming(at["traffic"]) as reader:
            process.send_signal(signal.SIGTERM)
            assert await reader.read() == b"\r\n"
            assert await process.wait() == 0
            assert process.stderr is not None
            assert b'"code":"shutting_down"' in await process.stderr.read()


async def test_a_stream_that_the_drain_cuts_is_recorded_as_cut_and_one_that_ends_as_whole(tmp_path: Path) -> None:
    slow = Slow()
    async with serving(slow) as url, serving(Slow()) as never:
        (tmp_path / "wiretape.toml").write_text(
            f'[[upstream]]\nname = "slow"\nurl = "{url}"\n'
            f'[[upstream]]\nname = "never"\nprefix = "/never"\nurl = "{never}"\n'
        )
        serve = ("serve", "--mode", "record", "--cassette", str(tmp_path / "talk"), "--ledger", "none")
        async with (
            running(*serve, "--drain-s", "1", cwd=tmp_path) as (process, at),
            streaming(at["traffic"]) as whole,
            streaming(at["traffic"], "/never/stream") as cut,
        ):
            process.send_signal(signal.SIGTERM)
            await drained(process)
            slow.go_on.set()
            assert (await whole.read()).endswith(b"0\r\n\r\n")
            assert await cut.read() == b"\r\n"
            assert await process.wait() == 1  # as where anything was recorded incomplete
    recorded = {one.target: (one.how, one.body) for one in load(tape_path(tmp_path / "talk")).interactions}
    assert recorded == {
        "/v1/stream": (Ended.COMPLETE, EVENT * 2),
        "/never/stream": (Ended.RECORDER, EVENT),
    }


async def test_a_second_sigterm_ends_the_drain_at_once(tmp_path: Path) -> None:
    async with serving(Slow()) as url:
        serve = ("serve", "--upstream", url, "--ledger", "none", "--drain-s", "600")
        async with running(*serve, cwd=tmp_path) as (process, at), streaming(at["traffic"]) as reader:
            process.send_signal(signal.SIGTERM)
            await drained(process)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(SDKS_OWN_WAIT_S):
                assert await reader.read() == b"\r\n"
                assert await process.wait() == 0


async def test_sigterm_is_heard_where_nobody_reads_what_we_say_any_more(tmp_path: Path) -> None:
    async with running("serve", "--ledger", "none", cwd=tmp_path) as (process, _):
        process._transport.get_pipe_transport(2).close()  # type: ignore[attr-defined]
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SDKS_OWN_WAIT_S):
            assert await process.wait() in {0, 120}  # 120 is Python's own, for an output that it could not flush
