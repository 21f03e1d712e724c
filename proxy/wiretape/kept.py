"""What a test is told of its own conversation: every report its proxy made, and the spans that come of them."""

from __future__ import annotations

from threading import Condition

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from wiretape.edge.arrival import new_bits
from wiretape.runs.report import ExchangeReport, RunReport
from wiretape.telemetry.spans import SpanSink
from wiretape.telemetry.vocabulary import Profile
from wiretape.testing import CollectingSink

KEPT_MAX = 10_000
"""Exchanges, and runs, of one test that are kept; what comes beyond is counted as `left_out`."""


class Kept(CollectingSink):
    """A sink that can be waited for from another thread."""

    name = "kept"

    def __init__(self) -> None:
        super().__init__()
        self.left_out = 0
        self._came = 0
        self._changed = Condition()

    def exchange(self, report: ExchangeReport) -> None:
        """Keep an exchange's report, and wake who waits for it."""
        if self._has_room(self.exchanges):
            super().exchange(report)
        with self._changed:
            self._came += 1
            self._changed.notify_all()

    def run(self, report: RunReport) -> None:
        """Keep a run's report."""
        if self._has_room(self.runs):
            super().run(report)

    def wait_for(self, exchanges: int, within_s: float) -> bool:
        """Wait until so many exchanges have come; a run comes before the exchange that ended it."""
        with self._changed:
            return self._changed.wait_for(lambda: self._came >= exchanges, within_s)

    def spans(self, profile: Profile) -> list[ReadableSpan]:
        """Every span that the reports make; of upstreams there is no `server.*`."""
        exporter = InMemorySpanExporter()
        processor = SimpleSpanProcessor(exporter)
        sink = SpanSink(processor, Resource({}), peers={}, profile=profile, new_span_id=lambda: new_bits(64))
        for exchange in tuple(self.exchanges):
            sink.exchange(exchange)
        for run in tuple(self.runs):
            sink.run(run)
        return sorted(exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def _has_room(self, kept: list[ExchangeReport] | list[RunReport]) -> bool:
        self.left_out += len(kept) >= KEPT_MAX
        return len(kept) < KEPT_MAX
