"""Every OpenTelemetry variable that the reference lists has a row here that shows what it does."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from support.certificates import Authority
from support.collector import Collector, a_collector, a_grpc_collector
from support.reports import a_run, an_exchange
from support.telemetry import PEERS, Lines, gauges
from wiretape.errors import ConfigError
from wiretape.telemetry.environment import HONOURED, Asked, asked
from wiretape.telemetry.export import metric_exporter
from wiretape.telemetry.options import TelemetryOptions
from wiretape.telemetry.setup import Telemetry, _batches, _exporting, _readers, telemetry
from wiretape.wire.tracing import Sampler, Tracing

OTLP = "OTEL_EXPORTER_OTLP_"
SENT = {"traces", "metrics"}


@pytest.fixture(autouse=True)
def _no_otel_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    # The two bundles are `requests`' own: it lets them beat the certificate that an exporter is given.
    for name in [name for name in os.environ if name.startswith("OTEL_") or name.endswith("_CA_BUNDLE")]:
        monkeypatch.delenv(name)


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Sets variables of the process, which the SDK reads, and gives them."""

    def set_all(**variables: str) -> dict[str, str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}

    return set_all


def built(environ: dict[str, str], lines: Lines | None = None, **parts: Any) -> Telemetry:
    logger = (lines or Lines()).logger
    return telemetry(TelemetryOptions(), gauges(), logger, peers=PEERS, environ=environ, **parts)


def export(environ: dict[str, str]) -> Telemetry:
    """Send a run's spans and metrics, and end."""
    made = built(environ)
    for sink in made.sinks:
        sink.exchange(an_exchange())
        sink.run(a_run())
    assert made.shutdown(30) == []
    return made


async def exported(environ: dict[str, str]) -> None:
    await asyncio.to_thread(export, environ)


def kinds(collector: Collector) -> set[str]:
    return {path.rpartition("/")[2] for path, _ in collector.asked}


PARSED: list[tuple[dict[str, str], str, object]] = [
    ({"OTEL_SDK_DISABLED": " True "}, "disabled", True),
    ({"OTEL_SDK_DISABLED": "1"}, "disabled", False),
    ({"OTEL_TRACES_EXPORTER": "otlp"}, "spans", "http/protobuf"),
    ({"OTEL_TRACES_EXPORTER": "otlp"}, "metrics", None),
    ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, "spans", None),
    ({"OTEL_METRICS_EXPORTER": "otlp"}, "metrics", "http/protobuf"),
    ({"OTEL_METRICS_EXPORTER": "prometheus", f"{OTLP}ENDPOINT": "http://x"}, "metrics", None),
    ({"OTEL_METRICS_EXPORTER": "prometheus,otlp"}, "metrics", "http/protobuf"),
    ({f"{OTLP}ENDPOINT": "http://x", f"{OTLP}PROTOCOL": "grpc"}, "spans", "grpc"),
    ({f"{OTLP}ENDPOINT": "http://x", f"{OTLP}TRACES_PROTOCOL": "grpc"}, "spans", "grpc"),
    ({f"{OTLP}ENDPOINT": "http://x", f"{OTLP}TRACES_PROTOCOL": "grpc"}, "metrics", "http/protobuf"),
    ({f"{OTLP}ENDPOINT": "http://x", f"{OTLP}METRICS_PROTOCOL": "grpc"}, "metrics", "grpc"),
    ({f"{OTLP}ENDPOINT": ""}, "spans", None),
    ({}, "sampler", Sampler()),
    ({"OTEL_TRACES_SAMPLER": "always_on"}, "sampler", Sampler.of(1, obeys_caller=False)),
    ({"OTEL_TRACES_SAMPLER": "always_off"}, "sampler", Sampler.of(0, obeys_caller=False)),
    (
        {"OTEL_TRACES_SAMPLER": "TraceIdRatio", "OTEL_TRACES_SAMPLER_ARG": "0.25"},
        "sampler",
        Sampler(2**62, obeys_caller=False),
    ),
    ({"OTEL_TRACES_SAMPLER": "parentbased_always_on", "OTEL_TRACES_SAMPLER_ARG": "0"}, "sampler", Sampler()),
    ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, "sampler", Sampler(0)),
    (
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"},
        "sampler",
        Sampler(2**63),
    ),
    ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}, "sampler", Sampler()),
    ({}, "reads_context", True),
    ({"OTEL_PROPAGATORS": "baggage, tracecontext"}, "reads_context", True),
    ({"OTEL_PROPAGATORS": "baggage"}, "reads_context", False),
    ({"OTEL_PROPAGATORS": "none"}, "reads_context", False),
    ({}, "is_latest", False),
    ({"OTEL_SEMCONV_STABILITY_OPT_IN": "http/dup"}, "is_latest", False),
    ({"OTEL_SEMCONV_STABILITY_OPT_IN": "http, gen_ai_latest_experimental"}, "is_latest", True),
    ({}, "captures_content", False),
    ({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "no_content"}, "captures_content", False),
    ({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "false"}, "captures_content", False),
    ({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}, "captures_content", True),
    ({"OTEL_BSP_MAX_QUEUE_SIZE": "7"}, "spans_waiting_max", 7),
    ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9"}, "value_chars_max", 9),
    (
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "0"},
        "value_chars_max",
        0,
    ),
]


