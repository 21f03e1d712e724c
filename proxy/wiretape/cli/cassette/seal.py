"""`wiretape cassette seal`: what a crash left behind becomes a cassette."""

from __future__ import annotations

from pathlib import Path

import click

from wiretape.cli.cassette.options import dir_option, echo_json, json_option
from wiretape.edge.store import seal_journal, stem_of


@click.command()
@click.argument("name")
@dir_option
@json_option
def seal(name: str, cassette_dir: Path, *, as_program: bool) -> None:
    """Seal the journal that a crash left behind.

    \b
    Example:
      wiretape cassette seal talk
    """  # noqa: D301  \b keeps click from folding the lines
    sealed = seal_journal(stem_of(name, cassette_dir))
    if as_program:
        echo_json({"path": str(sealed.path), "interactions": sealed.interactions, "incomplete": sealed.incomplete})
        return
    click.echo(f"{sealed.interactions} interactions in {sealed.path}, {sealed.incomplete} incomplete")
