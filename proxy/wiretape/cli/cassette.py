"""`wiretape cassette`: look after recordings."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from wiretape import __version__
from wiretape.cassette.convert import vcr
from wiretape.cassette.show import Summary
from wiretape.cassette.show import show as lines_of
from wiretape.edge.store import journal_path, listing, load, seal_journal, stem_of, tape_path, write_tape
from wiretape.errors import CassetteError, ImportRefused

FORMATS = {"vcr": vcr.read}

dir_option = click.option(
    "--cassette-dir",
    envvar="WIRETAPE_CASSETTE_DIR",
    type=click.Path(path_type=Path),
    default=Path("cassettes"),
    show_default=True,
    help="Where a bare cassette name lies",
)


@click.group()
def cassette() -> None:
    """Look after recordings."""


@cassette.command(name="ls")
@dir_option
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
@dir_option
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


@cassette.command(name="import")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("name", required=False)
@dir_option
@click.option("--format", "kind", type=click.Choice(list(FORMATS)), default="vcr", show_default=True)
def import_command(source: Path, name: str | None, cassette_dir: Path, kind: str) -> None:
    """Make a cassette of another tool's recording; VCR.py YAML needs the extra `yaml`.

    \b
    Example:
      wiretape cassette import tests/cassettes/test_run.yaml old-run
    """  # noqa: D301  as above
    path = tape_path(stem_of(name or source.stem, cassette_dir))
    if path.exists():
        raise CassetteError(f"{path} is there already: give another NAME, or remove it first")
    tape = FORMATS[kind](_text(source), f"wiretape {__version__}, imported from {source.name}")
    sealed = write_tape(tape, path)
    for note in tape.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{sealed.interactions} interactions in {sealed.path}")


@cassette.command()
@click.argument("name")
@dir_option
def seal(name: str, cassette_dir: Path) -> None:
    """Seal the journal that a crash left behind.

    \b
    Example:
      wiretape cassette seal talk
    """  # noqa: D301  as above
    sealed = seal_journal(stem_of(name, cassette_dir))
    click.echo(f"{sealed.interactions} interactions in {sealed.path}, {sealed.incomplete} incomplete")


def _text(source: Path) -> str:
    try:
        return source.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ImportRefused(f"{source} cannot be read as UTF-8 text") from error


def _rows(found: list[Summary]) -> list[str]:
    cells = [("cassette", "interactions", "bytes", "recorded", "state"), *map(_cells, found)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _cells(one: Summary) -> tuple[str, ...]:
    state = one.problem or ("sealed" if one.sealed else "journal") + (
        f", {one.incomplete} cut" if one.incomplete else ""
    )
    return one.name, str(one.interactions), str(one.bytes), one.recorded or "unknown", state
