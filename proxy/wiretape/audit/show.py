"""A report for people: a table in a terminal, aligned text elsewhere; and JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from wiretape.audit.report import Group, Percentiles, Report

COLUMNS: Final = ("runs", "outcomes", "in", "cached", "out", "reasoning", "first event", "first token", "duration")
_LEFT: Final = frozenset({0, 2})
_NOTE: Final = "Times are p50 / p90 / p99 in ms, by nearest rank."


def as_text(report: Report, *, terminal: bool) -> str:
    """The report as a table: drawn and coloured for a terminal, else aligned words."""
    if not report.total.runs:
        return f"The ledger {report.ledger} holds no runs yet: send some through the proxy.\n"
    rows = [_cells(group) for group in (*report.groups, report.total)]
    body = _drawn(report, rows) if terminal else _aligned([(report.by, *COLUMNS), *rows])
    return body + "\n".join((*_notes(report), ""))


def as_json(report: Report) -> bytes:
    """The report's fields as JSON, indented; keys as documented on `Report`."""
    return msgspec.json.format(msgspec.json.encode(report)) + b"\n"


def _notes(report: Report) -> Iterator[str]:
    total = report.total
    yield _NOTE
    if total.tokens.unknown_runs:
        yield f"{total.tokens.unknown_runs} of {total.runs} runs have no known tokens; the sums leave them out."
    if total.foreign:
        yield f"{total.foreign} of {total.runs} runs were created elsewhere; only what was seen in passing is known."


def _cells(group: Group) -> tuple[str, ...]:
    tokens = group.tokens
    return (
        _printable(group.key if group.name is None else f"{group.name} ({group.key})"),
        str(group.runs),
        " ".join(f"{_printable(outcome)}:{count}" for outcome, count in group.outcomes.items()),
        *(f"{count:,}" for count in (tokens.input, tokens.cached, tokens.output, tokens.reasoning)),
        *(_times(times) for times in (group.first_event_ms, group.first_token_ms, group.duration_ms)),
    )


def _times(times: Percentiles | None) -> str:
    return "-" if times is None else " / ".join(f"{time:,.1f}" for time in (times.p50, times.p90, times.p99))


def _printable(text: str) -> str:
    """Names came over the wire: they must not steer the terminal."""
    return text if text.isprintable() else ascii(text)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(f"{'  '.join(_padded(row, widths)).rstrip()}\n" for row in rows)


def _padded(row: Iterable[str], widths: Sequence[int]) -> Iterator[str]:
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.ljust(width) if place in _LEFT else cell.rjust(width)


def _drawn(report: Report, rows: Sequence[Sequence[str]]) -> str:
    from rich.console import Console  # noqa: PLC0415 - 70 ms, for a terminal alone
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table()
    for place, name in enumerate((report.by, *COLUMNS)):
        table.add_column(name, justify="left" if place in _LEFT else "right")
    for row in rows[:-1]:
        table.add_row(*map(Text, row))
    table.add_section()
    table.add_row(*map(Text, rows[-1]), style="bold")
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()
