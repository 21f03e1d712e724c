"""What a metric is: its name, how it is fed, what it may carry, and how many series that can make."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum, auto

from msgspec import Struct


class Kind(StrEnum):
    """How an instrument is fed: by calls, or by a callback when it is read."""

    COUNTER = auto()
    HISTOGRAM = auto()
    GAUGE_READ = auto()
    COUNTER_READ = auto()


class Instrument(Struct, frozen=True):
    """One metric."""

    name: str
    kind: Kind
    unit: str
    help: str
    attributes: tuple[str, ...] = ()
    """All that it may carry; never an id."""
    buckets: tuple[float, ...] = ()
    sets_max: int = 0
    """How many attribute sets there can be, where that is known; 0 where others choose what is told apart."""
    weight: int = 1
    """Its part of the sets that are left, beside the other instruments whose sets have no bound of their own."""
    known: tuple[str, ...] = ()
    """All values of its one attribute: they begin at 0, so that the first count of each is a rise and no beginning."""

    def from_the_start(self) -> Iterator[dict[str, str]]:
        """The attributes of all series that are known beforehand."""
        if not self.attributes:
            yield {}
        for value in self.known:
            yield {self.attributes[0]: value}
