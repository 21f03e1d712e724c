"""More than one process: they share a port in `forward` alone, each with an admin address of its own."""

import asyncio
import signal
from pathlib import Path

from support.command import running, wiretape
from support.raw import Connection, exchange, serving

GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
QUIET = ("--ledger", "none", "--drain-s", "5")


async def answering(connection: Connection) -> None:
    while True:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def counted(metrics: bytes) -> int:
    name = b"http_server_request_duration_seconds_count{"
    return sum(int(float(line.split()[-1])) for line in metrics.splitlines() if line.startswith(name))


async def test_two_processes_answer_on_one_port(tmp_path: Path) -> None:
    """Each answers some of many connections, and when one goes, the other has them all."""
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        home.mkdir()
    async with serving(answering) as url:
        ours = ("serve", *QUIET, "--reuse-port", "--upstream", url)
        async with running(*ours, cwd=homes[0]) as (first, one):
            port = one["traffic"].rpartition(":")[2]
            async with running(*ours, cwd=homes[1], listen=f"127.0.0.1:{port}") as (_, two):
                assert one["traffic"] == two["traffic"]
                got = await asyncio.gather(*(exchange(one["traffic"], GET) for _ in range(64)))
                assert {answer[-2:] for answer in got} == {b"ok"}
                shares = [await answered(at["admin"]) for at in (one, two)]
                assert min(shares) > 0
                first.send_signal(signal.SIGTERM)
                assert await first.wait() == 0
                got = await asyncio.gather(*(exchange(two["traffic"], GET) for _ in range(16)))
                assert {answer[-2:] for answer in got} == {b"ok"}


async def answered(admin: str) -> int:
    """Scrape until the sinks' threads have come to the first exchange."""
    async with asyncio.timeout(10):
        while not (count := counted(await exchange(admin, GET.replace(b"/", b"/metrics", 1)))):
            pass
    return count


async def test_a_port_is_not_shared_with_one_who_does_not_share(tmp_path: Path) -> None:
    async with running("serve", *QUIET, "--upstream", "http://127.0.0.1:1", cwd=tmp_path) as (_, at):
        taken = at["traffic"].removeprefix("http://")
        ran = await wiretape(
            "serve", "--reuse-port", "--upstream", "http://127.0.0.1:1", "--listen", taken, "--admin", "127.0.0.1:0",
            cwd=tmp_path,
        )  # fmt: skip
        same = await wiretape(
            "serve", "--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0",
            "--admin", at["admin"].removeprefix("http://"), cwd=tmp_path,
        )  # fmt: skip
    assert (ran.code, ran.err) == (
        2, f"wiretape: cannot listen on {taken}: Address already in use; choose another, or port 0\n",
    )  # fmt: skip
    assert (same.code, same.err.startswith("wiretape: cannot listen on ")) == (2, True)
