from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Thread
from unittest.mock import Mock

import pytest
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from support.reports import an_exchange
from support.telemetry import Spans
from wiretape.telemetry.export import CountedBatches, CountedMetrics

LONG_S = 30.0


class Gated(SpanExporter):
    """Holds each export until its gate opens, then answers as told."""

    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.gate = Event()
        self.entered = Event()
        self.names: list[str] = []
        self._result = result

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        assert self.gate.wait(LONG_S)
        self.names.extend(span.name for span in spans)
        return self._result

    def shutdown(self) -> None:
        self.names.append("(shut down)")


def a_span() -> ReadableSpan:
    spans = Spans()
    spans.sink.exchange(an_exchange(upstream_start_ns=None))
    return spans.all[0]


A_SPAN = a_span()


def test_spans_beyond_the_queue_are_refused_and_counted() -> None:
    exporter = Gated()
    batches = CountedBatches(exporter, 512)
    for _ in range(515):
        batches.on_end(A_SPAN)
    assert batches.dropped <= 3
    exporter.gate.set()
    batches.shutdown()
    assert len(exporter.names) - 1 + batches.dropped == 515
    assert batches.lost == batches.dropped


def test_spans_a_collector_refused_are_counted() -> None:
    exporter = Gated(SpanExportResult.FAILURE)
    exporter.gate.set()
    batches = CountedBatches(exporter, 2048)
    batches.on_end(A_SPAN)
    assert batches.force_flush()
    assert batches.dropped == 1
    batches.shutdown()


def test_spans_an_export_hangs_with_are_lost_if_it_ends_there() -> None:
    exporter = Gated()
    batches = CountedBatches(exporter, 2048)
    batches.on_end(A_SPAN)
    ending = Thread(target=batches.shutdown, daemon=True)
    ending.start()
    assert exporter.entered.wait(LONG_S)
    assert (batches.dropped, batches.lost) == (0, 1)
    exporter.gate.set()
    ending.join(LONG_S)
    assert batches.lost == 0


def test_spans_whose_export_raises_are_counted() -> None:
    exporter = Gated()
    exporter.export = Mock(side_effect=OSError("no socket left"))  # type: ignore[method-assign]
    batches = CountedBatches(exporter, 2048)
    batches.on_end(A_SPAN)
    batches.force_flush()
    assert (batches.dropped, batches.lost) == (1, 1)
    batches.shutdown()


class Answering(MetricExporter):
    """Answers as told, or raises it."""

    def __init__(self, *answers: MetricExportResult | Exception) -> None:
        super().__init__()
        self._answers = [*answers]
        self.ended = False

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **more: object) -> MetricExportResult:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **more: object) -> None:
        self.ended = True


def test_exports_of_metrics_that_did_not_arrive_are_counted() -> None:
    good, bad = MetricExportResult.SUCCESS, MetricExportResult.FAILURE
    behind = Answering(good, bad, OSError("gone"), good)
    exporter = CountedMetrics(behind)
    told = MetricsData([])
    assert [exporter.export(told), exporter.export(told)] == [good, bad]
    with pytest.raises(OSError, match="gone"):
        exporter.export(told)
    assert exporter.export(told) is good
    assert exporter.failed == 2
    assert exporter.force_flush()
    exporter.shutdown()
    assert behind.ended


def test_spans_no_export_took_are_lost_at_the_end() -> None:
    exporter = Gated()
    batches = CountedBatches(exporter, 2048)
    batches.on_end(A_SPAN)
    assert (batches.dropped, batches.lost) == (0, 1)
    exporter.gate.set()
    batches.shutdown()
    assert batches.lost == 0
