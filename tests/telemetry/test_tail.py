"""What chance left out is kept whole where it failed or was slow, and only there."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from support.reports import MS, TRACE, a_get, a_run, a_submit, an_exchange
from support.telemetry import Spans
from wiretape.exchange import How, Trace
from wiretape.runs.report import Carried, ExchangeReport, RunReport
from wiretape.telemetry.tree import tree

PENDING = structs.replace(TRACE, sampled=False, pending=True)
SUBMITTED = Trace(trace_id=0xA1, server_span_id=0xB2, client_span_id=0xC2, sampled=False, pending=True)
SLOW_NS = 60_000 * MS


def left_out(report: ExchangeReport, **changes: object) -> ExchangeReport:
    """The exchange, in a run that chance did not sample."""
    return structs.replace(report, **{"trace": PENDING, "run_trace": PENDING, **changes})


def created(**changes: object) -> ExchangeReport:
    return left_out(an_exchange(), **changes)


def submitted(**changes: object) -> ExchangeReport:
    return left_out(a_submit(), **{"trace": SUBMITTED, **changes})


def ended(**changes: object) -> RunReport:
    return a_run(**{"trace": PENDING, **changes})


def carried(how: How = How.COMPLETE, status: int | None = 200) -> Carried:
    return Carried(trace=PENDING, method="POST", route="/", status=status, start_ns=1, end_ns=2, how=how)


GOOD = [{}, {"outcome": "cancelled"}, {"duration_ns": SLOW_NS - 1}, {"carried": (carried(),)}]
WORTH_IT = [
    {"outcome": "failed", "error": "server_error"},
    {"outcome": "expired"},
    {"outcome": "abandoned", "duration_ns": None},
    {"duration_ns": SLOW_NS},
    {"carried": (carried(), carried(status=429))},
    {"carried": (carried(how=How.UPSTREAM_FAILED),)},
    {"carried": (carried(how=How.REFUSED, status=None),)},
]


@pytest.mark.parametrize("changes", GOOD)
def test_a_run_that_chance_left_out_makes_no_span(changes: dict[str, object]) -> None:
    spans = Spans()
    spans.sink.exchange(created())
    spans.sink.run(ended(**changes))
    spans.sink.exchange(submitted())
    assert spans.all == ()


def test_what_waits_at_the_end_for_a_run_that_is_saved_is_counted() -> None:
    spans = Spans()
    spans.sink.exchange(created())
    spans.sink.exchange(submitted())
    assert spans.sink.lost == 0
    spans.sink.close(1.0)
    assert (spans.sink.lost, spans.all) == (2, ())


@pytest.mark.parametrize("changes", WORTH_IT)
def test_a_run_that_failed_or_was_slow_is_kept_whole(changes: dict[str, object]) -> None:
    kept, sampled = Spans(), Spans()
    kept.sink.exchange(created())
    kept.sink.run(ended(**changes))
    kept.sink.exchange(submitted())
    sampled.sink.exchange(an_exchange())
    sampled.sink.run(a_run(**changes))
    sampled.sink.exchange(a_submit())
    assert tree(kept.all) == tree(sampled.all)
    assert all(span.context.trace_flags.sampled for span in kept.all)


def test_an_exchange_that_failed_keeps_its_run() -> None:
    spans = Spans()
    spans.sink.exchange(created())
    spans.sink.exchange(submitted(method="GET", status=500))
    spans.sink.run(ended())
    assert len(spans.all) == 9


@pytest.mark.parametrize(
    ("changes", "count"), [({}, 0), ({"status": 404}, 2), ({"status": 503}, 2), ({"how": How.CLIENT_LEFT}, 0)]
)
def test_an_exchange_outside_any_run_is_kept_where_it_failed(changes: dict[str, object], count: int) -> None:
    spans = Spans()
    spans.sink.exchange(a_get(trace=PENDING, **changes))
    assert len(spans.all) == count


def test_what_a_caller_left_out_stays_out() -> None:
    spans = Spans()
    unsampled = structs.replace(TRACE, sampled=False, parent_span_id=0xF1)
    spans.sink.exchange(an_exchange(trace=unsampled, run_trace=unsampled, status=500))
    spans.sink.run(a_run(trace=unsampled, outcome="failed"))
    assert spans.all == ()


def test_a_caller_that_leaves_out_one_exchange_of_its_own_trace_is_obeyed() -> None:
    """Its upstream exchange is the run's, which it had sampled."""
    spans = Spans()
    mine = structs.replace(TRACE, parent_span_id=0xF1)
    spans.sink.exchange(a_submit(trace=structs.replace(SUBMITTED, pending=False, parent_span_id=0xF2), run_trace=mine))
    assert [span.kind.name for span in spans.all] == ["CLIENT"]


