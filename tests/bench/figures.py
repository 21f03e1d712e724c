"""From samples to figures: medians over the rounds, and ratios within them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

from msgspec import Struct
from relay import DISTURBED, Sample

Samples = Mapping[int, Sample]
Figure = Callable[[Sample], float]
LOAD_BOUND = 0.9
NOTHING = "-"
FEWEST = 3
"""Undisturbed rounds that are enough to leave the disturbed ones out."""


def requests_s(sample: Sample) -> float:
    return sample.load.requests / sample.load.wall_s


def events_s(sample: Sample) -> float:
    return sample.load.events / sample.load.wall_s


def mib_s(sample: Sample, size: float) -> float:
    return requests_s(sample) * size / (1 << 20)


def cpu_us_request(sample: Sample) -> float:
    return sample.cpu_s / max(sample.load.requests, 1) * 1e6


def cpu_us_event(sample: Sample) -> float:
    return sample.cpu_s / max(sample.load.events, 1) * 1e6


def core_share(sample: Sample) -> float:
    return sample.cpu_s / sample.load.wall_s


class Ratio(Struct, frozen=True):
    """The median of paired ratios, and the least and the most of them."""

    middle: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.least:.2f} to {self.most:.2f})"


def used(samples: Samples) -> Samples:
    """Leave out the rounds that others disturbed, where enough are left."""
    quiet = {at: sample for at, sample in samples.items() if sample.others <= DISTURBED}
    return quiet if len(quiet) >= min(FEWEST, len(samples)) else samples


def whole(samples: Samples) -> Samples:
    """Leave out the rounds in which an answer was not whole."""
    return {at: sample for at, sample in samples.items() if not sample.failed}


def middle(samples: Samples, figure: Figure) -> float:
    """Take the median over the rounds."""
    return statistics.median(map(figure, used(samples).values()))


def spread(samples: Samples, figure: Figure) -> str:
    """Write the least and the most, as shares of the median."""
    found = [figure(sample) for sample in used(samples).values()]
    centre = statistics.median(found)
    return f"{min(found) / centre:.2f} to {max(found) / centre:.2f}" if centre else NOTHING


def paired(ours: Samples, theirs: Samples, ratio: Callable[[Sample, Sample], float | None]) -> Ratio | None:
    """Compare round by round, as the machine changes between them; None where there is nothing to compare.

    A round in which an answer was not whole is none to compare: failing is cheap.
    """
    ours, theirs = whole(ours), whole(theirs)
    both = used(ours).keys() & used(theirs).keys() or ours.keys() & theirs.keys()
    found = [value for at in sorted(both) if (value := ratio(ours[at], theirs[at])) is not None]
    return Ratio(statistics.median(found), min(found), max(found)) if found else None


def of(figure: Figure) -> Callable[[Sample, Sample], float | None]:
    """Make a ratio of one figure."""
    return lambda ours, theirs: figure(ours) / figure(theirs) if figure(theirs) else None


def added(samples: Samples, direct: Samples, figure: Figure) -> float:
    """Take the median of what a contender adds to the direct way, round by round."""
    both = used(samples).keys() & used(direct).keys() or samples.keys() & direct.keys()
    return statistics.median(figure(samples[at]) - figure(direct[at]) for at in both)
