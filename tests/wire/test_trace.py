"""`traceparent`, by W3C Trace Context."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.wire.trace import Caller, caller, traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def said(*values: str) -> Caller | None:
    return caller(tuple((b"Traceparent", value.encode()) for value in values))


def test_the_callers_span_is_read() -> None:
    assert said(f"00-{TRACE}-{SPAN}-01") == Caller(int(TRACE, 16), int(SPAN, 16), sampled=True)


def test_an_unsampled_caller_is_heard() -> None:
    assert said(f"00-{TRACE}-{SPAN}-02") == Caller(int(TRACE, 16), int(SPAN, 16), sampled=False)


def test_a_later_version_may_say_more() -> None:
    assert said(f"cc-{TRACE}-{SPAN}-01-what-the-future-brings") is not None


@pytest.mark.parametrize(
    "values",
    [
        (),
        (f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f"ff-{TRACE}-{SPAN}-01",),
        (f"00-{'0' * 32}-{SPAN}-01",),
        (f"00-{TRACE}-{'0' * 16}-01",),
        (f"00-{TRACE.upper()}-{SPAN}-01",),
        ("00-short-x-01",),
        (f"00-{TRACE}-{SPAN}-01-",),
        (f"00-{TRACE}-{SPAN}-01-what-the-future-brings",),
        ("",),
    ],
)
def test_what_is_no_traceparent_starts_anew(values: tuple[str, ...]) -> None:
    assert said(*values) is None


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_written_is_read_back(trace_id: int, span_id: int, sampled: bool) -> None:
    value = traceparent(trace_id, span_id, sampled=sampled)
    assert caller(((b"traceparent", value),)) == Caller(trace_id, span_id, sampled)
