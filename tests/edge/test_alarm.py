"""An alarm of many exchanges: it rings when the last winding is due, and never for one that was unwound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from wiretape.edge.alarm import Alarm

WINDINGS = st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(1, 9))), max_size=12)


class Timer:
    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when, self.call, self.is_cancelled = when, call, False

    def cancel(self) -> None:
        self.is_cancelled = True


class Clock(asyncio.AbstractEventLoop):
    """A loop that is nothing but a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when, callback, *args, context=None):  # noqa: ANN001, ANN002, ANN201  as asyncio has it
        self.timers.append(Timer(when, callback))
        return self.timers[-1]

    @property
    def set(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.is_cancelled]

    def go(self, until: float) -> None:
        while due := sorted((timer for timer in self.set if timer.when <= until), key=lambda timer: timer.when):
            self.now = max(self.now, due[0].when)
            self.timers.remove(due[0])
            due[0].call()
        self.now = until


@given(WINDINGS)
def test_it_rings_when_the_last_winding_is_due(steps: list[tuple[int, int | None]]) -> None:
    clock, rang, expected = Clock(), [], []
    alarm = Alarm(clock)
    due: float | None = None
    for pause, wait in steps:
        if due is not None and due <= clock.now + pause:
            expected.append(due)
            due = None
        clock.go(clock.now + pause)
        if wait is None:
            alarm.unwind()
            due = None
        else:
            alarm.wind(wait, lambda: rang.append(clock.now))
            due = clock.now + wait
        assert len(clock.set) <= 1
    clock.go(1000)
    assert rang == expected + ([due] if due is not None else [])


def test_one_that_is_stopped_leaves_no_timer() -> None:
    clock, rang = Clock(), []
    alarm = Alarm(clock)
    alarm.stop()
    alarm.wind(1, lambda: rang.append(1))
    alarm.stop()
    assert clock.set == []
    clock.go(10)
    assert rang == []
