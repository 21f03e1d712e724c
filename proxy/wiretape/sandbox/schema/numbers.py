"""Numbers that several schemas allow, as near as can be to what was offered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain

from msgspec import Struct

from wiretape.sandbox.content import Json
from wiretape.sandbox.schema.conformance import is_multiple
from wiretape.sandbox.schema.parts import Parts, number, numbers_at

TRIED_MAX = 100
"""Multiples tried from each bound on."""
WHOLE_MAX = 1 << 63
SIZE_MAX = Fraction(10) ** 300
"""No larger number is made."""
_HALF = Fraction(1, 2)
_BETWEEN = tuple(Fraction(part, 8) for part in (4, 2, 6, 1, 3, 5, 7))

Choose = Callable[[float, float], float]


class Range(Struct, frozen=True):
    """The numbers between bounds, which may be open, that are multiples of some."""

    low: float | None
    high: float | None
    above: float | None
    below: float | None
    steps: tuple[Json, ...]
    whole: bool

    def holds(self, value: float) -> bool:
        """Whether the number is one of these, by its exact value and by its double's."""
        return (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (not self.whole or value == math.floor(value))
            and all(is_multiple(value, step) for step in self.steps)
        )


def numbers(parts: Parts, offered: Iterable[Json], *, whole: bool) -> Iterator[float]:
    """Numbers that the schemas allow: offered ones first, then likely ones, then those next to the bounds."""
    span = Range(
        low=max(numbers_at(parts, "minimum"), default=None),
        high=min(numbers_at(parts, "maximum"), default=None),
        above=max(numbers_at(parts, "exclusiveMinimum"), default=None),
        below=min(numbers_at(parts, "exclusiveMaximum"), default=None),
        steps=tuple(part["multipleOf"] for part in parts if "multipleOf" in part),
        whole=whole,
    )
    given = (found for one in offered if (found := number(one)) is not None)
    return (value for exact in chain(given, _likely(span)) for value in _written(exact) if span.holds(value))


def _likely(span: Range) -> Iterator[Fraction]:
    step = _common_step(span)
    low, high = _tighter(span.low, span.above, max), _tighter(span.high, span.below, min)
    yield from (step, Fraction(1), Fraction(0))
    up = math.ceil((low if low is not None else high or 0) / step) * step
    down = math.floor((high if high is not None else low or 0) / step) * step
    for count in range(TRIED_MAX):
        yield up + count * step
        yield down - count * step
    if not span.whole:
        bottom = low if low is not None else (high or 0) - 1
        top = high if high is not None else bottom + 1
        yield from (bottom + (top - bottom) * part for part in _BETWEEN)


def _tighter(one: float | None, other: float | None, choose: Choose) -> Fraction | None:
    return number(other if one is None else one if other is None else choose(one, other))


def _common_step(span: Range) -> Fraction:
    """The least common multiple of all steps, 1 among them for whole numbers; a half where there are none."""
    exact = [found for one in span.steps if (found := number(one)) is not None and found > 0]
    steps = [*exact, Fraction(1)] if span.whole else exact
    common = steps[0] if steps else _HALF
    for step in steps[1:]:
        over = common.denominator * step.denominator
        common = Fraction(math.lcm(common.numerator * step.denominator, step.numerator * common.denominator), over)
    return common


def _written(exact: Fraction) -> Iterator[float]:
    """The number as JSON can carry it: whole ones without a fraction."""
    if abs(exact) > SIZE_MAX:
        return
    yield int(exact) if exact.denominator == 1 and abs(exact) < WHOLE_MAX else float(exact)
