from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.runs.quantile import quantile


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([7], 1, 7),
        ([3, 1, 2], 50, 2),
        ([1, 2, 3, 4], 50, 2),
        (range(1, 101), 99, 99),
        (range(1, 101), 100, 100),
        (range(1, 11), 90, 9),
    ],
)
def test_nearest_rank(values: list[int], percent: int, expected: int | None) -> None:
    assert quantile(values, percent) == expected


@given(st.lists(st.integers(), min_size=1), st.integers(1, 100))
def test_it_is_the_smallest_value_that_enough_do_not_exceed(values: list[int], percent: int) -> None:
    found = quantile(values, percent)
    assert found in values

    def enough(bound: int) -> bool:
        return 100 * sum(value <= bound for value in values) >= percent * len(values)

    assert enough(found)
    assert not any(enough(value) for value in values if value < found)
