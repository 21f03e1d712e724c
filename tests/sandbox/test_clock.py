from __future__ import annotations

import asyncio

from support.assistants import path_of, talking
from wiretape.sandbox.clock import SystemClock, VirtualClock
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.state import opened


async def test_sleepers_on_a_virtual_clock_wake_in_the_order_of_their_times() -> None:
    clock, woken = VirtualClock(0, 100.0), []

    async def sleeper(wait_s: float) -> None:
        await clock.sleep(wait_s)
        woken.append((wait_s, clock.now_s()))

    await asyncio.gather(*(sleeper(wait_s) for wait_s in (500, 3, 0, 40, 3)))
    assert woken == [(0, 100.0), (3, 103.0), (3, 103.0), (40, 140.0), (500, 600.0)]


async def test_who_gives_up_sleeping_holds_up_nobody() -> None:
    clock = VirtualClock(0, 0.0)
    gone = asyncio.ensure_future(clock.sleep(5))
    asyncio.get_running_loop().call_soon(gone.cancel)
    await asyncio.gather(clock.sleep(9), gone, return_exceptions=True)
    assert clock.now_s() == 9


def test_each_look_moves_a_virtual_clock_on() -> None:
    clock = VirtualClock(0.25, 0.0)
    assert [clock.now_s(), clock.now_s()] == [0.25, 0.5]


async def test_a_system_clock_keeps_time() -> None:
    clock = SystemClock()
    before_s = clock.now_s()
    await clock.sleep(0)
    assert clock.now_s() >= before_s > 1_767_225_600


async def test_on_a_virtual_clock_ten_minutes_take_no_time_and_polls_get_somewhere() -> None:
    async with talking(opened(SandboxOptions(clock="virtual"))) as talk:
        stalled = await talk.run(await talk.assistant(), "Hi", stream=True, metadata={"sandbox": "stall"})
        expired = dict(stalled)["thread.run.expired"]
        run = await talk.run(await talk.assistant(), "Hi")
        seen = [run["status"]]
        while seen[-1] != "completed":
            seen.append((await talk.ask("GET", path_of(run)))["status"])
    assert expired["expires_at"] - expired["created_at"] == 600
    assert list(dict.fromkeys(seen)) == ["queued", "in_progress", "completed"]
