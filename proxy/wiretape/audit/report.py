"""What the ledger says of its runs, by assistant or by model: outcomes, tokens, times."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from wiretape.ledger.reader import reading
from wiretape.runs.quantile import quantile

By = Literal["assistant", "model"]

UNKNOWN: Final = "unknown"
"""The key of runs whose assistant or model nobody saw."""

_KEYS: Final[dict[By, tuple[str, str]]] = {
    "assistant": ("assistant_id", "assistant_name"),
    "model": ("coalesce(model, model_requested)", "NULL"),
}
"""What runs are grouped by, and the name they are shown under where one is known."""


class Percentiles(Struct, frozen=True):
    """Milliseconds, by nearest rank: each is the time of one of the runs, never between two."""

    p50: float
    p90: float
    p99: float
    runs: int
    """Runs that have this time."""


class Tokens(Struct, frozen=True):
    """Sums over the runs whose usage is known; `cached` is part of `input`, `reasoning` is part of `output`."""

    input: int
    cached: int
    output: int
    reasoning: int
    unknown_runs: int
    """Runs without usage; they are not counted as 0."""


class Group(Struct, frozen=True, kw_only=True):
    """Runs of one assistant or model, or all of them."""

    key: str
    """Assistant id, model, `unknown`, or `total`."""
    name: str | None
    runs: int
    foreign: int
    """Runs created through another process or before the ledger; part of `runs`."""
    outcomes: dict[str, int]
    """Runs by outcome, in the order of the alphabet."""
    tokens: Tokens
    first_event_ms: Percentiles | None
    first_token_ms: Percentiles | None
    duration_ms: Percentiles | None


class Report(Struct, frozen=True, kw_only=True):
    """The groups, most runs first, and their total. Its JSON form is these fields, and only gains new ones."""

    ledger: str
    by: By
    groups: tuple[Group, ...]
    total: Group


class _Line(Struct, frozen=True):
    """The columns of one run that the report is made of."""

    key: str
    name: str | None
    is_foreign: int
    outcome: str
    input: int | None
    cached: int | None
    output: int | None
    reasoning: int | None
    first_event_us: int | None
    first_token_us: int | None
    duration_us: int | None


def report(path: Path, by: By = "assistant") -> Report:
    """Read the whole ledger and group its runs; raises LedgerError when it cannot be read."""
    lines = _lines(path, by)
    groups: dict[str, list[_Line]] = defaultdict(list)
    for line in lines:
        groups[line.key].append(line)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return Report(
        ledger=str(path),
        by=by,
        groups=tuple(_group(key, found) for key, found in ordered),
        total=_group("total", lines),
    )


def _lines(path: Path, by: By) -> list[_Line]:
    key, name = _KEYS[by]
    # An assistant's newest name comes last, and is the one shown.
    query = f"""
        SELECT coalesce({key}, '{UNKNOWN}'), {name}, is_foreign, outcome,
            input_tokens, cached_tokens, output_tokens, reasoning_tokens,
            first_event_us, first_token_us, duration_us
        FROM corrected ORDER BY created_us, upstream, run_id
    """  # noqa: S608 - the words are ours
    with reading(path) as connection:
        return [_Line(*row) for row in connection.execute(query)]


def _group(key: str, lines: list[_Line]) -> Group:
    names = [line.name for line in lines if line.name is not None]
    return Group(
        key=key,
        name=names[-1] if names and key != "total" else None,
        runs=len(lines),
        foreign=sum(line.is_foreign for line in lines),
        outcomes=dict(sorted(Counter(line.outcome for line in lines).items())),
        tokens=_tokens(lines),
        first_event_ms=_percentiles(line.first_event_us for line in lines),
        first_token_ms=_percentiles(line.first_token_us for line in lines),
        duration_ms=_percentiles(line.duration_us for line in lines),
    )


def _tokens(lines: list[_Line]) -> Tokens:
    return Tokens(
        input=sum(line.input or 0 for line in lines),
        cached=sum(line.cached or 0 for line in lines),
        output=sum(line.output or 0 for line in lines),
        reasoning=sum(line.reasoning or 0 for line in lines),
        unknown_runs=sum(line.input is None for line in lines),
    )


def _percentiles(lengths_us: Iterable[int | None]) -> Percentiles | None:
    known = sorted(length for length in lengths_us if length is not None)
    p50, p90, p99 = (quantile(known, percent) for percent in (50, 90, 99))
    if p50 is None or p90 is None or p99 is None:
        return None
    return Percentiles(p50 / 1000, p90 / 1000, p99 / 1000, len(known))
