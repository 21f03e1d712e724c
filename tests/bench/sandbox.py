"""How many events a second the sandbox sends to 500 streams at once, on one core: as fast as it goes, and paced.

The sandbox is a process of its own, pinned to one core where the platform can; the load is plain asyncio on
another. Paced, it has to keep up with 500 deltas every 20 ms; that it does is told by its CPU share and by how
long a stream took beyond its pace.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import machine

STREAMS, DELTAS, PACE_S = 500, 200, 0.02
SERVER = """
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(sys.argv[2])})
from wiretape.cli import main
main(["sandbox", "--listen", "127.0.0.1:0", "--pace-s", sys.argv[1]])
"""
KEY = "Authorization: Bearer bench\r\nOpenAI-Beta: assistants=v2\r\nContent-Type: application/json\r\n"


async def measure(rounds: int = 3) -> list[dict[str, Any]]:
    """Give a row for each pace; while it measures, this process keeps to the first core."""
    with machine.on_core(machine.LOAD_CORE):
        return [await _row("as fast as it goes", 0.0, rounds), await _row("a delta each 20 ms", PACE_S, rounds)]


@asynccontextmanager
async def _served(pace_s: float) -> AsyncIterator[asyncio.subprocess.Process]:
    words = (sys.executable, "-c", SERVER, str(pace_s), str(machine.CONTENDER_CORE))
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.DEVNULL}
    child = await asyncio.create_subprocess_exec(*words, **pipes)
    try:
        yield child
    finally:
        child.terminate()
        await child.wait()


async def _row(name: str, pace_s: float, count: int) -> dict[str, Any]:
    async with _served(pace_s) as server:
        assert server.stdout is not None
        said = (await server.stdout.readline()).decode()
        port = int(said.partition("127.0.0.1:")[2].partition(";")[0])
        assistant = await _assistant(port)
        events = STREAMS * (await _read(port, assistant)).count(b"event: ")
        rounds = [await _round(port, server.pid, assistant) for _ in range(count)]
    took_s, cpu, longest_s = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {
        "500 streams at once": name,
        "events/s": f"{events / took_s:,.0f}",
        "CPU µs/event": f"{cpu / events * 1e6:.1f}",
        "CPU of one core": f"{cpu / took_s:.0%}",
        "slowest stream": f"{longest_s:.2f} s",
        "its pace alone": f"{DELTAS * pace_s + 0.2:.2f} s",
    }


async def _round(port: int, pid: int, assistant: str) -> tuple[float, float, float]:
    before, begun = machine.cpu_s([pid]), time.perf_counter()
    lengths = await asyncio.gather(*(_stream(port, assistant) for _ in range(STREAMS)))
    return time.perf_counter() - begun, machine.cpu_s([pid]) - before, max(lengths)


async def _stream(port: int, assistant: str) -> float:
    """Read one stream; gives the seconds it took."""
    begun = time.perf_counter()
    await _read(port, assistant)
    return time.perf_counter() - begun


async def _read(port: int, assistant: str) -> bytes:
    """Read one stream to its end."""
    acts = json.dumps([{"say": " ".join(["w"] * DELTAS)}])
    thread = {"messages": [{"role": "user", "content": "Hi"}]}
    body = json.dumps({"assistant_id": assistant, "stream": True, "thread": thread, "metadata": {"sandbox": acts}})
    reader, writer = await _ask(port, "/v1/threads/runs", body)
    read = bytearray()
    while not read.endswith(b"\r\n0\r\n\r\n"):
        more = await reader.read(262_144)
        assert more, read
        read += more
    writer.close()
    return bytes(read)


async def _assistant(port: int) -> str:
    reader, writer = await _ask(port, "/v1/assistants", '{"model":"m"}')
    answer = await reader.readuntil(b'"object"')
    writer.close()
    return answer.split(b'"id": "')[1].partition(b'"')[0].decode()


async def _ask(port: int, target: str, body: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {target} HTTP/1.1\r\nHost: x\r\n{KEY}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return reader, writer


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(row)  # noqa: T201  a script speaks to its caller
