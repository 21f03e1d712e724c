"""What an exchange cost us, by table: the upstream's own time is not ours."""

import pytest

from wiretape.edge.meter import Meter
from wiretape.exchange import Head, Request

MS = 1_000_000
ASKED = Request(method="GET", target="/", headers=(), at_ns=10 * MS, wall_ns=0)


@pytest.mark.parametrize(
    ("opened_ms", "head_ms", "now_ms", "told"),
    [
        (12, 1_000, 1_000.5, b"wiretape;dur=2.500"),
        (10, 5_000, 5_000, b"wiretape;dur=0.000"),
        (None, 30, 35, b"wiretape;dur=25.000"),
    ],
    ids=["before it was passed on and after the head", "nothing of it", "all of it where nobody was asked"],
)
def test_server_timing_tells_our_own_time_alone(
    opened_ms: int | None, head_ms: int, now_ms: float, told: bytes
) -> None:
    meter = Meter(ASKED)
    meter.opened_ns = None if opened_ms is None else opened_ms * MS
    head = Head(200, ((b"ETag", b"x"),), head_ms * MS)
    assert meter.timed(head, int(now_ms * MS)).headers == ((b"ETag", b"x"), (b"Server-Timing", told))
