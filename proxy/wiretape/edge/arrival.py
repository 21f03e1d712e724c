"""From aiohttp's request to ours: raw target, raw fields, ids for its spans."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from aiohttp import web

from wiretape.exchange import Request, Trace
from wiretape.runs.observer import Joined
from wiretape.wire.trace import caller


def arrive(raw: web.BaseRequest) -> Request:
    """Read a request's head, with the instant it was seen."""
    return Request(
        method=raw.method,
        target=raw.raw_path,
        headers=raw.raw_headers,
        at_ns=time.monotonic_ns(),
        wall_ns=time.time_ns(),
    )


def trace(request: Request, joined: Joined | None, new_bits: Callable[[int], int]) -> Trace:
    """Choose the ids of an exchange's spans: in the caller's trace, else in its run's, else in one of its own."""
    ids = (new_bits(64), new_bits(64))
    came_from = caller(request.headers)
    if came_from is not None:
        of_run = joined.trace if joined and request.method == "POST" else None
        return Trace(came_from.trace_id, *ids, came_from.span_id, came_from.sampled, of_run)
    if joined is not None:
        return Trace(joined.trace.trace_id, *ids, sampled=joined.trace.sampled)
    return Trace(new_bits(128), *ids)


def new_bits(count: int) -> int:
    """Draw an id that is not zero (an all-zero id is invalid, W3C Trace Context section 3.2.2)."""
    return random.getrandbits(count) or 1
