"""The one meaning of a percentile, in spans and in reports: the nearest rank."""

from __future__ import annotations

from collections.abc import Iterable


def quantile(values: Iterable[int], percent: int) -> int | None:
    """The smallest value that at least `percent` (1 to 100) per cent of all values do not exceed.

    Always one of the values, never between two; none where there are none.
    """
    ordered = sorted(values)
    rank = -(-percent * len(ordered) // 100)
    return ordered[rank - 1] if ordered else None