@pytest.mark.parametrize(("variables", "field", "value"), PARSED)
def test_what_is_asked_for(variables: dict[str, str], field: str, value: object) -> None:
    assert field in Asked.__struct_fields__
    assert getattr(asked(variables), field) == value


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"OTEL_TRACES_SAMPLER": "jaeger_remote"},
            (
                "OTEL_TRACES_SAMPLER asks for jaeger_remote: use always_on, always_off, traceidratio, "
                "or one of them after parentbased_"
            ),
        ),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"},
            "OTEL_TRACES_SAMPLER_ARG is a ratio from 0 to 1; got '2'",
        ),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "nan"},
            "OTEL_TRACES_SAMPLER_ARG is a ratio from 0 to 1; got 'nan'",
        ),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "half"},
            "OTEL_TRACES_SAMPLER_ARG is a ratio from 0 to 1; got 'half'",
        ),
        (
            {"OTEL_PROPAGATORS": "b3,tracecontext"},
            "OTEL_PROPAGATORS asks for b3: use tracecontext, baggage or none",
        ),
        (
            {"OTEL_METRICS_EXPORTER": "console"},
            "OTEL_METRICS_EXPORTER asks for console: use otlp or none",
        ),
        (
            {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "-1"},
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT is a number that is not negative; got '-1'",
        ),
    ],
)
def test_what_is_not_to_be_had_is_one_sentence(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        asked(variables)
    assert str(caught.value) == message


CANARY = "sk-canary-of-a-collector"

UNUSABLE: list[tuple[dict[str, str], str]] = [
    ({f"{OTLP}COMPRESSION": "zip"}, "is gzip, deflate or none; got 'zip'"),
    ({f"{OTLP}COMPRESSION": "deflate", f"{OTLP}PROTOCOL": "grpc"}, "is gzip or none; got 'deflate'"),
    ({f"{OTLP}TRACES_TIMEOUT": "soon"}, "is a number above 0; got 'soon'"),
    ({f"{OTLP}METRICS_TIMEOUT": "nan"}, "is a number above 0; got 'nan'"),
    ({f"{OTLP}TIMEOUT": "-1"}, "is a number above 0; got '-1'"),
    ({f"{OTLP}HEADERS": f"Bearer {CANARY}"}, "is name=value, name=value and so on; it is not quoted here"),
    ({f"{OTLP}CERTIFICATE": "/none/there"}, "is a file that can be read; got '/none/there'"),
    ({f"{OTLP}CLIENT_KEY": "/none/there"}, "is a file that can be read; got '/none/there'"),
    ({f"{OTLP}ENDPOINT": "127.0.0.1:4318"}, "is a URL, http:// or https://"),
    ({f"{OTLP}ENDPOINT": f"http://{CANARY}@["}, "is a URL, http:// or https://"),
    ({f"{OTLP}INSECURE": "perhaps", f"{OTLP}PROTOCOL": "grpc"}, "is true or false; got 'perhaps'"),
    ({f"{OTLP}METRICS_TEMPORALITY_PREFERENCE": "new"}, "is cumulative, delta or lowmemory; got 'new'"),
    ({"OTEL_METRIC_EXPORT_INTERVAL": "often"}, "is a number above 0; got 'often'"),
    ({"OTEL_METRIC_EXPORT_TIMEOUT": "0"}, "is a number above 0; got '0'"),
    ({"OTEL_BSP_SCHEDULE_DELAY": "1.5"}, "is a whole number that is not negative; got '1.5'"),
    ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "many"}, "is a whole number that is not negative; got 'many'"),
    ({"OTEL_BSP_MAX_QUEUE_SIZE": "9" * 5000}, f"is a number that is not negative; got '{'9' * 40}'"),
    ({"OTEL_METRICS_EXEMPLAR_FILTER": "always_on"}, "is trace_based or always_off; got 'always_on'"),
    ({"OTEL_RESOURCE_ATTRIBUTES": "team"}, "is name=value, name=value and so on; got 'team'"),
]


