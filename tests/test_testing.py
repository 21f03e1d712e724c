from __future__ import annotations

import asyncio

from wiretape.sandbox.clock import SystemClock
from wiretape.testing import EPOCH_S, ManualClock, StepClock


async def test_a_manual_clock_wakes_sleepers_in_the_order_of_their_times() -> None:
    clock, woken = ManualClock(), []

    async def sleeper(wait_s: float) -> None:
        await clock.sleep(wait_s)
        woken.append(wait_s)

    async with asyncio.TaskGroup() as group:
        for wait_s in (3.0, 1.0, 2.0, 0.0):
            group.create_task(sleeper(wait_s))
        await asyncio.sleep(0)
        clock.advance(2)
        await asyncio.sleep(0)
        assert woken == [0.0, 1.0, 2.0]
        clock.advance(1)
    assert (woken[-1], clock.now_s()) == (3.0, EPOCH_S + 3)


async def test_a_sleeper_that_was_cancelled_is_left_alone() -> None:
    clock = ManualClock()
    sleeping = asyncio.ensure_future(clock.sleep(1))
    await asyncio.sleep(0)
    sleeping.cancel()
    await asyncio.sleep(0)
    clock.advance(1)
    assert sleeping.cancelled()


async def test_a_step_clock_moves_with_each_look_and_each_sleep() -> None:
    clock = StepClock(step_s=0.5, start_s=10)
    looks = [clock.now_s(), clock.now_s()]
    await clock.sleep(4)
    assert [*looks, clock.now_s()] == [10, 10.5, 15]


async def test_the_system_clock_is_after_the_epoch_of_the_doubles() -> None:
    clock = SystemClock()
    await clock.sleep(0)
    assert clock.now_s() > EPOCH_S
