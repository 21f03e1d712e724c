"""Traces as examples of what a histogram has counted, and how they get to Prometheus.

The SDK's exporter leaves exemplars out. What it makes of the metrics is therefore gone through once more, and each
bucket is given its own; OpenMetrics shows them, the older text format does not.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import Histogram, HistogramDataPoint, MetricsData
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

_NS = 1_000_000_000


class Seen(NamedTuple):
    """A value, and the sampled span that shows where it comes from."""

    value: float
    at_ns: int
    """When it was measured, since the Unix epoch."""
    trace_id: int
    span_id: int

    def context(self) -> Context:
        """The span as the SDK wants it: it looks there for its ids."""
        context = SpanContext(self.trace_id, self.span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        return set_span_in_context(NonRecordingSpan(context), Context())


class Reader(PrometheusMetricReader):
    """The SDK's reader, which keeps what it has read last."""

    last: MetricsData | None = None

    def _receive_metrics(self, metrics_data: MetricsData, *words: Any, **options: Any) -> None:  # noqa: ANN401  the SDK's
        self.last = metrics_data
        super()._receive_metrics(metrics_data, *words, **options)


class Exemplified(Collector):
    """All that a registry with one `Reader` holds, buckets with their exemplars.

    The SDK forgets an exemplar once it was read; here each bucket keeps its last, so that several who scrape, and
    people who look, do not take them from each other. There are no more than there are series.
    """

    def __init__(self, registry: CollectorRegistry, reader: Reader) -> None:
        self._registry = registry
        self._reader = reader
        self._last: defaultdict[object, dict[int, Exemplar]] = defaultdict(dict)
        """By metric and attributes, and then by bucket."""

    def collect(self) -> Iterator[Metric]:
        """Read the metrics, for whoever scrapes."""
        families = [*self._registry.collect()]
        points = _histograms(self._reader.last)
        for family in families:
            if family.type == "histogram":
                family.samples = [*self._exemplified(family.name, family.samples, next(points))]
            yield family

    def _exemplified(
        self, name: str, samples: Iterable[Sample], points: Iterable[HistogramDataPoint]
    ) -> Iterator[Sample]:
        """Each point is its buckets, then its count and its sum."""
        samples = iter(samples)
        for point in points:
            last = self._last[name, frozenset((point.attributes or {}).items())]
            last.update((bisect_left(point.explicit_bounds, one.value), _shown(one)) for one in point.exemplars)
            for index, sample in enumerate(islice(samples, len(point.bucket_counts) + 2)):
                exemplar = last.get(index)
                yield sample if exemplar is None else sample._replace(exemplar=exemplar)


def _histograms(data: MetricsData | None) -> Iterator[Sequence[HistogramDataPoint]]:
    """The points of each histogram, in the order that the exporter keeps."""
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            yield from (metric.data.data_points for metric in scope.metrics if isinstance(metric.data, Histogram))


def _shown(exemplar: Any) -> Exemplar:  # noqa: ANN401  the SDK does not export the type
    labels = {"trace_id": format_trace_id(exemplar.trace_id), "span_id": format_span_id(exemplar.span_id)}
    return Exemplar(labels, exemplar.value, exemplar.time_unix_nano / _NS)
