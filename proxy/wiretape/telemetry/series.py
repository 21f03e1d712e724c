"""How many attribute sets each metric may have, so that all of `/metrics` stays within its bound.

A histogram's set is a series for each bucket, one more for what is beyond the last, and its count and sum. What is
beyond an instrument's share becomes its one overflow set (`otel.metric.overflow`).
"""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.metrics.view import DefaultAggregation, View

from wiretape.telemetry.instrument import Instrument, Kind
from wiretape.telemetry.tally import BULK_AGGREGATION

_TARGET_INFO = 1
"""The exporter's own series, about the resource."""
_COUNT_AND_SUM = 2


def width(instrument: Instrument) -> int:
    """Series of one attribute set."""
    return len(instrument.buckets) + 1 + _COUNT_AND_SUM if instrument.kind is Kind.HISTOGRAM else 1


def limits(instruments: Sequence[Instrument], series_max: int) -> dict[str, int]:
    """Attribute sets of each instrument, by name; at least one. Each may have its overflow set besides.

    Those that can only have a few get them; what is left is shared by weight. Below some 600 it is more than there is.
    """
    few = sum(width(one) * (one.sets_max + (one.sets_max > 1)) for one in instruments)
    many = [one for one in instruments if not one.sets_max]
    left = series_max - _TARGET_INFO - few - sum(map(width, many))
    unit = left / max(1, sum(width(one) * one.weight for one in many))
    return {one.name: one.sets_max or max(1, int(unit * one.weight)) for one in instruments}


def views(instruments: Sequence[Instrument], series_max: int) -> list[View]:
    """For the meter's provider, in place of `tally.VIEWS`."""
    return [_view(one, most) for one, most in zip(instruments, limits(instruments, series_max).values(), strict=True)]


def _view(instrument: Instrument, sets_max: int) -> View:
    aggregation = BULK_AGGREGATION if instrument.kind is Kind.HISTOGRAM else DefaultAggregation()
    return View(instrument_name=instrument.name, aggregation=aggregation, aggregation_cardinality_limit=sets_max)
