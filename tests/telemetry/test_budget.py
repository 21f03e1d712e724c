from __future__ import annotations

from wiretape.telemetry.budget import Budget


def test_what_one_leaves_the_next_may_take_and_nobody_more_than_the_whole() -> None:
    now = 100.0
    budget = Budget(10.0, lambda: now)
    now = 200.0
    assert budget.until(0.5) == 5.0
    now = 201.0
    assert budget.until(0.9) == 8.0
    now = 209.5
    assert (budget.until(0.9), budget.until(1.0)) == (0.0, 0.5)


async def test_each_is_told_what_it_has() -> None:
    told: list[float] = []
    await Budget(10.0, lambda: 0.0).end(0.5, told.append)
    assert told == [5.0]
