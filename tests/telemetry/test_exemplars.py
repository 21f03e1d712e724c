"""Sampled traces as examples on durations, by OpenMetrics and by OTLP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import structs
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from support.collector import a_collector
from support.reports import RUN_SPAN_ID, TRACE, a_get, a_run, an_exchange, at
from support.telemetry import PEERS, Lines, gauges
from wiretape.telemetry.options import TelemetryOptions
from wiretape.telemetry.setup import Telemetry, telemetry

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
SERVER = {"trace_id": f"{TRACE.trace_id:032x}", "span_id": f"{TRACE.server_span_id:016x}"}
RUN = {"trace_id": f"{TRACE.trace_id:032x}", "span_id": f"{RUN_SPAN_ID:016x}"}


def built(environ: dict[str, str] | None = None, *, spans: bool = True) -> Telemetry:
    exporter = InMemorySpanExporter() if spans else None
    parts: dict[str, Any] = {"peers": PEERS, "environ": environ or {}, "exporter": exporter}
    return telemetry(TelemetryOptions(), gauges(), Lines().logger, **parts)


def exemplars(made: Telemetry, accept: str = OPENMETRICS) -> dict[tuple[str, str], Any]:
    """By metric and upper bound."""
    families = text_string_to_metric_families(made.prometheus(accept)[0].decode())
    samples = [sample for family in families for sample in family.samples if sample.exemplar]
    return {(sample.name, sample.labels["le"]): sample.exemplar for sample in samples}


def test_each_bucket_shows_the_last_trace_it_counted() -> None:
    made = built()
    metrics = made.sinks[1]
    metrics.exchange(an_exchange(end_ns=at(90), trace=structs.replace(TRACE, trace_id=1)))
    metrics.exchange(an_exchange(end_ns=at(95)))
    metrics.exchange(a_get(end_ns=at(2000)))
    metrics.run(a_run())
    found = exemplars(made)
    server = "http_server_request_duration_seconds_bucket"
    assert found[server, "0.1"].labels == SERVER
    assert (found[server, "0.1"].value, float(found[server, "0.1"].timestamp)) == (0.095, at(95) / 1e9)
    assert found[server, "2.5"].labels == SERVER
    assert found["http_client_request_duration_seconds_bucket", "0.1"].labels == SERVER
    assert found["gen_ai_client_operation_duration_seconds_bucket", "0.64"].labels == RUN
    assert found["gen_ai_client_operation_time_to_first_chunk_seconds_bucket", "0.04"].labels == RUN
    assert found["wiretape_run_time_to_first_event_seconds_bucket", "0.01"].labels == RUN
    assert {name for name, _ in found} <= {f"{name}_bucket" for name in durations(made)}
    assert made.shutdown(30) == []


def durations(made: Telemetry) -> set[str]:
    return {
        family.name
        for family in text_string_to_metric_families(made.prometheus(OPENMETRICS)[0].decode())
        if family.type == "histogram"
    }


def test_the_two_texts_say_the_same() -> None:
    made = built()
    for sink in made.sinks:
        sink.exchange(an_exchange())
        sink.run(a_run())
    plain, open_metrics = made.prometheus()[0].decode(), made.prometheus(OPENMETRICS)[0].decode()
    said = [line.partition(" # ")[0] for line in open_metrics.splitlines() if not line.startswith("#")]
    assert said == [line for line in plain.splitlines() if not line.startswith("#")]
    assert "trace_id" not in plain
    assert made.prometheus(OPENMETRICS)[1].startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert made.shutdown(30) == []


@pytest.mark.parametrize(
    ("environ", "spans", "trace"),
    [
        ({"OTEL_METRICS_EXEMPLAR_FILTER": "always_off"}, True, TRACE),
        ({}, False, TRACE),
        ({}, True, structs.replace(TRACE, sampled=False)),
    ],
)
def test_what_leads_nowhere_is_not_shown(environ: dict[str, str], spans: bool, trace: Any) -> None:
    made = built(environ, spans=spans)
    made.sinks[1].exchange(an_exchange(trace=trace))
    made.sinks[1].run(a_run(trace=trace))
    assert exemplars(made) == {}
    assert made.shutdown(30) == []


def test_a_trace_is_shown_to_each_who_asks() -> None:
    """Two of them ask in turns, or a person did: the next still sees it."""
    made = built()
    made.sinks[1].run(a_run())
    assert "trace_id" not in made.prometheus()[0].decode()
    first, second = exemplars(made), exemplars(made)
    assert first
    assert second == first
    newer = structs.replace(TRACE, trace_id=1)
    made.sinks[1].run(a_run(trace=newer))
    third = exemplars(made)
    assert third.keys() == first.keys()
    assert {one.labels["trace_id"] for one in third.values()} == {f"{1:032x}"}
    assert made.shutdown(30) == []


def test_a_model_without_a_name_is_no_second_series_with_the_labels_of_none() -> None:
    made = built()
    for model in ("", None):
        made.sinks[1].run(a_run(model=model, model_requested=model))
    text = made.prometheus(OPENMETRICS)[0].decode()
    assert [*text_string_to_metric_families(text)]
    assert 'wiretape_runs_total{gen_ai_request_model="_OTHER"' in text
    assert made.shutdown(30) == []


def test_a_disabled_proxy_has_no_metrics_in_either_text() -> None:
    made = built({"OTEL_SDK_DISABLED": "true"})
    assert (made.prometheus()[0], made.prometheus(OPENMETRICS)[0]) == (b"", b"# EOF\n")
    assert made.shutdown(30) == []


async def test_a_collector_gets_the_exemplars_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{collector.url}/v1/metrics")
        made = built({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{collector.url}/v1/metrics"})
        made.sinks[1].run(a_run())
        assert await asyncio.to_thread(made.shutdown, 30) == []
    duration = next(metric for metric in collector.metrics if metric.name == "gen_ai.client.operation.duration")
    ((one,),) = [point.exemplars for point in duration.histogram.data_points]
    assert (int.from_bytes(one.trace_id), int.from_bytes(one.span_id)) == (TRACE.trace_id, RUN_SPAN_ID)
    assert one.as_double == 0.4
