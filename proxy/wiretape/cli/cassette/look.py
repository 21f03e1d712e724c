"""`wiretape cassette ls` and `show`: what is there, and what it holds."""

from __future__ import annotations

from pathlib import Path

import click

from wiretape.cassette.show import Summary
from wiretape.cassette.show import show as lines_of
from wiretape.cli.cassette.options import aligned, dir_option, echo_json, file_of, json_option
from wiretape.edge.store import listing, load


@click.command(name="ls")
@dir_option
@json_option
def list_command(cassette_dir: Path, *, as_program: bool) -> None:
    """List the cassettes of a folder.

    \b
    Example:
      wiretape cassette ls
    """  # noqa: D301  \b keeps click from folding the lines
    found = list(listing(cassette_dir))
    if as_program:
        echo_json(found)
    elif not found:
        click.echo(f"No cassettes in {cassette_dir}: record one with `wiretape record NAME`.")
    else:
        click.echo(aligned([("cassette", "interactions", "bytes", "recorded", "state"), *map(_cells, found)]))


@click.command()
@click.argument("name")
@dir_option
def show(name: str, cassette_dir: Path) -> None:
    """Show requests, answers, and frames with their times.

    \b
    Example:
      wiretape cassette show text-run
    """  # noqa: D301  as above
    click.echo("\n".join(lines_of(load(file_of(name, cassette_dir)))))


def _cells(one: Summary) -> tuple[str, ...]:
    state = one.problem or ("sealed" if one.sealed else "journal") + (
        f", {one.incomplete} cut" if one.incomplete else ""
    )
    return one.name, str(one.interactions), str(one.bytes), one.recorded or "unknown", state
