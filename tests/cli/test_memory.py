"""Memory is bounded: what is shed is the recording, and the traffic passes."""

import asyncio
import re
import resource
import signal
import sys
from pathlib import Path

import pytest

from support.command import running
from support.raw import Connection, exchange, serving
from wiretape.edge.store import load, tape_path

MIB = 1 << 20
ROOM = 96 * MIB
"""What the process may take beyond what one exchange took: a third of what passes meanwhile."""
BODY = b"0123456789abcdef" * (32 * MIB // 16)
GET = b"GET /%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
BOUNDS = "[record]\njournal_queue_bytes_max = 4194304\nheld_bytes_max = 8388608\n"


def most_taken(pid: int) -> int:
    """Bytes that were resident when they were most."""
    return status(pid, "VmHWM")


def address_space(pid: int) -> int:
    """Bytes that are mapped."""
    return status(pid, "VmSize")


def status(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) << 10


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
async def test_what_passes_the_bounds_of_a_recording_is_shed_from_it_and_the_traffic_passes(tmp_path: Path) -> None:
    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            await connection.send(b"Content-Length: %d\r\n\r\n" % len(BODY), BODY)

    (tmp_path / "wiretape.toml").write_text(BOUNDS)
    record = ("serve", "--mode", "record", "--cassette", str(tmp_path / "talk"), "--ledger", "none")
    async with serving(script) as url:
        async with running(*record, "--upstream", url, cwd=tmp_path) as (process, at):
            assert len(await exchange(at["traffic"], GET % 0)) > len(BODY)
            before = most_taken(process.pid)
            most = address_space(process.pid) + ROOM
            resource.prlimit(process.pid, resource.RLIMIT_AS, (most, most))  # as where the machine has no more
            got = await asyncio.gather(*(exchange(at["traffic"], GET % number) for number in range(1, 9)))
            grown = most_taken(process.pid) - before
            counted = await exchange(at["admin"], b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            process.send_signal(signal.SIGTERM)
            _, said = await process.communicate()
    assert [one.partition(b"\r\n\r\n")[2] == BODY for one in got] == [True] * 8
    assert grown < ROOM
    assert process.returncode == 1  # the recording is not whole
    assert b"exchange.broken" not in said
    dropped = re.search(rb'wiretape_telemetry_dropped_total\{[^}]*"recorder"\} (\d+)', counted)
    assert dropped is not None
    assert int(dropped[1]) > 0
    assert len(BODY) not in [len(one.body) for one in load(tape_path(tmp_path / "talk")).interactions]