@pytest.mark.parametrize(("variables", "message"), UNUSABLE)
def test_what_the_sdk_would_pass_over_stops_the_start(
    environ: Any, capfd: pytest.CaptureFixture[str], variables: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        built(environ(**{f"{OTLP}ENDPOINT": "http://127.0.0.1:9", **variables}))
    assert str(caught.value) == f"{next(iter(variables))} {message}"
    assert CANARY not in "".join(capfd.readouterr())


def test_what_is_not_exported_needs_no_value_that_can_be_used() -> None:
    assert asked({f"{OTLP}TIMEOUT": "soon", f"{OTLP}ENDPOINT": "x", "OTEL_SDK_DISABLED": "true"}).spans is None


@pytest.mark.parametrize("variables", [{"OTEL_METRICS_EXEMPLAR_FILTER": ""}, {f"{OTLP}COMPRESSION": ""}])
def test_an_empty_value_is_none(environ: Any, variables: dict[str, str]) -> None:
    with a_grpc_collector() as collector:
        export(environ(**{f"{OTLP}ENDPOINT": collector.url, f"{OTLP}PROTOCOL": "grpc"}, **variables))
    assert kinds(collector) == SENT


@pytest.mark.parametrize(
    ("said", "accepted"), [("none", grpc.Compression.NoCompression), ("gzip", grpc.Compression.Gzip)]
)
def test_grpc_is_compressed_as_is_asked(environ: Any, said: str, accepted: grpc.Compression) -> None:
    environ(**{f"{OTLP}COMPRESSION": said, f"{OTLP}ENDPOINT": "http://127.0.0.1:9"})
    made = metric_exporter("grpc")
    assert made._compression == accepted
    made.shutdown()


@pytest.mark.parametrize(
    ("variables", "tracing"),
    [
        ({}, Tracing(sends=False)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, Tracing()),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_PROPAGATORS": "none"}, Tracing(reads=False, sends=False)),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, Tracing(sends=False)),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "parentbased_always_off"},
            Tracing(sampler=Sampler(0)),
        ),
    ],
)
def test_the_relay_takes_the_part_that_is_asked_for(variables: dict[str, str], tracing: Tracing) -> None:
    made = built(variables)
    assert made.tracing == tracing
    assert made.shutdown(30) == []


SENDING: list[tuple[dict[str, str], dict[str, str], set[str]]] = [
    ({f"{OTLP}ENDPOINT": "{url}"}, {}, SENT),
    ({f"{OTLP}TRACES_ENDPOINT": "{url}/v1/traces"}, {}, {"traces"}),
    ({f"{OTLP}METRICS_ENDPOINT": "{url}/other/v1/metrics"}, {}, {"metrics"}),
    ({f"{OTLP}ENDPOINT": "{url}", "OTEL_TRACES_EXPORTER": "none"}, {}, {"metrics"}),
    ({f"{OTLP}ENDPOINT": "{url}", "OTEL_METRICS_EXPORTER": "none"}, {}, {"traces"}),
    ({f"{OTLP}ENDPOINT": "{url}", f"{OTLP}HEADERS": "x-team=search"}, {"x-team": "search"}, SENT),
    (
        {f"{OTLP}TRACES_ENDPOINT": "{url}/v1/traces", f"{OTLP}TRACES_HEADERS": "x-team=a%20b"},
        {"x-team": "a b"},
        {"traces"},
    ),
    (
        {f"{OTLP}METRICS_ENDPOINT": "{url}/v1/metrics", f"{OTLP}METRICS_HEADERS": "x-team=m"},
        {"x-team": "m"},
        {"metrics"},
    ),
    ({f"{OTLP}ENDPOINT": "{url}", f"{OTLP}COMPRESSION": "gzip"}, {"content-encoding": "gzip"}, SENT),
    (
        {f"{OTLP}TRACES_ENDPOINT": "{url}/v1/traces", f"{OTLP}TRACES_COMPRESSION": "deflate"},
        {"content-encoding": "deflate"},
        {"traces"},
    ),
    (
        {f"{OTLP}METRICS_ENDPOINT": "{url}/v1/metrics", f"{OTLP}METRICS_COMPRESSION": "gzip"},
        {"content-encoding": "gzip"},
        {"metrics"},
    ),
]


