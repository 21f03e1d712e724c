"""The targets, and whether this run met them: medians of paired ratios, with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from contenders import FORWARD, LEDGER, RECORD
from figures import Ratio, Samples, cpu_us_event, cpu_us_request, of, paired, requests_s, used, whole
from msgspec import Struct
from relay import Found, Sample
from work import JSON, PACED_500

NOTICEABLE_US = 5.0
"""Less than this is no added time to compare with."""
Measured = Callable[[str], Ratio | None]


class Target(Struct, frozen=True):
    """One figure and its bounds."""

    title: str
    forwarding: float
    everything: float
    measured: Callable[[Found, str], Ratio | None]
    unit: str = "\N{MULTIPLICATION SIGN}"
    is_floor: bool = False

    def row(self, found: Found, forwarding: str, everything: str) -> dict[str, str]:
        """Write what was measured beside what was wanted."""
        return {
            "figure, one worker": self.title,
            "forwarding": self.cell(self.measured(found, forwarding), self.forwarding),
            "telemetry, ledger and recording on": self.cell(self.measured(found, everything), self.everything),
        }

    def cell(self, ratio: Ratio | None, bound: float) -> str:
        """Write one measured value beside its bound."""
        wanted = f"{'≥' if self.is_floor else '≤'} {bound:g}{self.unit}"
        if ratio is None:
            return f"{wanted}: not measured"
        is_met = ratio.middle >= bound if self.is_floor else ratio.middle <= bound
        return f"{wanted}: {ratio}, {'met' if is_met else '**missed**'}"


def against(work: str, peer: str, figure: Callable[[Sample], float]) -> Callable[[Found, str], Ratio | None]:
    """Compare one figure of one work with a peer's."""
    return lambda found, name: paired(*_both(found, work, name, peer), of(figure))


def _both(found: Found, work: str, name: str, peer: str) -> tuple[Samples, Samples]:
    rows = found.samples[work]
    return rows.get(name, {}), rows.get(peer, {})


def added_first(found: Found, name: str) -> Ratio | None:
    """Compare what is added to the time of a first event with what nginx adds."""
    rows = found.samples[PACED_500]

    def ratio(ours: tuple[Sample, Sample], theirs: tuple[Sample, Sample]) -> float | None:
        by_us, by_them = (one.load.first_p50_us - direct.load.first_p50_us for one, direct in (ours, theirs))
        return by_us / by_them if by_them >= NOTICEABLE_US else None

    all_of = [whole(rows.get(one, {})) for one in (name, "nginx", "direct")]
    quiet = [used(samples) for samples in all_of]
    mine, peers, direct = quiet if set.intersection(*map(set, quiet)) else all_of
    values = [
        ratio((mine[at], direct[at]), (peers[at], direct[at])) for at in mine.keys() & peers.keys() & direct.keys()
    ]
    return _summary([value for value in values if value is not None])


def delay_p99(found: Found, name: str) -> Ratio | None:
    """Give the delay of the slowest hundredth of events, in milliseconds, as it is."""
    samples = used(whole(found.samples[PACED_500].get(name, {}))).values()
    return _summary([sample.load.delay_p99_us / 1000 for sample in samples])


def two_against_one(found: Found, name: str) -> Ratio | None:
    """Compare two processes with one."""
    kind = "forward" if name == FORWARD else "on"
    one, two = (found.pairs.get(f"{kind}, {count}", {}) for count in ("one", "two"))
    return paired(two, one, of(requests_s))


def _summary(values: list[float]) -> Ratio | None:
    return Ratio(statistics.median(values), min(values), max(values)) if values else None


TARGETS = (
    Target("CPU per JSON request against nginx", 4, 7, against(JSON, "nginx", cpu_us_request)),
    Target(
        "CPU per JSON request against a naive aiohttp proxy", 0.33, 0.6, against(JSON, "naive aiohttp", cpu_us_request)
    ),
    Target("requests/s against mitmproxy", 20, 10, against(JSON, "mitmproxy", requests_s), is_floor=True),
    Target("requests/s against LiteLLM", 100, 60, against(JSON, "litellm", requests_s), is_floor=True),
    Target(
        "CPU per SSE event, 500 streams at 20 ms, against nginx", 1.2, 1.5, against(PACED_500, "nginx", cpu_us_event)
    ),
    Target("delay per event p99 at 500 streams, one core", 1, 2, delay_p99, unit=" ms"),
    Target("added time to first event p50 against nginx, 500 streams", 2, 2.5, added_first),
    Target(
        "requests/s of two processes with `--reuse-port` against one (right: without recording)",
        1.75,
        1.7,
        two_against_one,
        is_floor=True,
    ),
)


def rows(found: Found) -> Iterator[dict[str, str]]:
    """Give the table."""
    return (target.row(found, FORWARD, LEDGER if target.measured is two_against_one else RECORD) for target in TARGETS)
