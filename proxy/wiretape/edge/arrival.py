"""From aiohttp's request to ours: raw target, raw fields, ids for its spans; what must not be forwarded is refused."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from aiohttp import web

from wiretape.errors import BadRequest, UpgradeUnsupported
from wiretape.exchange import Request, Trace
from wiretape.runs.observer import Joined
from wiretape.wire.trace import caller

_VERSIONS = ((1, 0), (1, 1))


def arrive(raw: web.BaseRequest) -> Request:
    """Read a request's head, with the instant it was seen."""
    return Request(
        method=raw.method,
        target=raw.raw_path,
        headers=raw.raw_headers,
        at_ns=time.monotonic_ns(),
        wall_ns=time.time_ns(),
    )


def check(raw: web.BaseRequest, request: Request) -> None:
    """Refuse what must reach no upstream; raises BadRequest or UpgradeUnsupported."""
    if tuple(raw.version) not in _VERSIONS:
        raise BadRequest("only HTTP/1.0 and HTTP/1.1 are spoken here")
    if not request.target.isascii():
        raise BadRequest("the request target must be ASCII; percent-encode the rest (RFC 9112 section 3.2)")
    # RFC 9112 section 3.2: a proxy that took absolute-form or CONNECT would let clients choose the upstream.
    if not request.target.startswith("/") and request.target != "*":
        raise BadRequest("the request target must be origin-form, a path that begins with /")
    if "Upgrade" in raw.headers:
        raise UpgradeUnsupported("Upgrade is not supported; send the request without it")


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
