"""Many lengths as counts in narrow bins: of bounded size, and mergeable, so that parts of a whole add up to it.

The bins are log-linear, as HdrHistogram's: each doubling is cut into 64 of equal width. So whatever a bin stands for is
told to within 1/128 (0.8 %), and lengths below 128 ns exactly. The bin of a length is the upper part of its bits as a
single-precision number: its exponent, and six bits of what follows. Up to 2⁴⁵ ns (9.8 hours; what is longer counts as
that long) there are 2,881 bins. Merging is adding counts: it is associative and commutative, and loses nothing. Single
lengths and their order are not kept.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

PARTS = 64
"""Bins of a doubling."""
ERROR = 1 / (2 * PARTS) + 1e-6
"""How far what a bin tells may be from a length in it, as a part of that; the last is rounding to single precision."""
LAST = 45 * PARTS
"""The bin of the longest lengths; 0 is that of lengths that are none."""
_ONE = (127 << 6) - 1
_SIGN = 1 << 15
_UPPER = slice(int(sys.byteorder == "little"), None, 2)
_FORM = 1
_MORE, _SEVEN = 0x80, 0x7F


class Sketch(Struct):
    """Counts by bin."""

    counts: dict[int, int] = {}

    def add_all(self, lengths: Sequence[int]) -> None:
        """More lengths, in ns. No Python runs for each of them: they are many."""
        halves = memoryview(array("f", lengths)).cast("B").cast("H")[_UPPER]
        for half, count in Counter(halves.tolist()).items():
            place = min(max((half >> 1) - _ONE, 0), LAST) if half < _SIGN else 0
            self.counts[place] = self.counts.get(place, 0) + count

    @property
    def count(self) -> int:
        """How many lengths there were."""
        return sum(self.counts.values())

    def merged(self, other: Sketch) -> Sketch:
        """Both together, as a new one."""
        both = dict(self.counts)
        for place, count in other.counts.items():
            both[place] = both.get(place, 0) + count
        return Sketch(both)

    def lengths(self) -> Iterator[tuple[int, int]]:
        """Each length that a bin stands for, its middle, with how often it occurred; ascending."""
        return ((_middle(place), count) for place, count in sorted(self.counts.items()))

    def quantile(self, percent: int) -> int | None:
        """The nearest rank's length, as `runs.quantile` tells it of all lengths but to within `ERROR` of it."""
        rank = -(-percent * self.count // 100)
        for length, count in self.lengths():
            rank -= count
            if rank <= 0:
                return length
        return None

    def pack(self) -> bytes:
        """As bytes: a number for the form, then for each bin in order its distance to the one before, and its count.

        All are unsigned LEB128: two or three bytes for a bin.
        """
        places = sorted(self.counts)
        pairs = ((place - before, self.counts[place]) for place, before in zip(places, [0, *places], strict=False))
        return bytes((_FORM, *(byte for pair in pairs for number in pair for byte in _leb128(number))))

    @classmethod
    def unpack(cls, data: bytes) -> Sketch:
        """The sketch that `pack` gave these bytes of; raises ValueError for any others."""
        numbers = list(_numbers(data[1:]))
        if data[:1] != bytes((_FORM,)) or len(numbers) % 2:
            raise ValueError("These bytes are no packed sketch.")
        counts, place = {}, 0
        for step, count in zip(numbers[::2], numbers[1::2], strict=True):
            place += step
            counts[place] = count
        if place > LAST:
            raise ValueError("These bytes have a bin beyond the last.")
        return cls(counts)


def _middle(place: int) -> int:
    """Of the whole numbers in the bin; below 128 there is one."""
    if not place:
        return 0
    power, part = divmod(place - 1, PARTS)
    return ((PARTS + part) << power) // PARTS + ((1 << power) // PARTS >> 1)


def _leb128(number: int) -> Iterator[int]:
    while number > _SEVEN:
        yield number & _SEVEN | _MORE
        number >>= 7
    yield number


def _numbers(data: Iterable[int]) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & _SEVEN) << shift
        shift += 7
        if byte < _MORE:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("These bytes end within a number.")
