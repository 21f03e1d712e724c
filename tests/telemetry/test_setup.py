from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from support.collector import a_collector
from support.reports import RUN_SPAN_ID, TRACE, a_run, an_exchange
from support.telemetry import PEERS, Lines, gauges
from wiretape.errors import ConfigError
from wiretape.telemetry.options import TelemetryOptions
from wiretape.telemetry.setup import Telemetry, _Behind, telemetry


@pytest.fixture(autouse=True)
def _listeners_are_left_as_they_were() -> Iterator[None]:
    """Not every test here is about the end."""
    sdk = logging.getLogger("opentelemetry")
    before = [*sdk.handlers]
    yield
    sdk.handlers[:] = before


@pytest.fixture(autouse=True)
def _no_otel_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings are not what these tests are about."""
    import os

    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


def build(environ: dict[str, str] | None = None, *, lines: Lines | None = None, **parts: Any) -> Telemetry:
    parts = {"options": TelemetryOptions(), "gauges": gauges(), **parts}
    return telemetry(**parts, logger=(lines or Lines()).logger, peers=PEERS, environ=environ or {})


def names(built: Telemetry) -> list[str]:
    return [sink.name for sink in built.sinks]


def feed(built: Telemetry) -> None:
    for sink in built.sinks:
        sink.exchange(an_exchange())
        sink.run(a_run())


def families(built: Telemetry) -> dict:
    return {family.name: family for family in text_string_to_metric_families(built.prometheus()[0].decode())}


def test_without_variables_nothing_is_exported_and_no_span_is_made() -> None:
    built = build()
    assert names(built) == ["log", "metrics"]
    assert built.shutdown(30) == []


def test_an_in_process_exporter_gets_the_spans() -> None:
    exporter = InMemorySpanExporter()
    built = build(exporter=exporter)
    feed(built)
    assert names(built) == ["log", "metrics", "spans"]
    assert len(exporter.get_finished_spans()) == 7
    assert exporter.get_finished_spans()[0].resource.attributes["service.name"] == "wiretape"


def test_a_disabled_sdk_leaves_the_log_alone() -> None:
    built = build({"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "otlp"}, exporter=InMemorySpanExporter())
    feed(built)
    assert names(built) == ["log"]
    assert built.prometheus()[0] == b""
    assert built.shutdown(30) == []


def test_telemetry_that_is_not_enabled_makes_nothing() -> None:
    built = build({"OTEL_TRACES_EXPORTER": "otlp"}, options=TelemetryOptions(enabled=False))
    assert (names(built), built.prometheus()[0], built.shutdown(30)) == ([], b"", [])


def test_prometheus_text_is_what_prometheus_parses() -> None:
    built = build()
    feed(built)
    found = families(built)
    assert built.prometheus()[1] == "text/plain; version=0.0.4; charset=utf-8"
    assert found["wiretape_runs"].type == "counter"
    assert [sample.value for sample in found["wiretape_runs"].samples if sample.name.endswith("_total")] == [1]
    assert found["http_server_request_duration_seconds"].documentation.startswith("From a request's head")
    assert {s.labels["le"] for s in found["wiretape_proxy_overhead_seconds"].samples if "le" in s.labels} >= {"2.5e-05"}
    assert [sample.value for sample in found["wiretape_streams_active"].samples] == [3]
    dropped = {s.labels["wiretape_signal"]: s.value for s in found["wiretape_telemetry_dropped"].samples}
    assert dropped == {"ledger": 7, "observers": 0}


def test_many_live_in_one_process_without_touching_anything_global() -> None:
    before = set(REGISTRY._collector_to_names)
    one, two = build(), build()
    feed(one)
    assert "wiretape_runs" in families(one)
    assert "wiretape_runs" not in families(two)
    assert set(REGISTRY._collector_to_names) == before
    assert "sdk" not in type(metrics.get_meter_provider()).__module__
    assert "sdk" not in type(trace.get_tracer_provider()).__module__
    assert one.shutdown(30) == two.shutdown(30) == []


@pytest.mark.parametrize(
    ("environ", "exports"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:9/v1/metrics"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, False),
        ({"OTEL_TRACES_EXPORTER": "prometheus"}, False),
    ],
)
def test_spans_are_made_when_the_variables_say_where_to(environ: dict[str, str], exports: bool) -> None:
    built = build({"OTEL_METRICS_EXPORTER": "none", **environ})
    assert ("spans" in names(built)) is exports
    assert built.shutdown(30) == []


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER asks for zipkin: use otlp or none"),
        (
            {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json"},
            "OTLP over http/json is not supported: set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf or grpc",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_MAX_QUEUE_SIZE": "many"},
            "OTEL_BSP_MAX_QUEUE_SIZE is a number that is not negative; got 'many'",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_MAX_QUEUE_SIZE": "0"},
            (
                "a variable of OpenTelemetry (OTEL_*) has a value that cannot be used: "
                "max_queue_size must be a positive integer."
            ),
        ),
    ],
)
def test_what_is_not_there_is_refused_with_the_way_out(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(environ)
    assert str(caught.value) == message


async def test_a_collector_gets_the_tree_and_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_collector() as collector:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_SERVICE_NAME": "sidecar",
            "OTEL_RESOURCE_ATTRIBUTES": "team=search",
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        built = build(environ)
        feed(built)
        assert await asyncio.to_thread(built.shutdown, 30) == []
    by_id = {int.from_bytes(span.span_id): span for span in collector.spans}
    run = by_id[RUN_SPAN_ID]
    assert run.name == "invoke_agent Math Tutor"
    assert int.from_bytes(run.trace_id) == TRACE.trace_id
    assert int.from_bytes(run.parent_span_id) == TRACE.server_span_id
    assert len(by_id) == 7
    tokens = {item.key: item.value.int_value for item in run.attributes}
    assert tokens["gen_ai.usage.input_tokens"] == 200
    usage = next(metric for metric in collector.metrics if metric.name == "gen_ai.client.token.usage")
    assert (usage.unit, sum(point.sum for point in usage.histogram.data_points)) == ("{token}", 240)
    assert {resource["service.name"] for resource in collector.resources} == {"sidecar"}
    assert {resource["team"] for resource in collector.resources} == {"search"}


def test_a_collector_that_never_answers_cannot_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Lines()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        built = build({"OTEL_EXPORTER_OTLP_ENDPOINT": url}, lines=lines)
        feed(built)
        assert sorted(built.shutdown(0.05)) == ["metrics", "spans"]
        join_what_was_left_behind()
    (line,) = [line for line in lines.all if line["event"] == "telemetry.shut_down"]
    assert line["level"] == "warning"


def join_what_was_left_behind() -> None:
    """So that the SDK's complaints stay in the test that caused them."""
    for thread in threading.enumerate():
        if thread.name.startswith("wiretape-end-"):
            thread.join(30)


def test_an_end_that_raises_is_told_and_no_more() -> None:
    lines, reached = Lines(), Event()

    def failing() -> None:
        reached.set()
        raise RuntimeError("deadline already exceeded")

    behind = _Behind(registry=CollectorRegistry(), shutdowns={"metrics": failing}, lost=lambda: 0)
    broken = Telemetry([], behind, lines.logger, 60.0)
    assert broken.shutdown(30) == []
    assert reached.is_set()
    assert [(line["event"], line["part"], line["error"]) for line in lines.all] == [
        ("telemetry.end_failed", "metrics", "RuntimeError")
    ]


def test_the_sdks_warnings_are_lines_of_our_own_until_the_end() -> None:
    lines = Lines()
    built = build(lines=lines)
    logging.getLogger("opentelemetry.sdk.somewhere").warning("no %s", "route")
    built.shutdown(30)
    logging.getLogger("opentelemetry.sdk.somewhere").info("silence")
    assert [(line["event"], line["detail"]) for line in lines.all] == [("telemetry.sdk_warned", "no route")]
    assert not [one for one in logging.getLogger("opentelemetry").handlers if one is built._complaints]
