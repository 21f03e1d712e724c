"""A report for people: a table in a terminal, aligned text elsewhere; and JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from wiretape.audit.report import Group, Percentiles, Report

COUNTS: Final = ("runs", "outcomes", "in", "cached", "out", "reasoning")
TIMES: Final = ("first event", "first token", "duration")
_LEFT: Final = frozenset({"outcomes"})
_NOTE: Final = "Times are p50 / p90 / p99 in ms, by nearest rank."
_WHOLE_MS: Final = 100

Rows = Sequence[Sequence[str]]


def as_text(report: Report, *, terminal: bool) -> str:
    """The report as two tables, counts and times, that fit 80 columns: drawn for a terminal, else aligned words."""
    if not report.total.runs:
        return f"The ledger {report.ledger} holds no runs yet: send some through the proxy.\n"
    groups = (*report.groups, report.total)
    labels = _labels(report.groups)
    draw = _drawn if terminal else _aligned
    counts = draw((report.by, *COUNTS), [(label, *_counts(group)) for label, group in zip(labels, groups, strict=True)])
    times = draw((report.by, *TIMES), [(label, *_lengths(group)) for label, group in zip(labels, groups, strict=True)])
    return "\n".join((counts, times + _NOTE, *_notes(report), ""))


def as_json(report: Report) -> bytes:
    """The report's fields as JSON, indented; keys as documented on `Report`."""
    return msgspec.json.format(msgspec.json.encode(report)) + b"\n"


def _notes(report: Report) -> Iterator[str]:
    total = report.total
    if total.tokens.unknown_runs:
        yield f"{total.tokens.unknown_runs} of {total.runs} runs have no known tokens; the sums leave them out."
    if total.foreign:
        yield f"{total.foreign} of {total.runs} runs were created elsewhere; only what was seen in passing is known."


def _labels(groups: Sequence[Group]) -> list[str]:
    """Names where they tell the groups apart, with the id where they do not."""
    names = Counter(group.name for group in groups)
    return [*(_printable(_label(group, alone=names[group.name] == 1)) for group in groups), "total"]


def _label(group: Group, *, alone: bool) -> str:
    if group.name is None:
        return group.key
    return group.name if alone else f"{group.name} ({group.key})"


def _counts(group: Group) -> tuple[str, ...]:
    tokens = group.tokens
    outcomes = " ".join(f"{_printable(outcome)}:{count}" for outcome, count in group.outcomes.items())
    sums = (tokens.input, tokens.cached, tokens.output, tokens.reasoning)
    return str(group.runs), outcomes, *(f"{count:,}" for count in sums)


def _lengths(group: Group) -> tuple[str, ...]:
    return tuple(map(_times, (group.first_event_ms, group.first_token_ms, group.duration_ms)))


def _times(times: Percentiles | None) -> str:
    return "-" if times is None else " / ".join(map(_ms, (times.p50, times.p90, times.p99)))


def _ms(time: float) -> str:
    return f"{time:,.0f}" if time >= _WHOLE_MS else f"{time:.1f}"


def _printable(text: str) -> str:
    """Names came over the wire: they must not steer the terminal."""
    return text if text.isprintable() else ascii(text)


def _aligned(columns: Sequence[str], rows: Rows) -> str:
    lines = [columns, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(f"{'  '.join(_padded(columns, line, widths)).rstrip()}\n" for line in lines)


def _padded(columns: Sequence[str], line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for place, (cell, width) in enumerate(zip(line, widths, strict=True)):
        yield cell.ljust(width) if _is_left(columns, place) else cell.rjust(width)


def _is_left(columns: Sequence[str], place: int) -> bool:
    return place == 0 or columns[place] in _LEFT


def _drawn(columns: Sequence[str], rows: Rows) -> str:
    from rich.console import Console  # noqa: PLC0415 - 70 ms, for a terminal alone
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table()
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if _is_left(columns, place) else "right")
    for row in rows[:-1]:
        table.add_row(*map(Text, row))
    table.add_section()
    table.add_row(*map(Text, rows[-1]), style="bold")
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()
