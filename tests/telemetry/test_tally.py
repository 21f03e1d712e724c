"""Added up here or recorded one by one: whoever reads the SDK's points sees no difference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, HistogramDataPoint, InMemoryMetricReader

from wiretape.telemetry.tally import VIEWS, Count, Spread

BOUNDS = (0.25, 1.0, 4.0)
rounds = st.lists(st.lists(st.floats(0, 8).map(lambda one: round(one, 2)), max_size=6), min_size=1, max_size=4)


class Read:
    """A histogram and a counter that can be read."""

    def __init__(self, temporality: AggregationTemporality) -> None:
        self._reader = InMemoryMetricReader(preferred_temporality={Histogram: temporality})
        meter = MeterProvider([self._reader], shutdown_on_exit=False, views=VIEWS).get_meter("test")
        self.histogram = meter.create_histogram("h", explicit_bucket_boundaries_advisory=BOUNDS)
        self.counter = meter.create_counter("c")

    def point(self) -> Any:
        data = self._reader.get_metrics_data()
        resources = data.resource_metrics if data else ()
        found = [m.data.data_points for r in resources for s in r.scope_metrics for m in s.metrics]
        return found[0][0] if found and found[0] else None


def told(point: HistogramDataPoint | None) -> object:
    if point is None:
        return None
    return point.count, round(point.sum, 6), tuple(point.bucket_counts), point.min, point.max, dict(point.attributes)


@given(rounds, st.sampled_from([AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE]))
def test_what_was_added_up_reads_like_what_was_recorded(
    values: list[list[float]], temporality: AggregationTemporality
) -> None:
    one_by_one, together, at_once = Read(temporality), Read(temporality), Read(temporality)
    spreads = Spread(together.histogram, BOUNDS, {"a": "b"}), Spread(at_once.histogram, BOUNDS, {"a": "b"})
    for batch in values:
        for value in batch:
            one_by_one.histogram.record(value, {"a": "b"})
            spreads[0].add(value)
        spreads[1].add_all(batch[:2])
        spreads[1].add_all(batch[2:])
        for spread in spreads:
            spread.hand_over()
        assert told(together.point()) == told(at_once.point()) == told(one_by_one.point())


def test_single_values_and_many_go_into_the_same_buckets() -> None:
    read = Read(AggregationTemporality.CUMULATIVE)
    read.histogram.record(3.0, {})
    spread = Spread(read.histogram, BOUNDS, {})
    spread.add(0.5)
    spread.hand_over()
    spread.hand_over()
    assert told(read.point()) == (2, 3.5, (0, 1, 1, 0), 0.5, 3.0, {})


@pytest.mark.parametrize("count", [1, 8, 9, 40])
def test_a_few_at_once_and_many_are_counted_as_one_by_one(count: int) -> None:
    values = [at * 7 % 10 / 2 for at in range(count)]  # some of them bounds
    reads = Read(AggregationTemporality.CUMULATIVE), Read(AggregationTemporality.CUMULATIVE)
    one_by_one, at_once = (Spread(read.histogram, BOUNDS, {}) for read in reads)
    for value in values:
        one_by_one.add(value)
    at_once.add_all(values)
    for spread in (one_by_one, at_once):
        spread.hand_over()
    assert told(reads[0].point()) == told(reads[1].point())


def test_counts_are_added_once() -> None:
    read = Read(AggregationTemporality.CUMULATIVE)
    count = Count(read.counter, {})
    count.add(2)
    count.add(3)
    count.hand_over()
    count.hand_over()
    assert read.point().value == 5
