"""What a hop through Wiretape costs, beside none, and beside nginx and HAProxy where they are installed, in one run.

Upstream, contender and load are processes of their own. The load is plain asyncio, so it is slower than the C
generator of a later harness: read the rows against each other, not as the machine's limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

JSON_BYTES, DELTAS, ROUNDS = 1_200, 200, 5
CONNECTIONS, REQUESTS, STREAMS, STREAMS_EACH = 32, 4_000, 50, 10

UPSTREAM = f"""
import asyncio, json, sys, uvloop
BODY = json.dumps({{"text": "x" * {JSON_BYTES - 12}}}).encode()
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n%b" % (len(BODY), BODY)
HEAD = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
DELTA = b'event: thread.message.delta\\ndata: {{"id":"msg_1","object":"thread.message.delta","delta":{{"content":[{{"index":0,"type":"text","text":{{"value":" word"}}}}]}}}}\\n\\n'
CHUNK = b"%x\\r\\n%b\\r\\n" % (len(DELTA), DELTA)
class Upstream(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.held = transport, b""
    def data_received(self, data):
        self.held += data
        while b"\\r\\n\\r\\n" in self.held:
            head, _, self.held = self.held.partition(b"\\r\\n\\r\\n")
            if b"/stream" in head.split(b"\\r\\n")[0]:
                self.transport.writelines([HEAD, *[CHUNK] * {DELTAS}, b"0\\r\\n\\r\\n"])
            else:
                self.transport.write(ANSWER)
async def main():
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
uvloop.run(main())
"""  # noqa: E501
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
upstream up {{ server 127.0.0.1:{up}; keepalive 512; }}
server {{ listen 127.0.0.1:{port}; keepalive_requests 1000000;
location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
proxy_buffering off; }} }} }}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  http-reuse always
listen up
  bind 127.0.0.1:{port}
  server one 127.0.0.1:{up}
"""


async def load(port: int, target: str, each: int, connections: int, done: Callable[[bytes], int]) -> float:
    """Ask `each` times on every connection; gives the seconds it took."""
    request = f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(each):
            writer.write(request)
            held = b""
            while not done(held):
                held += await reader.read(262_144)
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return time.perf_counter() - begun


def json_done(held: bytes) -> int:
    """Tell a whole JSON answer by its length."""
    return b"\r\n\r\n" in held and held.endswith(b'"}') and len(held) > JSON_BYTES


def stream_done(held: bytes) -> int:
    """Tell a whole stream by its last chunk."""
    return held.endswith(b"0\r\n\r\n")


@asynccontextmanager
async def process(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a contender."""
    child = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield child
    finally:
        child.terminate()
        await child.wait()


@asynccontextmanager
async def wiretape(up: int, folder: Path, *flags: str) -> AsyncIterator[tuple[int, int]]:
    """Run Wiretape in front of the upstream; gives its port and process id."""
    ready = Path(tempfile.mkdtemp(dir=folder)) / "ready.json"
    words = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", str(ready)]
    where = ["--upstream", f"http://127.0.0.1:{up}"]
    async with process(sys.executable, "-m", "wiretape", "serve", *words, *where, *flags) as child:
        while not ready.exists():  # noqa: ASYNC110  another process's file
            await asyncio.sleep(0.02)
        yield int(json.loads(ready.read_text())["traffic"].rpartition(":")[2]), child.pid


@asynccontextmanager
async def nginx(up: int, folder: Path) -> AsyncIterator[tuple[int, int]]:
    """Run nginx in front of the upstream, one worker, unbuffered, with upstream keep-alive."""
    port, file = unused_port(), folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, up=up, port=port))
    async with process("nginx", "-p", str(folder), "-c", str(file)) as child:
        await answers(port)
        yield port, child.pid


@asynccontextmanager
async def haproxy(up: int, folder: Path) -> AsyncIterator[tuple[int, int]]:
    """Run HAProxy in front of the upstream, one thread, connections to it shared."""
    port, file = unused_port(), folder / "haproxy.cfg"
    file.write_text(HAPROXY.format(up=up, port=port))
    async with process("haproxy", "-db", "-f", str(file)) as child:
        await answers(port)
        yield port, child.pid


def unused_port() -> int:
    """Find a port for a peer that cannot tell which one it took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def answers(port: int) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(ConnectionError):
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                return
            await asyncio.sleep(0.02)


def cpu_s(pid: int) -> float:
    """Read a process's CPU time with its children's, from /proc."""
    family = [pid, *(int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    ticks = (Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:13] for one in family)
    return sum(int(user) + int(system) for user, system in ticks) / os.sysconf("SC_CLK_TCK")


async def measure() -> list[dict[str, Any]]:
    """Interleave the contenders, several rounds; gives a row for each."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = await stack.enter_async_context(process(sys.executable, "-c", UPSTREAM))
        assert upstream.stdout is not None
        up = int(await upstream.stdout.readline())
        ports = {"direct": (up, upstream.pid)}
        for peer in (nginx, haproxy):
            if shutil.which(peer.__name__):
                ports[peer.__name__] = await stack.enter_async_context(peer(up, folder))
        quiet = ("--ledger", "none")
        ports["wiretape, forward"] = await stack.enter_async_context(wiretape(up, folder, *quiet))
        reference = (*quiet, "--engine", "reference")
        ports["wiretape, forward, reference engine"] = await stack.enter_async_context(wiretape(up, folder, *reference))
        ledger = ("--ledger", f"sqlite:///{folder}/ledger.db")
        ports["wiretape, forward, ledger"] = await stack.enter_async_context(wiretape(up, folder, *ledger))
        record = ("--mode", "record", "--cassette", str(folder / "bench"), *quiet)
        ports["wiretape, record"] = await stack.enter_async_context(wiretape(up, folder, *record))
        found: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in ports}
        for _ in range(ROUNDS):
            for name, (port, pid) in ports.items():
                found[name].append(await _round(port, pid))
    return [_row(name, rounds) for name, rounds in found.items()]


async def _round(port: int, pid: int) -> tuple[float, float, float, float]:
    before = cpu_s(pid)
    json_s = await load(port, "/json", REQUESTS // CONNECTIONS, CONNECTIONS, json_done)
    between = cpu_s(pid)
    stream_s = await load(port, "/v1/threads/thread_1/stream", STREAMS_EACH, STREAMS, stream_done)
    return json_s, between - before, stream_s, cpu_s(pid) - between


def _row(name: str, rounds: list[tuple[float, float, float, float]]) -> dict[str, Any]:
    requests = REQUESTS // CONNECTIONS * CONNECTIONS
    events = STREAMS_EACH * STREAMS * DELTAS
    json_s, json_cpu, stream_s, stream_cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {
        "contender": name,
        "JSON requests/s": f"{requests / json_s:,.0f}",
        "CPU µs/request": f"{json_cpu / requests * 1e6:.0f}",
        "events/s": f"{events / stream_s:,.0f}",
        "CPU µs/event": f"{stream_cpu / events * 1e6:.1f}",
        "spread of requests/s": f"{min(r[0] for r in rounds) / max(r[0] for r in rounds):.2f}",
    }


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(row)  # noqa: T201  a script speaks to its caller
