"""`traceparent` and `tracestate`, by W3C Trace Context; the tables are the cases of its own test suite."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.exchange import Headers, Trace
from wiretape.wire.trace import Caller, caller, passed_on, traceparent

TRACE, SPAN = "12345678901234567890123456789012", "1234567890123456"
GOOD = f"00-{TRACE}-{SPAN}-01"


def fields(*pairs: tuple[str, str]) -> Headers:
    return tuple((name.encode(), value.encode("latin-1")) for name, value in pairs)


def said(*values: str) -> Caller | None:
    return caller(fields(*(("traceparent", value) for value in values)))


def state(*values: str) -> str:
    found = caller(fields(("traceparent", GOOD), *(("tracestate", value) for value in values)))
    assert found is not None
    return found.state


@pytest.mark.parametrize("name", ["traceparent", "TraceParent", "TrAcEpArEnT", "TRACEPARENT"])
def test_the_callers_span_is_read_by_a_name_in_any_case(name: str) -> None:
    assert caller(fields((name, GOOD))) == Caller(int(TRACE, 16), int(SPAN, 16), sampled=True)


@pytest.mark.parametrize("name", ["trace-parent", "trace.parent"])
def test_another_name_is_no_traceparent(name: str) -> None:
    assert caller(fields((name, GOOD))) is None


@pytest.mark.parametrize(
    "value",
    [
        GOOD,
        f" {GOOD}",
        f"\t{GOOD}\t",
        f"{GOOD} ",
        f"\t {GOOD} \t",
        f"cc-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
    ],
)
def test_what_is_valid_is_heard(value: str) -> None:
    assert said(value) == Caller(int(TRACE, 16), int(SPAN, 16), sampled=True)


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("02", False), ("03", True), ("ff", True)])
def test_the_lowest_bit_says_whether_it_is_sampled(flags: str, sampled: bool) -> None:
    assert said(f"00-{TRACE}-{SPAN}-{flags}") == Caller(int(TRACE, 16), int(SPAN, 16), sampled)


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("",),
        (GOOD, GOOD),
        (GOOD, f"00-{TRACE}-{SPAN[::-1]}-01"),
        (f"{GOOD}.",),
        (f"{GOOD}-",),
        (f"{GOOD}-what-the-future-will-be-like",),
        (f"cc-{TRACE}-{SPAN}-01.what-the-future-will-be-like",),
        (f"ff-{TRACE}-{SPAN}-01",),
        (f".0-{TRACE}-{SPAN}-01",),
        (f"0.-{TRACE}-{SPAN}-01",),
        (f"000-{TRACE}-{SPAN}-01",),
        (f"0000-{TRACE}-{SPAN}-01",),
        (f"0-{TRACE}-{SPAN}-01",),
        (f"00-{'0' * 32}-{SPAN}-01",),
        (f"00-.{TRACE[1:]}-{SPAN}-01",),
        (f"00-{TRACE[:-1]}.-{SPAN}-01",),
        (f"00-{TRACE}3-{SPAN}-01",),
        (f"00-{TRACE[1:]}-{SPAN}-01",),
        (f"00-{TRACE}-{'0' * 16}-01",),
        (f"00-{TRACE}-.{SPAN[1:]}-01",),
        (f"00-{TRACE}-{SPAN[:-1]}.-01",),
        (f"00-{TRACE}-{SPAN}7-01",),
        (f"00-{TRACE}-{SPAN[1:]}-01",),
        (f"00-{TRACE}-{SPAN}-.0",),
        (f"00-{TRACE}-{SPAN}-0.",),
        (f"00-{TRACE}-{SPAN}-001",),
        (f"00-{TRACE}-{SPAN}-1",),
        (f"00-{'ABCDEF12' * 4}-{SPAN}-01",),
        (f"\x0b{GOOD}",),
        (f"{GOOD}\xa0",),
    ],
)
def test_what_is_no_traceparent_starts_anew(values: tuple[str, ...]) -> None:
    assert said(*values) is None


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_written_is_read_back(trace_id: int, span_id: int, sampled: bool) -> None:
    value = traceparent(trace_id, span_id, sampled=sampled)
    assert caller(((b"traceparent", value),)) == Caller(trace_id, span_id, sampled)


ALL_OF_A_KEY = string.ascii_lowercase + string.digits + "_-*/"
ALL_OF_A_VALUE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",=")


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (("foo=1",), "foo=1"),
        (("foo=1,bar=2",), "foo=1,bar=2"),
        (("foo=1", "bar=2"), "foo=1,bar=2"),
        (("foo=1", ""), "foo=1"),
        (("", "foo=1"), "foo=1"),
        (("foo=1,,bar=2,",), "foo=1,bar=2"),
        (("foo=1,foo=2",), "foo=1,foo=2"),
        (("foo=1 \t , \t bar=2, \t baz=3",), "foo=1,bar=2,baz=3"),
        ((" foo=1\t", "\tbar=2 "), "foo=1,bar=2"),
        ((f"{ALL_OF_A_KEY}={ALL_OF_A_VALUE[1:]}",), f"{ALL_OF_A_KEY}={ALL_OF_A_VALUE[1:]}"),
        (("foo= 1",), "foo= 1"),
        ((f"{'z' * 256}=1",), f"{'z' * 256}=1"),
        ((f"{'t' * 241}@{'v' * 14}=1",), f"{'t' * 241}@{'v' * 14}=1"),
        (("0foo@bar=1",), "0foo@bar=1"),
        ((f"foo={'1' * 256}",), f"foo={'1' * 256}"),
        ((",".join(f"k{n}=1" for n in range(32)),), ",".join(f"k{n}=1" for n in range(32))),
        (("foo@=1,bar=2",), ""),
        (("@foo=1,bar=2",), ""),
        (("foo@@bar=1,bar=2",), ""),
        (("foo@bar@baz=1,bar=2",), ""),
        (("foo =1",), ""),
        (("FOO=1",), ""),
        (("foo.bar=1",), ""),
        (("0foo=1",), ""),
        (("foo",), ""),
        (("=1",), ""),
        (("foo=",), ""),
        (("foo=,bar=3",), ""),
        (("foo=bar=baz",), ""),
        (("foo=\x7f",), ""),
        (("foo=é",), ""),
        ((f"{'z' * 257}=1",), ""),
        ((f"{'t' * 242}@{'v' * 14}=1",), ""),
        ((f"{'t' * 241}@{'v' * 15}=1",), ""),
        ((f"foo={'1' * 257}",), ""),
        ((",".join(f"k{n}=1" for n in range(33)),), ""),
        ((",".join(f"k{n}={'1' * 255}" for n in range(32)),), ""),
        (("," * 8193,), ""),
        ((), ""),
    ],
)
def test_tracestate_is_read_whole_or_not_at_all(values: tuple[str, ...], read: str) -> None:
    assert state(*values) == read


@pytest.mark.parametrize("name", ["tracestate", "TraceState", "TRACESTATE"])
def test_tracestate_is_read_by_a_name_in_any_case(name: str) -> None:
    found = caller(fields(("traceparent", GOOD), (name, "foo=1")))
    assert found is not None
    assert found.state == "foo=1"


def test_tracestate_alone_is_nothing() -> None:
    assert caller(fields(("tracestate", "foo=1"))) is None


RUNS = Trace(trace_id=0xA, server_span_id=1, client_span_id=2, state="run=1")
MINE = "00-0000000000000000000000000000000b-0000000000000003-01"
RUNS_MINE = "00-0000000000000000000000000000000a-0000000000000003-01"
BEFORE, AFTER = ("Host", "x"), ("Accept", "*/*")


def trace(**changes: object) -> Trace:
    return Trace(**{"trace_id": 0xB, "server_span_id": 1, "client_span_id": 3, "told": True, **changes})


@pytest.mark.parametrize(
    ("of", "came", "went"),
    [
        # Nobody is to be told: the fields are as they were, whatever stands in them.
        (trace(told=False), [BEFORE, ("traceparent", "nonsense")], [BEFORE, ("traceparent", "nonsense")]),
        # The caller's field is changed where it stands; its state goes along as it came.
        (
            trace(parent_span_id=9, state="foo=1,bar=2"),
            [BEFORE, ("TraceParent", GOOD), ("tracestate", "foo=1"), ("tracestate", " bar=2"), AFTER],
            [BEFORE, ("TraceParent", MINE), ("tracestate", "foo=1"), ("tracestate", " bar=2"), AFTER],
        ),
        (trace(parent_span_id=9), [("traceparent", GOOD), BEFORE], [("traceparent", MINE), BEFORE]),
        # A state that cannot be read goes.
        (
            trace(parent_span_id=9),
            [("traceparent", GOOD), ("TraceState", "FOO"), AFTER],
            [("traceparent", MINE), AFTER],
        ),
        # The exchange lies in its run's trace, whose state is the one that counts.
        (
            trace(parent_span_id=9, state="foo=1", client=RUNS),
            [("traceparent", GOOD), ("tracestate", "foo=1"), AFTER],
            [("traceparent", RUNS_MINE), AFTER, ("tracestate", "run=1")],
        ),
        # Always told: what was malformed makes room.
        (trace(), [BEFORE, AFTER], [BEFORE, AFTER, ("traceparent", MINE)]),
        (
            trace(state="run=1"),
            [("traceparent", "bad"), ("Traceparent", "worse"), ("tracestate", "foo=1"), AFTER],
            [AFTER, ("traceparent", MINE), ("tracestate", "run=1")],
        ),
        (trace(sampled=False), [], [("traceparent", MINE[:-2] + "00")]),
    ],
)
def test_what_the_upstream_is_told(of: Trace, came: list[tuple[str, str]], went: list[tuple[str, str]]) -> None:
    assert passed_on(fields(*came), of) == fields(*went)


@given(
    st.lists(st.tuples(st.sampled_from(["traceparent", "tracestate", "Host"]), st.sampled_from([GOOD, "a=1", "", "é"])))
)
def test_what_is_told_is_one_valid_traceparent_and_the_rest_is_as_it_was(pairs: list[tuple[str, str]]) -> None:
    came = fields(*pairs)
    found = caller(came)
    of = trace(parent_span_id=found and found.span_id, state=found.state if found else "")
    went = passed_on(came, of)
    told = caller(went)
    assert told == Caller(0xB, 3, sampled=True, state=of.state)
    assert [pair for pair in went if pair[0] == b"Host"] == [pair for pair in came if pair[0] == b"Host"]
