"""A recording proxy that is killed while streams go through it, and what its clients had seen by then.

Run as a script it is the victim: an upstream, and a proxy that records it. Its clients live in the test.
"""

import asyncio
import hashlib
import random
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import aiohttp
from aiohttp import web
from msgspec import Struct

STREAMS = 6
PAUSE_S = 0.04
TICK_S = 0.005
STARVED = 5
"""Turns that the victim needs on the machine, each as late as a timer of ours was."""
SEEN_S = 0.1
"""What a client had to its end so long before the kill must be in the cassette."""


class Seen(Struct, frozen=True):
    """An answer that a client had to its end."""

    path: str
    sha: str
    at_s: float


async def killed(stem: Path, seed: int) -> list[Seen]:
    """Kill a victim at a random moment; gives what clients had seen long enough before.

    Where other programs held the machine for a while, so much longer before: `_lateness` tells how late a timer was.
    """
    chance = random.Random(seed)  # noqa: S311  a seed makes the run again
    loop, seen = asyncio.get_running_loop(), list[Seen]()
    child = await asyncio.create_subprocess_exec(sys.executable, __file__, str(stem), str(seed), stdout=PIPE)
    assert child.stdout is not None
    url = (await child.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as clients:
        for client in range(STREAMS):
            clients.create_task(_client(session, f"{url}/v1/{client}", chance, seen))
        late_s = await _lateness(loop, loop.time() + chance.uniform(0.05, 1.2))
        killed_s = _kill(child, loop)
    await child.wait()
    return [one for one in seen if one.at_s < killed_s - SEEN_S - STARVED * late_s]


async def _lateness(loop: asyncio.AbstractEventLoop, until_s: float) -> float:
    """Wait, and tell the most that a timer was late meanwhile."""
    late_s = 0.0
    while (due_s := loop.time() + TICK_S) < until_s:
        await asyncio.sleep(TICK_S)
        late_s = max(late_s, loop.time() - due_s)
    return late_s


def _kill(child: Process, loop: asyncio.AbstractEventLoop) -> float:
    killed_s = loop.time()
    child.kill()
    return killed_s


async def _client(session: aiohttp.ClientSession, url: str, chance: random.Random, seen: list[Seen]) -> None:
    """Ask one thing after the other, until nobody answers."""
    for number in range(1_000_000):
        try:
            async with session.post(f"{url}/{number}", json={"n": number}) as got:
                digest = hashlib.sha256(await got.read()).hexdigest()
                seen.append(Seen(got.url.path, digest, asyncio.get_running_loop().time()))
        except aiohttp.ClientError:
            return
        await asyncio.sleep(chance.uniform(0, PAUSE_S))


async def victim(stem: str, seed: int) -> None:
    """Serve until killed."""
    from wiretape.app import Proxy
    from wiretape.cassette.plan import Mode
    from wiretape.config import Config

    runner = web.ServerRunner(web.Server(lambda request: _answer(request, _chance(seed, request))))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy = await Proxy.start(
        Config(
            listen="127.0.0.1:0",
            admin="127.0.0.1:0",
            upstream=f"http://127.0.0.1:{runner.addresses[0][1]}",
            mode=Mode.RECORD,
            cassette=(stem,),
            ledger="none",
        ),
        environ={},
    )
    print(proxy.traffic.url, flush=True)  # noqa: T201  told to the test
    await asyncio.Event().wait()


def _chance(seed: int, request: web.BaseRequest) -> random.Random:
    return random.Random(f"{seed} {request.path}")  # noqa: S311  as above


async def _answer(request: web.BaseRequest, chance: random.Random) -> web.StreamResponse:
    if chance.random() < 0.3:
        return web.json_response({"path": request.path, "words": "x" * chance.choice((10, 900, 90_000))})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for number in range(chance.randrange(1, 40)):
        data = b'event: thread.message.delta\ndata: {"path":"%s","n":%d}\n\n' % (request.path.encode(), number)
        cut = chance.randrange(len(data))
        await response.write(data[:cut])
        await response.write(data[cut:])
        await asyncio.sleep(chance.choice((0, 0, 0, 0.002)))
    return response


if __name__ == "__main__":
    asyncio.run(victim(sys.argv[1], int(sys.argv[2])))
