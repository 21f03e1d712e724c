"""Histograms and counters added up here, and handed to the SDK in few records: each of those costs it some 10 µs.

A histogram's record is a `Bulk`: a number, their sum, that carries the buckets it is made of. The SDK takes it like any
other, with its readers, temporalities and bounds; only its last step, `_Aggregated`, knows what it is. Whoever makes
the meter passes it `VIEWS`, for that step to be ours.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

from opentelemetry.metrics import Counter, Histogram
from opentelemetry.sdk.metrics import Histogram as SdkHistogram
from opentelemetry.sdk.metrics._internal.aggregation import _ExplicitBucketHistogramAggregation
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

from wiretape.telemetry.attributes import Attributes
from wiretape.telemetry.exemplars import Seen

_FEW: Final = 8
"""Values that are counted one by one sooner than cut at each bound."""


class Bulk(float):
    """The sum of many values, with their buckets."""

    buckets: Sequence[int]
    least: float
    most: float
    examples: Sequence[Seen]

    @classmethod
    def of(cls, total: float, buckets: Sequence[int], least: float, most: float, examples: Sequence[Seen] = ()) -> Self:
        """Make one; `buckets` are counts by the histogram's own bounds, `examples` at most one for each."""
        bulk = cls(total)
        bulk.buckets, bulk.least, bulk.most, bulk.examples = buckets, least, most, examples
        return bulk


class Spread:
    """Values of one histogram and one set of attributes, added up until they are taken."""

    __slots__ = ("_attributes", "_bounds", "_buckets", "_examples", "_histogram", "_least", "_most", "_total")

    def __init__(self, histogram: Histogram, bounds: Sequence[float], attributes: Attributes) -> None:
        self._histogram = histogram
        self._bounds = bounds
        self._attributes = attributes
        self._buckets = [0] * (len(bounds) + 1)
        self._examples: dict[int, Seen] = {}
        self._total, self._least, self._most = 0.0, math.inf, -math.inf

    def add(self, value: float, where: tuple[int, int, int] | None = None) -> None:
        """Count a value; `where` it was seen is (Unix ns, trace id, span id), and the last counts for its bucket."""
        bucket = bisect_left(self._bounds, value)
        self._buckets[bucket] += 1
        if where is not None:
            self._examples[bucket] = Seen(value, *where)
        self._total += value
        # Compared here: calls of min and max cost as much as all else.
        if value < self._least:  # noqa: PLR1730  as above
            self._least = value
        if value > self._most:  # noqa: PLR1730  as above
            self._most = value

    def add_all(self, values: Iterable[float]) -> None:
        """Count many, or a few."""
        ordered = sorted(values)
        if len(ordered) > _FEW:
            self._add_ordered(ordered)
        else:
            for value in ordered:
                self.add(value)

    def _add_ordered(self, ordered: list[float]) -> None:
        """Values in order are cut at each bound, which costs a tenth of looking for the place of each."""
        ends = [*(bisect_right(ordered, bound) for bound in self._bounds), len(ordered)]
        counts = map(int.__sub__, ends, (0, *ends))
        self._buckets = [*map(int.__add__, self._buckets, counts)]
        self._total += sum(ordered)
        self._least, self._most = min(self._least, ordered[0]), max(self._most, ordered[-1])

    def add_counted(self, values: Iterable[tuple[float, int]]) -> None:
        """Count some, each as often as it is said."""
        for value, count in values:
            self._buckets[bisect_left(self._bounds, value)] += count
            self._total += value * count
            self._least, self._most = min(self._least, value), max(self._most, value)

    def hand_over(self) -> None:
        """Record what was counted, and begin anew."""
        if self._most >= 0:
            examples = tuple(self._examples.values())
            bulk = Bulk.of(self._total, self._buckets, self._least, self._most, examples)
            self._histogram.record(bulk, self._attributes)
            self._reset()

    def _reset(self) -> None:
        self._buckets = [0] * (len(self._bounds) + 1)
        self._examples = {}
        self._total, self._least, self._most = 0.0, math.inf, -math.inf


class Count:
    """One counter and one set of attributes, added up until they are taken."""

    __slots__ = ("_attributes", "_counter", "_told", "_total")

    def __init__(self, counter: Counter, attributes: Attributes) -> None:
        self._counter = counter
        self._attributes = attributes
        self._total: float = 0
        self._told = False

    def add(self, amount: float) -> None:
        """Count some."""
        self._total += amount

    def hand_over(self) -> None:
        """Add what was counted, and begin anew; once a zero too, so that its first count is a rise, no beginning."""
        if self._total or not self._told:
            self._counter.add(self._total, self._attributes)
            self._total, self._told = 0, True


class _Aggregated(_ExplicitBucketHistogramAggregation):
    """The SDK's buckets, to which a `Bulk` adds its own."""

    _value: Any  # the SDK's annotations of these are too narrow
    _sum: Any
    _min: float
    _max: float

    def aggregate(self, measurement: Any, should_sample_exemplar: bool = True) -> None:  # noqa: ANN401  as the SDK has it
        """Add a value, or many at once."""
        value = measurement.value
        if type(value) is not Bulk:
            super().aggregate(measurement, should_sample_exemplar)
            return
        with self._lock:
            buckets = self._value or self._get_empty_bucket_counts()
            self._value = [one + more for one, more in zip(buckets, value.buckets, strict=True)]
            self._sum += value
            self._min, self._max = min(self._min, value.least), max(self._max, value.most)
        for seen in value.examples:
            self._reservoir.offer(seen.value, seen.at_ns, measurement.attributes, seen.context())


class _Aggregation(ExplicitBucketHistogramAggregation):
    """Makes the SDK's own, and then ours of it: same state, one more way to add to it."""

    def _create_aggregation(self, *words: Any, **options: Any) -> Any:  # noqa: ANN401  as the SDK has it
        made = super()._create_aggregation(*words, **options)
        made.__class__ = _Aggregated
        return made


BULK_AGGREGATION: Final = _Aggregation()
"""What a histogram's view must have."""
VIEWS: Final = (View(instrument_type=SdkHistogram, aggregation=BULK_AGGREGATION),)
"""For a meter's provider that sets no bounds."""

Tally = Spread | Count
