"""`wiretape audit purge` and `merge`: rows go, and rows of another ledger come."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec import Struct

from wiretape.cli.audit.opened import opened
from wiretape.cli.audit.options import duration_us, ledger_option, moment_us, now_us, shown
from wiretape.cli.options import echo_json, json_option
from wiretape.errors import UsageError
from wiretape.ledger.join import Joined, join
from wiretape.ledger.options import LedgerOptions, parse_ledger_url
from wiretape.ledger.purge import Removed, give_back, old, purge
from wiretape.ledger.reader import reading

_AT_ONCE = LedgerOptions().retention_batch


class _Purged(Struct, frozen=True):
    """What `purge --json` prints."""

    ledger: str
    before: str
    removed: Removed
    dry_run: bool
    bytes_before: int
    bytes_after: int


class _Merged(Struct, frozen=True):
    """What came of one other ledger."""

    file: str
    tables: list[Joined]


@click.command(name="purge")
@ledger_option
@click.option("--before", help="Remove runs created, and exchanges begun, before this day or time (UTC)")
@click.option("--older-than", help="The same, by their age: 90d, 12h, 30m")
@click.option("--dry-run", is_flag=True, help="Only count what would go")
@json_option
def purge_command(*, ledger: str, before: str | None, older_than: str | None, dry_run: bool, as_program: bool) -> None:
    """Remove old rows, a few at a time, while the proxy may go on writing; the file becomes smaller.

    A run goes with its steps and its corrections. To have it done by the proxy itself, set `audit.retention_days`.

    \b
    Example:
      wiretape audit purge --older-than 90d --dry-run
    """  # noqa: D301  \b keeps click from folding the lines
    path, before_us = parse_ledger_url(ledger), _limit_us(before, older_than)
    size = path.stat().st_size if path.is_file() else 0
    removed = _counted(path, before_us) if dry_run else _purged(path, before_us)
    done = _Purged(ledger, shown(before_us), removed, dry_run, size, path.stat().st_size)
    if as_program:
        echo_json(done)
    else:
        click.echo(_told(done))


@click.command(name="merge")
@click.argument("others", nargs=-1, required=True, metavar="OTHER...", type=click.Path(path_type=Path))
@ledger_option
@json_option
def merge_command(*, others: tuple[Path, ...], ledger: str, as_program: bool) -> None:
    """Write the rows of other ledgers' files into this one.

    Halves of a run that two proxies saw become one row, in whatever order they come, and doing it twice changes
    nothing. A ledger that is not there is made.

    \b
    Example:
      wiretape audit merge replica-a.db replica-b.db --ledger sqlite:///all.db
    """  # noqa: D301  \b keeps click from folding the lines
    path = parse_ledger_url(ledger)
    merged = [_Merged(str(other), _joined(path, other)) for other in others]
    if as_program:
        echo_json({"ledger": ledger, "merged": merged})
        return
    for other in merged:
        said = ", ".join(f"{one.rows} of {one.table} ({one.new} new)" for one in other.tables if one.rows)
        click.echo(f"{other.file}: {said or 'no rows'}")


def _joined(path: Path, other: Path) -> list[Joined]:
    if path.exists() and other.exists() and path.samefile(other):
        raise UsageError(f"{other} is the ledger that it would be merged into: name another file")
    with reading(other) as source, opened(path) as connection:
        return [*join(connection, source)]


def _limit_us(before: str | None, older_than: str | None) -> int:
    if before is not None and older_than is None:
        return moment_us(before)
    if older_than is not None and before is None:
        return max(now_us() - duration_us(older_than), 0)
    raise UsageError("say what is old by one of --before and --older-than")


def _counted(path: Path, before_us: int) -> Removed:
    with reading(path) as connection:
        return old(connection, before_us)


def _purged(path: Path, before_us: int) -> Removed:
    _counted(path, before_us)  # a file that is no ledger, or is not there, is not made one to remove nothing from it
    with opened(path) as connection:
        removed = sum(purge(connection, before_us, _AT_ONCE), Removed())
        give_back(connection)
    return removed


def _told(done: _Purged) -> str:
    what, one = ("would be removed" if done.dry_run else "removed"), done.removed
    counts = f"{one.runs} runs, {one.steps} steps, {one.requests} requests, {one.corrections} corrections"
    sizes = "" if done.dry_run else f"; the file has {done.bytes_after:,} bytes, it had {done.bytes_before:,}"
    return f"{counts} from before {done.before} {what}{sizes}"
