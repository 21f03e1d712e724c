"""`wiretape cassette`: look after recordings."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from wiretape.cassette.show import Summary
from wiretape.cassette.show import show as lines_of
from wiretape.cli.convert import export_command, import_command
from wiretape.cli.options import cassette_dir_option
from wiretape.edge.store import journal_path, listing, load, seal_journal, stem_of, tape_path


@click.group()
def cassette() -> None:
    """Look after recordings."""


cassette.add_command(import_command)
cassette.add_command(export_command)


@cassette.command(name="ls")
@cassette_dir_option
@click.option("--json", "as_program", is_flag=True, help="JSON for programs")
def list_command(cassette_dir: Path, *, as_program: bool) -> None:
    """List the cassettes of a folder.

    \b
    Example:
      wiretape cassette ls
    """  # noqa: D301  \b keeps click from folding the lines
    found = list(listing(cassette_dir))
    if as_program:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    elif not found:
        click.echo(f"No cassettes in {cassette_dir}: record one with `wiretape record NAME`.")
    else:
        click.echo("\n".join(_rows(found)))


@cassette.command()
@click.argument("name")
@cassette_dir_option
def show(name: str, cassette_dir: Path) -> None:
    """Show requests, answers, and frames with their times.

    \b
    Example:
      wiretape cassette show text-run
    """  # noqa: D301  as above
    stem = stem_of(name, cassette_dir)
    path = tape_path(stem)
    click.echo(
        "\n".join(lines_of(load(path if path.exists() or not journal_path(stem).exists() else journal_path(stem))))
    )


@cassette.command()
@click.argument("name")
@cassette_dir_option
def seal(name: str, cassette_dir: Path) -> None:
    """Seal the journal that a crash left behind.

    \b
    Example:
      wiretape cassette seal talk
    """  # noqa: D301  as above
    sealed = seal_journal(stem_of(name, cassette_dir))
    click.echo(f"{sealed.interactions} interactions in {sealed.path}, {sealed.incomplete} incomplete")


def _rows(found: list[Summary]) -> list[str]:
    cells = [("cassette", "interactions", "bytes", "recorded", "state"), *map(_cells, found)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _cells(one: Summary) -> tuple[str, ...]:
    state = one.problem or ("sealed" if one.sealed else "journal") + (
        f", {one.incomplete} cut" if one.incomplete else ""
    )
    return one.name, str(one.interactions), str(one.bytes), one.recorded or "unknown", state
