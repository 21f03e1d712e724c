from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from support.reports import an_exchange
from support.telemetry import Spans
from wiretape.telemetry.export import CountedBatches

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


def test_spans_no_export_took_are_lost_at_the_end() -> None:
    exporter = Gated()
    batches = CountedBatches(exporter, 2048)
    batches.on_end(A_SPAN)
    assert (batches.dropped, batches.lost) == (0, 1)
    exporter.gate.set()
    batches.shutdown()
    assert batches.lost == 0