@pytest.mark.parametrize(("variables", "fields", "sent"), SENDING)
async def test_what_a_collector_gets(
    environ: Any, variables: dict[str, str], fields: dict[str, str], sent: set[str]
) -> None:
    async with a_collector() as collector:
        await exported(environ(**{name: value.format(url=collector.url) for name, value in variables.items()}))
    assert kinds(collector) == sent
    assert all(fields.items() <= asked.items() for _, asked in collector.asked)


CERTIFIED = [("", SENT), ("TRACES_", {"traces"}), ("METRICS_", {"metrics"})]


@pytest.mark.parametrize(("signal", "sent"), CERTIFIED)
async def test_a_collector_is_trusted_by_its_certificate_and_trusts_ours(
    environ: Any, tmp_path: Path, signal: str, sent: set[str]
) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issued("wiretape.test")
    async with a_collector(authority.server(demands=True)) as collector:
        path = {"TRACES_": "/v1/traces", "METRICS_": "/v1/metrics"}.get(signal, "")
        files = {"CERTIFICATE": authority.file, "CLIENT_CERTIFICATE": cert, "CLIENT_KEY": key}
        variables = {f"{OTLP}{signal}{name}": value for name, value in files.items()}
        await exported(environ(**variables, **{f"{OTLP}{signal}ENDPOINT": collector.url + path}))
    assert kinds(collector) == sent


async def test_whose_telemetry_it_is(environ: Any) -> None:
    async with a_collector() as collector:
        whose = {"OTEL_SERVICE_NAME": "sidecar", "OTEL_RESOURCE_ATTRIBUTES": "team=search,service.name=other"}
        await exported(environ(**{f"{OTLP}ENDPOINT": collector.url}, **whose))
    assert {(one["service.name"], one["team"]) for one in collector.resources} == {("sidecar", "search")}


async def test_metrics_are_sent_as_differences_where_that_is_preferred(environ: Any) -> None:
    async with a_collector() as collector:
        preferred = {f"{OTLP}METRICS_TEMPORALITY_PREFERENCE": "delta"}
        await exported(environ(**{f"{OTLP}METRICS_ENDPOINT": f"{collector.url}/v1/metrics"}, **preferred))
    runs = next(metric for metric in collector.metrics if metric.name == "wiretape.runs")
    assert runs.sum.aggregation_temporality == 1


async def test_metrics_are_sent_as_often_as_is_asked(environ: Any) -> None:
    async with a_collector() as collector:
        often = {"OTEL_METRIC_EXPORT_INTERVAL": "10", "OTEL_METRIC_EXPORT_TIMEOUT": "5000"}
        made = built(environ(**{f"{OTLP}METRICS_ENDPOINT": f"{collector.url}/v1/metrics"}, **often))
        async with asyncio.timeout(30):
            await collector.asked_times(3)
        assert await asyncio.to_thread(made.shutdown, 30) == []


LIMITS: list[tuple[dict[str, str], str, object]] = [
    ({"OTEL_BSP_MAX_QUEUE_SIZE": "700"}, "spans._max_queue_size", 700),
    ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "7"}, "spans._max_export_batch_size", 7),
    ({"OTEL_BSP_SCHEDULE_DELAY": "70"}, "spans._schedule_delay_millis", 70),
    ({"OTEL_BSP_EXPORT_TIMEOUT": "77"}, "spans._export_timeout_millis", 77),
    ({"OTEL_METRIC_EXPORT_TIMEOUT": "78"}, "metrics._export_timeout_millis", 78),
    ({f"{OTLP}TIMEOUT": "2"}, "spans._exporter._exporter._client._timeout", 2),
    ({f"{OTLP}TRACES_TIMEOUT": "3"}, "spans._exporter._exporter._client._timeout", 3),
    ({f"{OTLP}METRICS_TIMEOUT": "4"}, "metrics._exporter._exporter._client._timeout", 4),
    ({f"{OTLP}PROTOCOL": "grpc", f"{OTLP}INSECURE": "true"}, "spans._exporter._exporter._insecure", True),
    ({f"{OTLP}PROTOCOL": "grpc", f"{OTLP}TRACES_INSECURE": "true"}, "spans._exporter._exporter._insecure", True),
    ({f"{OTLP}PROTOCOL": "grpc", f"{OTLP}METRICS_INSECURE": "true"}, "metrics._exporter._exporter._insecure", True),
]


