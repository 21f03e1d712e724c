"""The relay's tables, one for each work, and what is to be said below them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from contenders import ALL
from figures import (
    LOAD_BOUND,
    NOTHING,
    Samples,
    added,
    core_share,
    cpu_us_event,
    cpu_us_request,
    events_s,
    mib_s,
    middle,
    of,
    paired,
    requests_s,
    spread,
)
from relay import DISTURBED, Found, Sample
from work import PACED_500, Plan, Work

Row = dict[str, Any]


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Write rows that have the same columns."""
    yield "| " + " | ".join(rows[0]) + " |"
    yield "| " + " | ".join("---" for _ in rows[0]) + " |"
    yield from ("| " + " | ".join(map(str, row.values())) + " |" for row in rows)


def sections(plan: Plan, found: Found) -> Iterator[str]:
    """Write a section for each work."""
    for work in plan.work:
        rows = found.samples[work.name]
        yield f"### {work.title[0].upper()}{work.title[1:]}\n"
        yield from table([_row(work, name, rows) for name in _in_order(rows)])
        yield from _notes(rows)
        yield ""


def _in_order(rows: Mapping[str, Samples]) -> list[str]:
    return [one.name for one in ALL if rows.get(one.name)]


def _row(work: Work, name: str, rows: Mapping[str, Samples]) -> Row:
    samples = rows[name]
    row = {"contender": name} | _of_kind(work, samples, rows)
    if all(not sample.load.requests for sample in samples.values()):
        row = dict.fromkeys(row, NOTHING) | {"contender": name}
    peak = max(sample.peak_mib for sample in samples.values())
    before = next(iter(samples.values())).before_mib
    row |= {"core": f"{middle(samples, core_share):.0%}", "RSS before, peak MiB": f"{before:.0f}, {peak:.0f}"}
    return row | {"failed": sum(sample.failed for sample in samples.values()), "rounds": len(samples)}


def _of_kind(work: Work, samples: Samples, rows: Mapping[str, Samples]) -> Row:
    if work.kind == "json":
        return _rates("requests/s", requests_s, samples) | _cpu("request", cpu_us_request, samples, rows)
    if work.kind == "upload":
        size = work.values["bytes"]
        speed = {"MiB/s": f"{middle(samples, lambda one: mib_s(one, size)):,.1f}"}
        return _rates("requests/s", requests_s, samples) | speed | _cpu("request", cpu_us_request, samples, rows)
    cpu = _cpu("event", cpu_us_event, samples, rows)
    if "pace_us" not in work.values:
        return _rates("events/s", events_s, samples) | cpu
    return {"events/s": f"{middle(samples, events_s):,.0f}"} | cpu | _paced(work, samples, rows["direct"])


def _rates(name: str, figure: Callable[[Sample], float], samples: Samples) -> Row:
    return {name: f"{middle(samples, figure):,.0f}", "spread": spread(samples, figure)}


def _cpu(unit: str, figure: Callable[[Sample], float], samples: Samples, rows: Mapping[str, Samples]) -> Row:
    ratio = paired(samples, rows.get("nginx", {}), of(figure))
    return {f"CPU µs/{unit}": f"{middle(samples, figure):,.1f}", "against nginx, paired": ratio or NOTHING}


def _paced(work: Work, samples: Samples, direct: Samples) -> Row:
    """Give the times; for direct as they are, for a proxy what it adds."""
    plain = samples is direct
    first = [_time(samples, direct, figure, plain=plain) for figure in (_first_p50, _first_p99)]
    delay = [_time(samples, direct, figure, plain=plain) for figure in (_delay_p50, _delay_p99)]
    row = {"added to first event p50 / p99 µs": " / ".join(first), "added delay p50 / p99 µs": " / ".join(delay)}
    if work.name != PACED_500:
        return row
    kib = (max(one.peak_mib for one in samples.values()) - next(iter(samples.values())).before_mib) * 1024
    whole = f"{middle(samples, _delay_p50):,.0f} / {middle(samples, _delay_p99):,.0f}"
    return row | {"delay p50 / p99 µs": whole, "KiB/stream": f"{kib / work.connections:.0f}"}


def _time(samples: Samples, direct: Samples, figure: Callable[[Sample], float], *, plain: bool) -> str:
    return f"({middle(samples, figure):,.0f})" if plain else f"{added(samples, direct, figure):,.0f}"


def _first_p50(sample: Sample) -> float:
    return sample.load.first_p50_us


def _first_p99(sample: Sample) -> float:
    return sample.load.first_p99_us


def _delay_p50(sample: Sample) -> float:
    return sample.load.delay_p50_us


def _delay_p99(sample: Sample) -> float:
    return sample.load.delay_p99_us


def _notes(rows: Mapping[str, Samples]) -> Iterator[str]:
    bound = [name for name in _in_order(rows) if middle(rows[name], _load_share) >= LOAD_BOUND]
    if bound:
        at_most = f"over {LOAD_BOUND:.0%} of their core"
        yield f"\n**Upstream and load were the bottleneck** ({at_most}) of: {', '.join(bound)}."
    samples = [sample for of_one in rows.values() for sample in of_one.values()]
    disturbed = sum(sample.others > DISTURBED for sample in samples)
    if disturbed:
        yield f"\nDisturbed by other processes: {disturbed} of {len(samples)} samples."
    for name in _in_order(rows):
        kinds: dict[str, int] = {}
        for sample in rows[name].values():
            kinds |= {kind: kinds.get(kind, 0) + count for kind, count in sample.load.errors.items() if count}
        if kinds:
            yield f"\nFailed, {name}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()) + "."


def _load_share(sample: Sample) -> float:
    return sample.load_share


def quiet(found: Found) -> str:
    """Say how quiet the machine was."""
    samples = [
        one for rows in (*found.samples.values(), found.pairs) for taken in rows.values() for one in taken.values()
    ]
    disturbed = sum(sample.others > DISTURBED for sample in samples)
    advice = " **Most were: write this page again on a quiet machine.**" if disturbed * 2 > len(samples) else ""
    return f"Disturbed by other processes: {disturbed} of {len(samples)} samples.{advice}"


def pairs(found: Found) -> list[Row]:
    """One process and two."""
    return [
        {
            "wiretape": name,
            "requests/s": f"{middle(samples, requests_s):,.0f}",
            "spread": spread(samples, requests_s),
            "CPU µs/request": f"{middle(samples, cpu_us_request):,.1f}",
            "upstream and load, share of their core": f"{middle(samples, _load_share):.0%}",
            "failed": sum(sample.failed for sample in samples.values()),
        }
        for name, samples in found.pairs.items()
        if samples
    ]


def idles(found: Found) -> list[Row]:
    """Idle connections."""
    return [
        {
            "contender": name,
            "held": f"{idle.held:,}",
            "RSS before, after MiB": f"{idle.before_mib:.0f}, {idle.after_mib:.0f}",
            "grown MiB": f"{idle.after_mib - idle.before_mib:.0f}",
            "KiB/connection": f"{(idle.after_mib - idle.before_mib) * 1024 / max(idle.held, 1):.1f}",
            "failed": idle.failed,
        }
        for name, idle in found.idle.items()
    ]


def contenders(found: Found) -> list[Row]:
    """What each is, or why it is not there."""
    return [{"contender": one.name, "set up": _told(found.missing.get(one.name), one.is_told)} for one in ALL]


def _told(missing: str | None, is_told: str) -> str:
    return is_told if missing is None else f"**not measured**: {' '.join(missing.split())}"
