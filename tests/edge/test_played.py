"""When the pieces of a recorded answer leave: by a clock that the test moves, and over a socket by the real one."""

import asyncio
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.proxied import proxied
from wiretape.cassette.format import Ended, Header, Interaction, Tape
from wiretape.cassette.performance import Performance
from wiretape.cassette.plan import Mode
from wiretape.edge.played import Played
from wiretape.edge.store import write_tape
from wiretape.errors import UpstreamTorn
from wiretape.testing import ManualClock

STREAM = ((b"Content-Type", b"text/event-stream"),)
MARGIN_S = 1e-9
"""What adding floats may cost."""


class Sloppy(ManualClock):
    """A clock whose sleepers wake early now and then, and late now and then; each sleep moves it."""

    def __init__(self, errors_s: list[float]) -> None:
        super().__init__(start_s=0)
        self._errors_s = [*errors_s]

    async def sleep(self, wait_s: float) -> None:
        self.advance(max(wait_s + (self._errors_s.pop() if self._errors_s else 0.0), 0.75 * wait_s))


def performance(*offsets: float, how: Ended = Ended.COMPLETE) -> Performance:
    return Performance(status=200, headers=STREAM, pieces=tuple((offset, b"x") for offset in offsets), how=how)


@given(
    st.lists(st.floats(0, 5), max_size=8).map(sorted),
    st.lists(st.floats(-0.5, 0.5), max_size=8),
    st.lists(st.floats(0, 2), min_size=8, max_size=8),
)
def test_no_piece_leaves_early_and_a_late_one_makes_no_other_late(
    offsets: list[float], errors_s: list[float], taking_s: list[float]
) -> None:
    """Whatever the clock does, and however long the client takes for each piece."""
    clock, left = Sloppy(errors_s), []

    async def watch() -> None:
        async for _ in Played(performance(*offsets), clock).chunks():
            left.append(clock.now_s())
            clock.advance(taking_s[len(left) - 1])

    asyncio.run(watch())
    assert len(left) == len(offsets)
    free_s = 0.0
    for offset, at_s, taken_s in zip(offsets, left, taking_s, strict=False):
        assert offset - MARGIN_S <= at_s <= max(offset, free_s) + 0.5 + MARGIN_S
        free_s = at_s + taken_s


async def test_a_first_piece_that_waits_for_nothing_leaves_with_the_head() -> None:
    at_once, later, empty = Played(performance(0, 0)), Played(performance(0.1)), Played(performance())
    first = at_once.taken()
    assert first is not None
    assert [first.data] + [chunk.data async for chunk in at_once.chunks()] == [b"x", b"x"]
    assert (later.taken(), empty.taken()) == (None, None)


async def test_it_ends_as_it_was_to_end() -> None:
    torn = Played(performance(0, how=Ended.UPSTREAM_FAILED)).chunks()
    assert (await anext(torn)).data == b"x"
    with pytest.raises(UpstreamTorn):
        await anext(torn)
    silent = Played(performance(0, how=Ended.CLIENT_LEFT)).chunks()
    assert (await anext(silent)).data == b"x"
    waiting = asyncio.ensure_future(anext(silent))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_at_speed_1_no_chunk_comes_early_over_a_socket(tmp_path: Path) -> None:
    """Many gaps, odd ones among them, each against the instant before the request was sent."""
    gaps_ms = [3, 1, 0, 7, 2, 11, 1, 1, 5, 13] * 3
    frames = tuple(b"data: %d\n\n" % number for number in range(len(gaps_ms)))
    recorded = Interaction(
        index=1, method="GET", target="/x", status=200, headers=STREAM, body=b"".join(frames), how=Ended.COMPLETE,
        frames=tuple(map(len, frames)), chunks=tuple(zip(gaps_ms, map(len, frames), strict=True)),
    )  # fmt: skip
    write_tape(Tape(header=Header(), interactions=(recorded,)), tmp_path / "tape.tape.jsonl")
    async with proxied(mode=Mode.REPLAY, cassette=(str(tmp_path / "tape"),), speed=1.0) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        asked_s = time.monotonic()
        writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        came_s = []
        for frame in frames:
            await reader.readuntil(frame)
            came_s.append(time.monotonic() - asked_s)
        writer.close()
    due_s = [sum(gaps_ms[: place + 1]) / 1000 for place in range(len(gaps_ms))]
    assert [came for came, due in zip(came_s, due_s, strict=True) if came < due] == []
