from __future__ import annotations

from itertools import count

import pytest

from wiretape.edge.arrival import Marks, trace
from wiretape.exchange import Request, Trace
from wiretape.runs.observer import Joined
from wiretape.wire.credential import KeyHashes
from wiretape.wire.tracing import Sampler, Tracing

CALLER = (b"traceparent", b"00-0000000000000000000000000000000f-000000000000000e-01")
STATE = (b"tracestate", b"foo=1")
RUN = Trace(trace_id=0xA, server_span_id=0xB, client_span_id=0xC, parent_span_id=0xD, state="run=1")
NOTHING, HALF = Sampler.of(0.0, obeys_caller=True), Sampler.of(0.5, obeys_caller=False)


def chosen(
    *headers: tuple[bytes, bytes], method: str = "POST", joined: Trace | None = None, tracing: Tracing | None = None
) -> Trace:
    ids = count(1)
    request = Request(method, "/", headers, 0, 0)
    of_run = None if joined is None else Joined(joined, 0xE)
    return trace(request, of_run, tracing or Tracing(), lambda _: next(ids))


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (chosen(), Trace(3, 1, 2)),
        (chosen(CALLER, STATE), Trace(0xF, 1, 2, 0xE, told=True, state="foo=1")),
        (chosen(joined=RUN), Trace(0xA, 1, 2, state="run=1")),
        (chosen(CALLER, joined=RUN), Trace(0xF, 1, 2, 0xE, client=RUN, told=True)),
        (chosen(CALLER, joined=RUN, method="GET"), Trace(0xF, 1, 2, 0xE, told=True)),
        # The upstream is told always, or never.
        (chosen(tracing=Tracing(always=True)), Trace(3, 1, 2, told=True)),
        (chosen(joined=RUN, tracing=Tracing(always=True)), Trace(0xA, 1, 2, told=True, state="run=1")),
        (chosen(CALLER, tracing=Tracing(sends=False, always=True)), Trace(0xF, 1, 2, 0xE)),
        (chosen(CALLER, STATE, tracing=Tracing(reads=False, sends=False)), Trace(3, 1, 2)),
        # The caller has decided, else chance has.
        (chosen(CALLER, tracing=Tracing(sampler=NOTHING)), Trace(0xF, 1, 2, 0xE, told=True)),
        (chosen(tracing=Tracing(sampler=NOTHING)), Trace(3, 1, 2, sampled=False)),
        (
            chosen((CALLER[0], CALLER[1][:-2] + b"00")),
            Trace(0xF, 1, 2, 0xE, sampled=False, told=True),
        ),
        (
            chosen(
                (CALLER[0], b"00-0000000000000000f00000000000000f-000000000000000e-01"), tracing=Tracing(sampler=HALF)
            ),
            Trace(0xF00000000000000F, 1, 2, 0xE, sampled=False, pending=True, told=True),
        ),
        # What belongs to a run goes its way.
        (
            chosen(joined=Trace(0xA, 0xB, 0xC, sampled=False, pending=True)),
            Trace(0xA, 1, 2, sampled=False, pending=True),
        ),
    ],
)
def test_ids_are_chosen_in_the_callers_trace_else_in_the_runs_else_in_one_of_its_own(
    found: Trace, wanted: Trace
) -> None:
    assert found == wanted


def test_a_request_is_marked_with_who_asks() -> None:
    hashes = KeyHashes(b"secret")
    request = Request("GET", "/", ((b"Authorization", b"Bearer sk-canary"),), 0, 0)
    marked = Marks(hashes, Tracing()).on(request, None)
    assert marked.key_hash == hashes.of(request.headers)
    assert marked.trace is not None
    assert marked.trace.parent_span_id is None
