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
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from structlog.typing import FilteringBoundLogger

from wiretape import __version__
from wiretape.errors import ConfigError
from wiretape.runs.report import Sink
from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.complaints import Complaints
from wiretape.telemetry.environment import CAPTURE_CONTENT, Asked, asked
from wiretape.telemetry.exemplars import Exemplified, Reader
from wiretape.telemetry.export import CountedBatches, CountedMetrics, metric_exporter, span_exporter
from wiretape.telemetry.generations import LATEST, RELEASED
from wiretape.telemetry.log import LogSink, log_sink
from wiretape.telemetry.metrics import MetricSink
from wiretape.telemetry.options import Gauges, Peers, TelemetryOptions
from wiretape.telemetry.series import views
from wiretape.telemetry.spans import SpanSink
from wiretape.wire.tracing import Tracing

_SPANS_WAITING_MAX: Final = 2048


class _Behind(Struct, frozen=True, kw_only=True):
    """What stands behind the sinks."""

    registry: CollectorRegistry
    shutdowns: Mapping[str, Callable[[], object]]
    lost: Callable[[], int]
    """Spans lost, once all is shut down."""
    tracing: Tracing = Tracing()


class Telemetry:
    """The sinks, and what stands behind them."""

    def __init__(
        self, sinks: Sequence[Sink], behind: _Behind, logger: FilteringBoundLogger, warn_every_s: float
    ) -> None:
        self.sinks = tuple(sinks)
        """Each with a name of its own; for `Fanout`."""
        self.tracing = behind.tracing
        """The part to take in callers' traces; for the relay."""
        self._behind = behind
        self._scrape = Lock()
        self._logger = logger
        self._complaints = Complaints(logger, warn_every_s)

    def prometheus(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics and their content type, from any thread, one at a time.

        OpenMetrics, which shows exemplars, where the field `Accept` names it; else Prometheus text 0.0.4.
        """
        encode, content_type = choose_encoder(accept)
        with self._scrape:
            return encode(self._behind.registry), content_type

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

    Spans are made only where they go somewhere: to a collector, where `environ` says so (`environment.HONOURED`), or
    to an in-process `exporter`. Metrics are always there for Prometheus, and go to a collector by the same rules.
    `OTEL_SDK_DISABLED` leaves the log alone; `enabled = false` leaves nothing. Log lines go to `log` where that is
    given, and else through the `logger`. `environ` decides what is built; how an exporter behaves, the SDK reads from
    the process's own environment. Raises ConfigError for what is not to be had.
    """
    wanted = asked(environ)
    lines = LogSink(logger) if log is None else log_sink(logger, log)
    logs: list[Sink] = [lines] if lines is not None and options.enabled else []
    if wanted.captures_content:
        logger.warning("telemetry.content_not_captured", variable=CAPTURE_CONTENT, detail="messages are never exported")
    if not options.enabled or wanted.disabled:
        behind = _Behind(registry=CollectorRegistry(), shutdowns={}, lost=lambda: 0, tracing=_untold(wanted))
        return Telemetry(logs, behind, logger, options.warn_every_s)
    built = _Built(options, wanted, peers, exporter)
    return Telemetry([*logs, *built.sinks(gauges)], built.behind(), logger, options.warn_every_s)


def _untold(wanted: Asked) -> Tracing:
    return wanted.tracing(makes_spans=False, always=False)


class _Built:
    """What the SDK has to do with, put together."""

    def __init__(self, options: TelemetryOptions, wanted: Asked, peers: Peers, exporter: SpanExporter | None) -> None:
        self._options, self._wanted, self._peers = options, wanted, peers
        self._registry = CollectorRegistry()
        self._resource = _resource()
        with _one_sentence():
            self._batches = _batches(wanted)
            self._exporting = _exporting(wanted)
            readers = _readers(self._registry, self._exporting)
        self._names = LATEST if wanted.is_latest else RELEASED
        bounded = views(self._names.instruments, options.series_max)
        shown = TraceBasedExemplarFilter() if wanted.exemplars else AlwaysOffExemplarFilter()
        self._provider = MeterProvider(
            readers, self._resource, exemplar_filter=shown, shutdown_on_exit=False, views=bounded
        )
        processors = [*filter(None, (self._batches,)), *([SimpleSpanProcessor(exporter)] if exporter else ())]
        self._spans = self._span_sink(_all(processors)) if processors else None

    def sinks(self, gauges: Gauges) -> list[Sink]:
        """Those of metrics and, where they go somewhere, spans."""
        told = structs.replace(gauges, telemetry_dropped=lambda: {**gauges.telemetry_dropped(), **self._dropped()})
        meter = self._provider.get_meter("wiretape", __version__)
        exemplars = self._spans is not None and self._wanted.exemplars
        metrics = MetricSink(meter, self._options, told, peers=self._peers, names=self._names, exemplars=exemplars)
        return [metrics] if self._spans is None else [metrics, self._spans]

    def behind(self) -> _Behind:
        """What is to be asked and shut down."""
        batches, makes_spans = self._batches, self._spans is not None
        return _Behind(
            registry=self._registry,
            shutdowns={"metrics": self._provider.shutdown} | ({"spans": batches.shutdown} if batches else {}),
            lost=lambda: batches.lost if batches else 0,
            tracing=self._wanted.tracing(makes_spans=makes_spans, always=self._options.propagate == "always"),
        )

    def _span_sink(self, processor: SpanProcessor) -> SpanSink:
        return SpanSink(
            processor,
            self._resource,
            peers=self._peers,
            profile=v.PROFILES[self._options.profile],
            options=self._options,
            new_span_id=RandomIdGenerator().generate_span_id,
            value_chars_max=self._wanted.value_chars_max,
        )

    def _dropped(self) -> dict[str, int]:
        held = {} if self._spans is None else {"sampling": self._spans.lost}
        spans = {} if self._batches is None else {"export": self._batches.dropped}
        return held | spans | ({} if self._exporting is None else {"export_metrics": self._exporting.failed})


def _all(processors: Sequence[SpanProcessor]) -> SpanProcessor:
    together = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]  # the SDK left this one bare
    for processor in processors:
        together.add_span_processor(processor)
    return together


def _resource() -> Resource:
    """`OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` beat our own name."""
    found = OTELResourceDetector().detect().attributes
    return Resource.create({SERVICE_NAME: "wiretape", SERVICE_VERSION: __version__, **found})


def _exporting(wanted: Asked) -> CountedMetrics | None:
    return None if wanted.metrics is None else CountedMetrics(metric_exporter(wanted.metrics))


def _readers(registry: CollectorRegistry, exporting: MetricExporter | None) -> list[MetricReader]:
    inner = CollectorRegistry()
    prometheus = Reader(scope_info_enabled=False, registry=inner)
    registry.register(Exemplified(inner, prometheus))
    readers: list[MetricReader] = [prometheus]
    if exporting is not None:
        readers.append(PeriodicExportingMetricReader(exporting))
    return readers


def _batches(wanted: Asked) -> CountedBatches | None:
    if wanted.spans is None:
        return None
    waiting_max = _SPANS_WAITING_MAX if wanted.spans_waiting_max is None else wanted.spans_waiting_max
    return CountedBatches(span_exporter(wanted.spans), waiting_max)


@contextmanager
def _one_sentence() -> Iterator[None]:
    """What the SDK says of a variable's value, as an error of configuration."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(f"a variable of OpenTelemetry (OTEL_*) has a value that cannot be used: {error}") from error
