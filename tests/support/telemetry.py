"""Sinks with something to look into behind them."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from itertools import count
from typing import Any

import msgspec
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from wiretape.telemetry.generations import RELEASED, Generation
from wiretape.telemetry.log import line_logger
from wiretape.telemetry.metrics import MetricSink
from wiretape.telemetry.options import Gauges, Peer, TelemetryOptions
from wiretape.telemetry.spans import SpanSink
from wiretape.telemetry.tally import VIEWS
from wiretape.telemetry.vocabulary import PROFILES

PEERS = {"default": Peer("api.example", 443)}


def gauges(**changes: object) -> Gauges:
    told: dict[str, object] = {
        "streams_active": lambda: 3,
        "runs_open": lambda: 2,
        "telemetry_queue": lambda: 1,
        "telemetry_dropped": lambda: {"ledger": 7},
    }
    return Gauges(**{**told, **changes})


class Spans:
    """A SpanSink over an in-memory exporter."""

    def __init__(self, profile: str = "otel", **options: Any) -> None:
        self._exporter = InMemorySpanExporter()
        ids = count(0xE1)
        self.sink = SpanSink(
            SimpleSpanProcessor(self._exporter),
            Resource({}),
            peers=PEERS,
            profile=PROFILES[profile],
            options=TelemetryOptions(**options),
            new_span_id=lambda: next(ids),
        )

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def __getitem__(self, name: str) -> ReadableSpan:
        (found,) = (span for span in self.all if span.name == name)
        return found


class Metrics:
    """A MetricSink over an in-memory reader."""

    def __init__(
        self, options: TelemetryOptions | None = None, told: Gauges | None = None, names: Generation = RELEASED
    ) -> None:
        self._reader = InMemoryMetricReader()
        provider = MeterProvider([self._reader], shutdown_on_exit=False, views=VIEWS)
        meter = provider.get_meter("test")
        self.sink = MetricSink(meter, options or TelemetryOptions(), told or gauges(), peers=PEERS, names=names)

    def read(self) -> dict:
        data = self._reader.get_metrics_data()
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> list[HistogramDataPoint | NumberDataPoint]:
        metric = self.read().get(name)
        return [] if metric is None else list(metric.data.data_points)

    def values(self, name: str, attribute: str | None = None) -> dict:
        """Sums of the points by one attribute's value, or by none."""
        values: dict = {}
        for point in self.points(name):
            key = None if attribute is None else dict(point.attributes).get(attribute)
            values[key] = values.get(key, 0) + (point.sum if isinstance(point, HistogramDataPoint) else point.value)
        return values


class Lines:
    """A logger whose lines can be read back."""

    def __init__(self) -> None:
        self.stream = StringIO()
        self.logger = line_logger(self.stream)

    @property
    def all(self) -> list[Mapping]:
        return [msgspec.json.decode(line) for line in self.stream.getvalue().splitlines()]
