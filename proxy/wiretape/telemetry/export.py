"""Spans and metrics to a collector, bounded and counted: one that is down, slow or hanging costs them, nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from requests import Response, Session

from wiretape.errors import ConfigError
from wiretape.telemetry.environment import GRPC, OTLP

_REDIRECTION = 300
_CLIENT_ERROR = 400
_NO_GRPC = "OTLP over grpc needs an extra that is not installed: pip install 'wiretape[grpc]', or use http/protobuf"


def span_exporter(protocol: str) -> SpanExporter:
    """The exporter of spans, set up by the process's environment. Raises ConfigError where gRPC is not installed."""
    if protocol != GRPC:
        return OTLPSpanExporter(session=_session())
    made: SpanExporter = _over_grpc("trace").OTLPSpanExporter(compression=_compression("TRACES"))
    return made


def metric_exporter(protocol: str) -> MetricExporter:
    """The exporter of metrics, as `span_exporter`."""
    if protocol != GRPC:
        return OTLPMetricExporter(session=_session())
    made: MetricExporter = _over_grpc("metric").OTLPMetricExporter(compression=_compression("METRICS"))
    return made


def _over_grpc(signal: str) -> Any:  # noqa: ANN401  a module that may not be there
    try:
        return import_module(f"opentelemetry.exporter.otlp.proto.grpc.{signal}_exporter")
    except ImportError as error:
        raise ConfigError(_NO_GRPC) from error


def _compression(signal: str) -> Any:  # noqa: ANN401  of a module that may not be there
    """What the variables say; the SDK knows no `none` here, which is a value of the specification's."""
    names = (f"{OTLP}{signal}_COMPRESSION", f"{OTLP}COMPRESSION")
    said = next(filter(None, (os.environ.get(name, "").strip().lower() for name in names)), "")
    kinds = import_module("grpc").Compression
    return kinds.Gzip if said == "gzip" else kinds.NoCompression


def _session() -> Session:
    """By which a redirection is a failure: the SDK follows none, and takes it for success."""
    session = Session()
    session.hooks["response"].append(_unmoved)
    return session


def _unmoved(response: Response, **_: object) -> None:
    if _REDIRECTION <= response.status_code < _CLIENT_ERROR:
        raise OSError(f"the collector answers {response.status_code}: it is somewhere else")


class _Counted(SpanExporter):
    """An exporter that counts what was handed to it and what it could not deliver."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.taken = 0
        self.delivered = 0
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            is_delivered = result is SpanExportResult.SUCCESS
            self.delivered += len(spans) * is_delivered
            self.failed += len(spans) * (not is_delivered)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class CountedBatches(SpanProcessor):
    """The SDK's batch processor, with a count of every span that is lost.

    The SDK drops the oldest span of a full queue and tells nobody. Here the newest is refused before the SDK's queue
    can overflow, so that the count is exact.
    """

    def __init__(self, exporter: SpanExporter, queue_max: int) -> None:
        """`queue_max` is spans that may wait; the other limits are the SDK's `OTEL_BSP_*`."""
        self._exporter = _Counted(exporter)
        self._batches = BatchSpanProcessor(self._exporter, max_queue_size=queue_max)
        self._queue_max = queue_max
        self._accepted = 0
        self._refused = 0

    @property
    def dropped(self) -> int:
        """Spans lost so far: refused, or failed to export."""
        return self._refused + self._exporter.failed

    @property
    def lost(self) -> int:
        """Spans lost once no more is exported: all that no collector said it has."""
        return self._refused + self._accepted - self._exporter.delivered

    @property
    def _waiting(self) -> int:
        return self._accepted - self._exporter.taken

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a finished, sampled span, or refuse it."""
        if self._waiting >= self._queue_max:
            self._refused += 1
            return
        self._accepted += 1
        self._batches.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what waits, on the caller's thread."""
        return self._batches.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Export what waits and end; may take the SDK's 30 s, so call it under a deadline."""
        self._batches.shutdown()  # type: ignore[no-untyped-call]  # the SDK left this one bare


class CountedMetrics(MetricExporter):
    """An exporter of metrics that counts the exports which failed.

    Metrics add up: the next export tells all that a failed one would have, unless deltas were asked for.
    """

    def __init__(self, exporter: MetricExporter) -> None:
        super().__init__(exporter._preferred_temporality, exporter._preferred_aggregation)  # noqa: SLF001  the reader asks
        self._exporter = exporter
        self.failed = 0
        """Exports that did not arrive."""

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **more: Any) -> MetricExportResult:  # noqa: ANN401  as the SDK has it
        """Send them all."""
        result = MetricExportResult.FAILURE
        try:
            result = self._exporter.export(metrics_data, timeout_millis, **more)
        finally:
            self.failed += result is not MetricExportResult.SUCCESS
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is held here."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **more: Any) -> None:  # noqa: ANN401  as the SDK has it
        """End it; may take as long as a try to send does."""
        self._exporter.shutdown(timeout_millis, **more)
