from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.streams import sketch
from wiretape.runs.quantile import quantile
from wiretape.runs.sketch import ERROR, LAST, Sketch

LONGEST = 2**45 - 1
LENGTHS = st.lists(st.integers(0, 300) | st.integers(0, LONGEST), max_size=30)


@given(LENGTHS, LENGTHS, LENGTHS)
def test_parts_add_up_to_the_whole_however_they_are_merged(one: list[int], two: list[int], three: list[int]) -> None:
    first, second, third = sketch(*one), sketch(*two), sketch(*three)
    whole = sketch(*one, *two, *three)
    assert first.merged(second).merged(third) == first.merged(second.merged(third)) == whole
    assert second.merged(first) == first.merged(second)
    assert first.merged(Sketch()) == first == sketch(*one)
    assert whole.count == len(one) + len(two) + len(three)


@given(LENGTHS, st.integers(1, 100))
def test_a_quantile_is_that_of_all_lengths_to_within_the_error(lengths: list[int], percent: int) -> None:
    told, exact = sketch(*lengths).quantile(percent), quantile(lengths, percent)
    if exact is None or told is None:
        assert told is exact is None
    else:
        assert abs(told - exact) <= ERROR * exact


def test_short_lengths_are_told_exactly_and_zero_is_one() -> None:
    assert list(sketch(*range(128)).lengths()) == [(length, 1) for length in range(128)]


@pytest.mark.parametrize("length", [LONGEST, LONGEST + 1, 2**60])
def test_what_is_longer_than_the_longest_counts_as_that_long(length: int) -> None:
    assert sketch(length).counts == {LAST: 1}


def test_a_length_below_zero_counts_as_none() -> None:
    assert sketch(-5).counts == {0: 1}


@given(LENGTHS)
def test_what_is_packed_is_unpacked(lengths: list[int]) -> None:
    packed = sketch(*lengths).pack()
    assert Sketch.unpack(packed) == sketch(*lengths)
    assert len(packed) <= 1 + 3 * len(set(lengths))


@given(st.binary(max_size=12))
def test_other_bytes_are_refused_or_are_a_sketch_within_its_bounds(data: bytes) -> None:
    try:
        told = Sketch.unpack(data)
    except ValueError:
        return
    assert all(0 <= place <= LAST for place in told.counts)


@pytest.mark.parametrize("data", [b"", b"\2", b"\1\1", b"\1\x80", b"\1\xff\xff\x7f\1"])
def test_bytes_that_are_no_sketch_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="These bytes"):
        Sketch.unpack(data)
