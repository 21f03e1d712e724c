"""However much junk comes, `/metrics` stays within `series_max`, and so does memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from support.reports import a_run, an_exchange
from support.telemetry import PEERS, Lines, gauges
from wiretape.exchange import How
from wiretape.runs.report import AgentCreated, ExchangeReport, RunReport
from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.metrics import MetricSink
from wiretape.telemetry.options import TelemetryOptions
from wiretape.telemetry.series import limits, width
from wiretape.telemetry.setup import Telemetry, telemetry

JUNK = 100_000


def built(options: TelemetryOptions) -> tuple[Telemetry, MetricSink]:
    made = telemetry(options, gauges(), Lines().logger, peers=PEERS, environ={})
    return made, made.sinks[1]


def samples(made: Telemetry) -> Counter[str]:
    families = text_string_to_metric_families(made.prometheus()[0].decode())
    return Counter(family.name for family in families for _ in family.samples)


def a_junk_run(n: int) -> RunReport:
    """What a client and a service can choose, each of it new each time."""
    junk = f"junk-{n}"
    outcome = ("failed", "completed", "expired")[n % 3]
    return a_run(model_requested=junk, assistant_id=junk, key_hash=junk, upstream=junk, error=junk, outcome=outcome)


def a_junk_exchange(n: int) -> ExchangeReport:
    junk = f"junk-{n}"
    said = {"method": junk, "route": junk, "status": n, "code": junk, "upstream": junk, "how": How.UPSTREAM_FAILED}
    return an_exchange(**said, agent_created=AgentCreated(junk, junk, junk))


def test_junk_models_keys_and_errors_cost_neither_series_nor_memory() -> None:
    made, sink = built(TelemetryOptions())
    for n in range(JUNK - 5000):
        sink.run(a_junk_run(n))
    found = samples(made)
    tracemalloc.start()
    try:
        for n in range(JUNK - 5000, JUNK):
            sink.run(a_junk_run(n))
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert samples(made) == found
    assert sum(found.values()) <= 5000
    assert grown < 100_000
    assert made.shutdown(30) == []


@pytest.mark.parametrize("series_max", [1000, 5000])
def test_all_of_metrics_stays_within_the_bound_whatever_is_told_apart(series_max: int) -> None:
    """Routes are templates of our own, and models are bounded: here they are not."""
    options = TelemetryOptions(
        series_max=series_max,
        models_max=JUNK,
        agents={f"junk-{n}": f"a{n}" for n in range(300)},
        keys={f"junk-{n}": f"k{n}" for n in range(300)},
    )
    made, sink = built(options)
    for n in range(3000):
        sink.run(a_junk_run(n))
        sink.exchange(a_junk_exchange(n))
    found = samples(made)
    assert series_max * 0.6 < sum(found.values()) <= series_max
    assert len(sink._tallies) <= series_max
    assert made.shutdown(30) == []


def test_what_is_beyond_an_instruments_share_becomes_one_set_and_is_counted() -> None:
    made, sink = built(TelemetryOptions(series_max=800))
    for status in range(200, 300):
        sink.exchange(an_exchange(status=status))
    (family,) = [
        one
        for one in text_string_to_metric_families(made.prometheus()[0].decode())
        if one.name == "http_server_request_duration_seconds"
    ]
    counts = [one for one in family.samples if one.name.endswith("_count")]
    assert len(counts) == limits(v.INSTRUMENTS, 800)["http.server.request.duration"] + 1
    assert sum(one.value for one in counts) == 100
    assert [one.value > 1 for one in counts if one.labels.get("otel_metric_overflow")] == [True]
    assert made.shutdown(30) == []


@given(st.integers(0, 100_000))
def test_all_shares_together_are_no_more_than_there_is(series_max: int) -> None:
    found = limits(v.INSTRUMENTS, series_max)
    assert min(found.values()) >= 1
    least = sum(width(one) * ((one.sets_max or 2) + 1) for one in v.INSTRUMENTS) + 1
    most = sum(width(one) * (found[one.name] + (one.sets_max != 1)) for one in v.INSTRUMENTS) + 1
    assert most <= max(series_max, least)


@pytest.mark.parametrize(
    ("name", "sets"),
    [("http.server.request.duration", 30), ("gen_ai.client.operation.duration", 15), ("wiretape.runs", 120)],
)
def test_the_default_has_room_for_what_an_application_does(name: str, sets: int) -> None:
    assert limits(v.INSTRUMENTS, TelemetryOptions().series_max)[name] >= sets