@pytest.mark.parametrize(("variables", "path", "value"), LIMITS)
def test_limits_reach_what_they_limit(environ: Any, variables: dict[str, str], path: str, value: object) -> None:
    """Nothing is exported here: these would have to be waited for."""
    named = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"}
    secure = {} if "INSECURE" in str(variables) else {f"{OTLP}ENDPOINT": "http://127.0.0.1:9"}
    wanted = asked(environ(**named, **secure, **variables))
    batches, readers = _batches(wanted), _readers(CollectorRegistry(), _exporting(wanted))
    found: Any = {"spans": batches._batches._batch_processor, "metrics": readers[1]}[path.partition(".")[0]]
    for name in path.split(".")[1:]:
        found = getattr(found, name)
    assert found == value
    batches.shutdown()
    readers[1]._shutdown_event.set()


def test_texts_of_spans_are_cut_to_the_limit() -> None:
    exporter = InMemorySpanExporter()
    made = built({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "4"}, exporter=exporter)
    made.sinks[2].run(a_run(steps=()))
    (span,) = exporter.get_finished_spans()
    assert (span.attributes["gen_ai.agent.name"], span.attributes["gen_ai.response.finish_reasons"]) == (
        "Math",
        ("stop",),
    )
    assert span.attributes["gen_ai.usage.input_tokens"] == 200
    assert made.shutdown(30) == []


def test_who_asks_for_content_is_told_that_there_is_none() -> None:
    lines, exporter = Lines(), InMemorySpanExporter()
    variable = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    made = built({variable: "SPAN_AND_EVENT"}, lines, exporter=exporter)
    made.sinks[2].run(a_run())
    assert [(line["event"], line["variable"]) for line in lines.all if line["level"] == "warning"] == [
        ("telemetry.content_not_captured", variable)
    ]
    assert not [name for span in exporter.get_finished_spans() for name in span.attributes if "messages" in name]
    assert made.shutdown(30) == []


def test_spans_and_metrics_leave_by_grpc(environ: Any) -> None:
    with a_grpc_collector() as collector:
        extra = {f"{OTLP}PROTOCOL": "grpc", f"{OTLP}HEADERS": "x-team=search"}
        export(environ(**{f"{OTLP}ENDPOINT": collector.url}, **extra))
    assert kinds(collector) == SENT
    assert {fields["x-team"] for _, fields in collector.asked} == {"search"}
    assert len(collector.spans) == 7
    assert {metric.name for metric in collector.metrics} > {"wiretape.runs", "gen_ai.client.operation.duration"}
    assert {one["service.name"] for one in collector.resources} == {"wiretape"}


@pytest.mark.parametrize("signal", ["TRACES", "METRICS"])
def test_without_the_extra_grpc_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, signal: str) -> None:
    for kind in ("trace_exporter", "metric_exporter"):
        monkeypatch.setitem(sys.modules, f"opentelemetry.exporter.otlp.proto.grpc.{kind}", None)
        monkeypatch.delattr(f"opentelemetry.exporter.otlp.proto.grpc.{kind}", raising=False)
    with pytest.raises(ConfigError) as caught:
        built({f"OTEL_{signal}_EXPORTER": "otlp", f"{OTLP}PROTOCOL": "grpc"})
    assert str(caught.value) == (
        "OTLP over grpc needs an extra that is not installed: pip install 'wiretape[grpc]', or use http/protobuf"
    )


SHOWN_ELSEWHERE = {"OTEL_METRICS_EXEMPLAR_FILTER": "test_exemplars.py"}


def test_every_variable_of_the_reference_has_a_row() -> None:
    rows = [*(one for one, *_ in PARSED), *(one for one, *_ in SENDING), *(one for one, *_ in LIMITS)]
    shown = {name for row in rows for name in row} | set(SHOWN_ELSEWHERE)
    shown |= {"OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", f"{OTLP}METRICS_TEMPORALITY_PREFERENCE"}
    shown |= {"OTEL_METRIC_EXPORT_INTERVAL"}
    files = ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
    shown |= {f"{OTLP}{signal}{file}" for signal, _ in CERTIFIED for file in files}
    listed = {name for one in HONOURED for name in one.names}
    assert listed == shown
    assert all((Path(__file__).parent / file).exists() for file in SHOWN_ELSEWHERE.values())
