"""Telemetry put together from the standard OTEL_* variables alone; without them, nothing touches the network.

Nothing process-wide is set: no global provider, no global Prometheus registry, no exit hook. Many of these can live
in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock, Thread
from time import monotonic
from typing import Final, TextIO

from msgspec import Struct, structs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.environment_variables import OTEL_BSP_MAX_QUEUE_SIZE, OTEL_SDK_DISABLED
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter, ObservableGauge
from opentelemetry.sdk.metrics.export import CardinalityLimits, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from structlog.typing import FilteringBoundLogger

from wiretape import __version__
from wiretape.errors import ConfigError
from wiretape.runs.report import Sink
from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.complaints import Complaints
from wiretape.telemetry.export import CountedBatches
from wiretape.telemetry.log import LogSink, log_sink
from wiretape.telemetry.metrics import MetricSink
from wiretape.telemetry.options import Gauges, Peers, TelemetryOptions
from wiretape.telemetry.spans import SpanSink
from wiretape.telemetry.tally import VIEWS

PROMETHEUS_CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
"""What `Telemetry.prometheus_text` is."""

_OTLP: Final = "OTEL_EXPORTER_OTLP_"
_PROTOCOL: Final = "http/protobuf"
_SPANS_WAITING_MAX: Final = 2048


class _Behind(Struct, frozen=True, kw_only=True):
    """What stands behind the sinks."""

    registry: CollectorRegistry
    shutdowns: Mapping[str, Callable[[], object]]
    lost: Callable[[], int]
    """Spans lost, once all is shut down."""


class Telemetry:
    """The sinks, and what stands behind them."""

    def __init__(
        self, sinks: Sequence[Sink], behind: _Behind, logger: FilteringBoundLogger, warn_every_s: float
    ) -> None:
        self.sinks = tuple(sinks)
        """Each with a name of its own; for `Fanout`."""
        self._behind = behind
        self._scrape = Lock()
        self._logger = logger
        self._complaints = Complaints(logger, warn_every_s)

    def prometheus_text(self) -> bytes:
        """All metrics in Prometheus text, of `PROMETHEUS_CONTENT_TYPE`; from any thread, one at a time."""
        with self._scrape:
            return generate_latest(self._behind.registry)

    def shutdown(self, deadline_s: float) -> list[str]:
        """Export what waits and end, once, after `Fanout.close`; answers what did not end within the deadline.

        A collector that never answers would hold the SDK for 30 s. Its thread is left behind: it is a daemon.
        """
        close_by = monotonic() + deadline_s
        threads = {
            name: Thread(target=self._end, args=(name, call), name=f"wiretape-end-{name}", daemon=True)
            for name, call in self._behind.shutdowns.items()
        }
        for thread in threads.values():
            thread.start()
        for thread in threads.values():
            thread.join(max(0.0, close_by - monotonic()))
        late = [name for name, thread in threads.items() if thread.is_alive()]
        lost = self._behind.lost()
        if late or lost:
            self._logger.warning("telemetry.shut_down", late=late, spans_lost=lost)
        self._complaints.close()
        return late

    def _end(self, name: str, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - the SDK reports a failed last export by raising
            self._logger.warning("telemetry.end_failed", part=name, error=type(error).__name__)


def telemetry(  # noqa: PLR0913 - one argument for each thing it is put together from
    options: TelemetryOptions,
    gauges: Gauges,
    logger: FilteringBoundLogger,
    *,
    peers: Peers,
    environ: Mapping[str, str],
    exporter: SpanExporter | None = None,
    log: TextIO | None = None,
) -> Telemetry:
    """Build the log, span and metric sinks.

    Spans are made only where they go somewhere: to a collector (`OTEL_EXPORTER_OTLP_ENDPOINT`,
    `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_TRACES_EXPORTER=otlp`), or to an in-process `exporter`. Metrics are
    always there for Prometheus, and go to a collector by the same rules. `OTEL_SDK_DISABLED` leaves the log alone;
    `enabled = false` leaves nothing. Log lines go to `log` where that is given, and else through the `logger`.
    `environ` decides what is built; how an exporter behaves, the SDK reads from the process's own environment.
    Raises ConfigError for an exporter or a protocol that is not there.
    """
    registry = CollectorRegistry()
    lines = LogSink(logger) if log is None else log_sink(logger, log)
    sinks: list[Sink] = [lines] if lines is not None and options.enabled else []
    if not options.enabled or environ.get(OTEL_SDK_DISABLED, "").strip().lower() == "true":
        behind = _Behind(registry=registry, shutdowns={}, lost=lambda: 0)
        return Telemetry(sinks, behind, logger, options.warn_every_s)
    resource = _resource()
    with _one_sentence():
        batches = _batches(environ)
        readers = _readers(registry, options.series_max, environ)
    provider = MeterProvider(readers, resource, shutdown_on_exit=False, views=VIEWS)
    meter = provider.get_meter("wiretape", __version__)
    sinks.append(MetricSink(meter, options, _with_export(gauges, batches), peers=peers))
    processors = [*([batches] if batches else ()), *([SimpleSpanProcessor(exporter)] if exporter else ())]
    if processors:
        profile, new_span_id = v.PROFILES[options.profile], RandomIdGenerator().generate_span_id
        sinks.append(SpanSink(_all(processors), resource, peers=peers, profile=profile, new_span_id=new_span_id))
    behind = _Behind(
        registry=registry,
        shutdowns={"metrics": provider.shutdown} | ({"spans": batches.shutdown} if batches else {}),
        lost=lambda: batches.lost if batches else 0,
    )
    return Telemetry(sinks, behind, logger, options.warn_every_s)


def _with_export(gauges: Gauges, batches: CountedBatches | None) -> Gauges:
    if batches is None:
        return gauges
    return structs.replace(gauges, telemetry_dropped=lambda: {**gauges.telemetry_dropped(), "export": batches.dropped})


def _all(processors: Sequence[SpanProcessor]) -> SpanProcessor:
    together = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]  # the SDK left this one bare
    for processor in processors:
        together.add_span_processor(processor)
    return together


def _resource() -> Resource:
    """`OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` beat our own name."""
    asked = OTELResourceDetector().detect().attributes
    return Resource.create({SERVICE_NAME: "wiretape", SERVICE_VERSION: __version__, **asked})


def _readers(registry: CollectorRegistry, series_max: int, environ: Mapping[str, str]) -> list[MetricReader]:
    share = max(1, series_max // len(v.INSTRUMENTS))
    limits: CardinalityLimits = dict.fromkeys((Counter, Histogram, ObservableCounter, ObservableGauge), share)
    readers: list[MetricReader] = [
        PrometheusMetricReader(scope_info_enabled=False, registry=registry, cardinality_limits=limits),
    ]
    if _exports("METRICS", environ):
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter(), cardinality_limits=limits))
    return readers


def _exports(signal: str, environ: Mapping[str, str]) -> bool:
    """Whether the signal goes to a collector; see the SDK's environment variable specification."""
    variable = f"OTEL_{signal}_EXPORTER"
    named = {name.strip() for name in environ.get(variable, "").split(",")} - {""}
    if unknown := named - {"otlp", "none", "prometheus"}:
        raise ConfigError(f"{variable} asks for {', '.join(sorted(unknown))}: use otlp or none")
    endpoints = (_OTLP + "ENDPOINT", f"{_OTLP}{signal}_ENDPOINT")
    wanted = "otlp" in named or (not named and any(environ.get(name) for name in endpoints))
    if wanted:
        _check_protocol(signal, environ)
    return wanted


def _check_protocol(signal: str, environ: Mapping[str, str]) -> None:
    protocol = environ.get(f"{_OTLP}{signal}_PROTOCOL") or environ.get(_OTLP + "PROTOCOL") or _PROTOCOL
    if protocol != _PROTOCOL:
        raise ConfigError(f"OTLP over {protocol} is not supported: set {_OTLP}PROTOCOL to {_PROTOCOL}")


def _batches(environ: Mapping[str, str]) -> CountedBatches | None:
    if not _exports("TRACES", environ):
        return None
    return CountedBatches(OTLPSpanExporter(), int(environ.get(OTEL_BSP_MAX_QUEUE_SIZE) or _SPANS_WAITING_MAX))


@contextmanager
def _one_sentence() -> Iterator[None]:
    """What the SDK says of a variable's value, as an error of configuration."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(f"a variable of OpenTelemetry (OTEL_*) has a value that cannot be used: {error}") from error