def test_a_callers_own_trace_is_told_at_once_and_the_run_when_it_is_kept() -> None:
    spans = Spans()
    callers = Trace(trace_id=0xF9, server_span_id=0xB2, client_span_id=0xC2, parent_span_id=0xF1)
    spans.sink.exchange(submitted(trace=callers))
    assert [(span.name.split()[0], span.context.trace_id) for span in spans.all] == [("POST", 0xF9)]
    spans.sink.run(ended(outcome="failed", steps=()))
    assert [span.context.trace_id for span in spans.all] == [0xF9, 0xA1, 0xA1]


def test_the_run_that_waits_longest_gives_way_and_is_counted() -> None:
    spans = Spans(held_max=2)
    for number in range(4):
        spans.sink.exchange(created(run_span_id=number + 1))
    assert spans.sink.lost == 2
    spans.sink.run(ended(span_id=1, outcome="failed", steps=()))
    spans.sink.run(ended(span_id=4, outcome="failed", steps=()))
    assert len(spans.all) == 1 + 3


RUN_TRACES = [structs.replace(PENDING, trace_id=0xA0 + n, server_span_id=0xB00 + n) for n in range(4)]


@st.composite
def scenes(draw: st.DrawFn) -> list[ExchangeReport | RunReport]:
    """Exchanges of four runs and their ends, in any order that has no exchange fail after its run's end."""
    reports: list[ExchangeReport | RunReport] = []
    for number, trace in enumerate(RUN_TRACES):
        sampled = draw(st.booleans())
        home = structs.replace(trace, sampled=sampled, pending=not sampled)
        fate = draw(st.sampled_from([*GOOD, *WORTH_IT]))
        reports.append(ended(trace=home, span_id=number + 1, run_id=f"run_{number}", **fate))
        for exchange in range(draw(st.integers(1, 5))):
            own = structs.replace(home, server_span_id=0xC00 + number * 16 + exchange)
            reports.append(an_exchange(trace=own, run_trace=home, run_span_id=number + 1))
    return draw(st.permutations(reports))


@given(scenes())
def test_every_run_is_told_whole_or_not_at_all(reports: list[ExchangeReport | RunReport]) -> None:
    spans, wanted = Spans(), Counter()
    for report in reports:
        spans.sink.run(report) if isinstance(report, RunReport) else spans.sink.exchange(report)
    runs = {report.span_id: report for report in reports if isinstance(report, RunReport)}
    for number, trace in enumerate(RUN_TRACES):
        run = runs[number + 1]
        is_told = run.trace.sampled or any(
            all(getattr(run, name) == value for name, value in fate.items()) for fate in WORTH_IT
        )
        exchanges = [r for r in reports if isinstance(r, ExchangeReport) and r.run_span_id == number + 1]
        wanted[trace.trace_id] = (5 + 2 * len(exchanges)) * is_told
    assert Counter(span.context.trace_id for span in spans.all) == +wanted
    assert spans.sink.lost == 0


@given(st.integers(1, 6), st.lists(st.integers(1, 9), max_size=40))
def test_no_more_waits_than_may_and_what_gave_way_is_counted(held_max: int, runs: list[int]) -> None:
    spans = Spans(held_max=held_max)
    for run in runs:
        spans.sink.exchange(created(run_span_id=run))
        assert spans.sink._tail.waiting <= held_max
    assert spans.sink.lost + spans.sink._tail.waiting == len(runs)
    for run in range(1, 10):
        spans.sink.run(ended(span_id=run, outcome="failed", steps=()))
    assert len(spans.all) == 9 + 2 * (len(runs) - spans.sink.lost)
    assert spans.sink._tail.waiting == 0
    assert len(spans.sink._tail._verdicts) <= held_max
