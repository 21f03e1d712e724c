"""From a client's request to ours: the instant it was seen, ids for its spans, and who asked."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from msgspec import Struct, structs

from wiretape.edge.incoming import Incoming
from wiretape.exchange import Request, Trace
from wiretape.runs.observer import Joined
from wiretape.wire.credential import KeyHashes
from wiretape.wire.trace import caller
from wiretape.wire.tracing import Tracing


def arrive(raw: Incoming) -> Request:
    """Read a request's head, with the instant it was seen."""
    return Request(
        method=raw.method,
        target=raw.head.target,
        headers=raw.headers,
        at_ns=time.monotonic_ns(),
        wall_ns=time.time_ns(),
    )


class Marks(Struct, frozen=True):
    """What a request is marked with where somebody follows it."""

    hashes: KeyHashes
    tracing: Tracing

    def on(self, request: Request, joined: Joined | None) -> Request:
        """The request with its trace and the hash of its credential; `joined` is the open run that it names."""
        return structs.replace(
            request, trace=trace(request, joined, self.tracing, new_bits), key_hash=self.hashes.of(request.headers)
        )


def trace(request: Request, joined: Joined | None, tracing: Tracing, new_bits: Callable[[int], int]) -> Trace:
    """Choose the ids of an exchange's spans: in the caller's trace, else in its run's, else in one of its own."""
    ids = (new_bits(64), new_bits(64))
    came_from = caller(request.headers) if tracing.reads else None
    told = tracing.sends and (came_from is not None or tracing.always)
    if came_from is not None:
        of_run = joined.trace if joined and request.method == "POST" else None
        sampled, pending = tracing.sampler.decide(came_from.trace_id, came_from.sampled)
        return Trace(
            came_from.trace_id,
            *ids,
            parent_span_id=came_from.span_id,
            sampled=sampled,
            client=of_run,
            pending=pending,
            told=told,
            state=came_from.state,
        )
    if joined is not None:
        of = joined.trace
        return Trace(of.trace_id, *ids, sampled=of.sampled, pending=of.pending, told=told, state=of.state)
    trace_id = new_bits(128)
    sampled, pending = tracing.sampler.decide(trace_id, None)
    return Trace(trace_id, *ids, sampled=sampled, pending=pending, told=told)


def new_bits(count: int) -> int:
    """Draw an id that is not zero (an all-zero id is invalid, W3C Trace Context section 3.2.2)."""
    return random.getrandbits(count) or 1
