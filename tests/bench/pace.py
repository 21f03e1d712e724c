"""How late the chunks of a replayed stream leave at speed 1, and whether any leaves early.

`wiretape replay --speed 1` is a process of its own on the last core, the clients one asyncio process on the first.
Lateness counts from when the client had the response's head; whether a chunk is early is asked against the instant
before the request was written, as the head itself may come late. Every client has a session and a stream of its own,
and they begin one after the other, within 200 ms.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from wiretape.cassette.format import Ended, Header, Interaction, Tape
from wiretape.edge.store import write_tape

STREAMS = (1, 64, 500)
GAPS_MS = (20, 21, 19, 23, 17) * 20
"""A delta each 20 ms or so, for two seconds."""
SERVER = """
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
from wiretape.cli import main
main(sys.argv[1:])
"""
_FRAMES = tuple(b'event: thread.message.delta\ndata: {"number": %03d}\n\n' % place for place in range(len(GAPS_MS)))
_READY_S = 30


def rows(streams: Sequence[int] = STREAMS) -> list[dict[str, Any]]:
    """Give a row for each number of streams at once."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    try:
        if cores:
            os.sched_setaffinity(0, {min(cores)})
        return asyncio.run(_measure(streams))
    finally:
        if cores:
            os.sched_setaffinity(0, cores)


async def _measure(streams: Sequence[int]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        _record(Path(folder))
        async with _replaying(Path(folder)) as port:
            await _stream(port, "warm")
            played = [_row(str(count), await _together(port, count)) for count in streams]
            return [_row("none: bare sleeps", sorted(await _sleeping())), *played]


async def _sleeping() -> list[tuple[float, bool]]:
    """What the machine itself is late by: the same deadlines, waited for and nothing else."""
    begun_s, due_s, late = time.monotonic(), 0.0, []
    for gap_ms in GAPS_MS:
        due_s += gap_ms / 1000
        await asyncio.sleep(begun_s + due_s - time.monotonic())
        late.append((time.monotonic() - begun_s - due_s, False))
    return late


def _record(folder: Path) -> None:
    interaction = Interaction(
        index=1, method="GET", target="/v1/stream", status=200, headers=((b"Content-Type", b"text/event-stream"),),
        body=b"".join(_FRAMES), frames=tuple(map(len, _FRAMES)), how=Ended.COMPLETE,
        chunks=tuple(zip(GAPS_MS, map(len, _FRAMES), strict=True)),
    )  # fmt: skip
    write_tape(Tape(header=Header(), interactions=(interaction,)), folder / "pace.tape.jsonl")


@asynccontextmanager
async def _replaying(folder: Path) -> AsyncIterator[int]:
    ready = folder / "ready.json"
    at = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ledger", "none", "--ready-file", str(ready)]
    words = ["replay", str(folder / "pace"), "--speed", "1", *at]
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, *words, cwd=folder, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_READY_S):
            while not ready.exists():  # noqa: ASYNC110  another process's file
                await asyncio.sleep(0.02)
        yield int(json.loads(ready.read_text())["traffic"].rpartition(":")[2])
    finally:
        server.terminate()
        await server.wait()


async def _together(port: int, count: int) -> list[tuple[float, bool]]:
    """Read so many streams; gives each chunk's lateness in seconds, the smallest first, and whether it was early."""
    spread_s = 10 * GAPS_MS[0] / 1000 / count
    streams = await asyncio.gather(*(_stream(port, f"{count}-{place}", place * spread_s) for place in range(count)))
    return sorted(chunk for stream in streams for chunk in stream)


async def _stream(port: int, session: str, after_s: float = 0.0) -> list[tuple[float, bool]]:
    await asyncio.sleep(after_s)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked_s, due_s, chunks = time.monotonic(), 0.0, []
    writer.write(b"GET /s/%b/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n" % session.encode())
    await reader.readuntil(b"\r\n\r\n")
    begun_s = time.monotonic()
    for gap_ms, frame in zip(GAPS_MS, _FRAMES, strict=True):
        due_s += gap_ms / 1000
        await reader.readuntil(frame)
        now_s = time.monotonic()
        chunks.append((now_s - begun_s - due_s, now_s < asked_s + due_s))
    writer.close()
    return chunks


def _row(streams: str, chunks: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    def late(share: float) -> str:
        return f"{chunks[min(int(share * len(chunks)), len(chunks) - 1)][0] * 1000:.2f} ms"

    return {
        "streams at once, speed 1": streams,
        "chunks": len(chunks),
        "early": sum(is_early for _, is_early in chunks),
        "late by, median": late(0.5),
        "p99": late(0.99),
        "latest": late(1),
    }


if __name__ == "__main__":
    for row in rows():
        print(row)  # noqa: T201  a script speaks to its caller
