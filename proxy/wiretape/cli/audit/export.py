"""`wiretape audit export`: closed hours of the ledger as files for other programs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from msgspec import Struct

from wiretape.cli.audit.options import duration_us, ledger_option, moment_us, now_us
from wiretape.cli.options import echo_json, json_option
from wiretape.edge.files import replacing
from wiretape.errors import UsageError
from wiretape.ledger.export import Part, as_csv, as_jsonl, parts
from wiretape.ledger.options import parse_ledger_url
from wiretape.ledger.parquet import write_parquet
from wiretape.ledger.reader import reading
from wiretape.ledger.rows import Row

Form = Callable[[Part, Iterable[Row]], Iterator[bytes]]


class _File(Struct, frozen=True):
    """A file that was written."""

    path: str
    table: str
    rows: int


@click.command(name="export")
@ledger_option
@click.option("--format", "kind", type=click.Choice(["parquet", "csv", "jsonl"]), default="parquet", show_default=True)
@click.option("--into", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@click.option("--since", help="Only hours that begin on this day or at this time (UTC), or later")
@click.option("--settle", default="1h", show_default=True, help="How long after its end an hour is taken as closed")
@json_option
def export_command(  # noqa: PLR0913  one argument for each option
    *, ledger: str, kind: str, folder: Path, since: str | None, settle: str, as_program: bool
) -> None:
    """Write one file for each table and closed hour (UTC), `DIR/run/2026-11-25T13Z.parquet`, and one of all prices.

    Each is written whole and then put in its place. Doing it again writes the same files again, and those of the
    hours that have closed meanwhile. Parquet needs the extra `parquet`.

    \b
    Example:
      wiretape audit export --into lake --since 2026-11-01
    """  # noqa: D301  \b keeps click from folding the lines
    since_us, before_us = 0 if since is None else moment_us(since), now_us() - duration_us(settle)
    with reading(parse_ledger_url(ledger)) as connection:
        found = [_written(connection, part, folder, kind) for part in parts(connection, since_us, before_us)]
    if as_program:
        echo_json(found)
        return
    for file in found:
        click.echo(f"{file.path}: {file.rows} rows")


def _written(connection: sqlite3.Connection, part: Part, folder: Path, kind: str) -> _File:
    path, counted = folder / f"{part.name}.{kind}", _Counted(part.rows(connection))
    try:
        with replacing(path) as file:
            file.writelines(_FORMS[kind](part, counted))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return _File(str(path), part.table, counted.count)


class _Counted:
    """Rows on their way, counted."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _as_parquet(part: Part, rows: Iterable[Row]) -> Iterator[bytes]:
    with TemporaryDirectory(prefix="wiretape-") as made:
        lines, target = Path(made) / "rows.jsonl", Path(made) / "rows.parquet"
        with lines.open("wb") as file:
            file.writelines(as_jsonl(part, rows))
        write_parquet(lines, target, part.columns)
        yield target.read_bytes()


_FORMS: dict[str, Form] = {"parquet": _as_parquet, "csv": as_csv, "jsonl": as_jsonl}
