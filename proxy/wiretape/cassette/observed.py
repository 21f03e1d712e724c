"""The runs in a cassette, as the tracker of live traffic sees them: fed with what was recorded, at its times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from itertools import accumulate, count, pairwise

from wiretape.cassette.format import Ended, Interaction, Tape, recorded_at
from wiretape.exchange import Chunk, Ending, Head, How, Request
from wiretape.runs.observer import Runs
from wiretape.runs.options import RunOptions
from wiretape.runs.report import RunReport
from wiretape.runs.watch import Watch

_NS_PER_MS, _NS_PER_S = 1_000_000, 1_000_000_000
_ENDED = {
    Ended.COMPLETE: How.COMPLETE,
    Ended.UPSTREAM_FAILED: How.UPSTREAM_FAILED,
    Ended.CLIENT_LEFT: How.CLIENT_LEFT,
    Ended.RECORDER: How.CANCELLED,
}

_Step = tuple[int, int, Callable[[], None]]
"""When, whose, and what happens."""


def runs(tape: Tape) -> list[RunReport]:
    """Every run, in the order in which they end; such as did not end are abandoned. Trace and span ids mean nothing."""
    reports: list[RunReport] = []
    numbers = count(1)
    followed = Runs(RunOptions(), reports.append, lambda: next(numbers))
    began = recorded_at(tape.header)
    wall_ns = 0 if began is None else int(began.timestamp()) * _NS_PER_S
    last_ms = 0
    for at_ms, _, happens in merge(*(_steps(one, followed, wall_ns) for one in tape.interactions), key=_moment):
        happens()
        last_ms = at_ms
    followed.close(last_ms * _NS_PER_MS)
    return reports


def _moment(step: _Step) -> tuple[int, int]:
    return step[:2]


def _steps(one: Interaction, followed: Runs, wall_ns: int) -> Iterator[_Step]:
    """What happens in one exchange, in its order; the watch begins with the request, when all before has been seen."""
    at_ns = one.t0_ms * _NS_PER_MS
    request = Request(one.method, one.target, one.request_headers, at_ns, wall_ns + at_ns, "recorded", one.session)
    watching: list[Watch] = []

    def begins() -> None:
        watching.append(followed.watch(request, mode="replay", cassette=None))
        watching[0].sent(Chunk(one.request_body, at_ns))

    yield one.t0_ms, one.index, begins
    times = [one.t0_ms + gap for gap in accumulate(gap for gap, _ in one.chunks)]
    yield from ((at, one.index, happens) for at, happens in _answered(one, times, watching))


def _answered(one: Interaction, times: list[int], watching: list[Watch]) -> Iterator[tuple[int, Callable[[], None]]]:
    first, last = (times[0], times[-1]) if times else (one.t0_ms, one.t0_ms)
    if one.status is not None:
        head = Head(one.status, one.headers, first * _NS_PER_MS)
        yield first, lambda: watching[0].head(head)
    for at, (start, end) in zip(times, pairwise([0, *accumulate(size for _, size in one.chunks)]), strict=True):
        chunk = Chunk(one.body[start:end], at * _NS_PER_MS)
        yield at, lambda chunk=chunk: watching[0].chunk(chunk)  # type: ignore[misc]
    ending = Ending(_ENDED[one.how], last * _NS_PER_MS)
    yield last, lambda: watching[0].end(ending)
