"""Spans to a collector, bounded and counted: a collector that is down, slow or hanging costs spans, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from wiretape.errors import ConfigError
from wiretape.telemetry.environment import GRPC

_NO_GRPC = "OTLP over grpc needs an extra that is not installed: pip install 'wiretape[grpc]', or use http/protobuf"


def span_exporter(protocol: str) -> SpanExporter:
    """The exporter of spans, set up by the process's environment. Raises ConfigError where gRPC is not installed."""
    made: SpanExporter = _over_grpc("trace").OTLPSpanExporter() if protocol == GRPC else OTLPSpanExporter()
    return made


def metric_exporter(protocol: str) -> MetricExporter:
    """The exporter of metrics, as `span_exporter`."""
    made: MetricExporter = _over_grpc("metric").OTLPMetricExporter() if protocol == GRPC else OTLPMetricExporter()
    return made


def _over_grpc(signal: str) -> Any:  # noqa: ANN401  a module that may not be there
    try:
        return import_module(f"opentelemetry.exporter.otlp.proto.grpc.{signal}_exporter")
    except ImportError as error:
        raise ConfigError(_NO_GRPC) from error


class _Counted(SpanExporter):
    """An exporter that counts what was handed to it and what it could not deliver."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.taken = 0
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.failed += len(spans)
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
        """Spans lost once no more is exported: the dropped, and those no export has taken."""
        return self.dropped + self._waiting

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
