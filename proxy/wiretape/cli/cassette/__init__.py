"""`wiretape cassette`: look after recordings; one file for each family of commands."""

from __future__ import annotations

import click

from wiretape.cli.cassette.compare import diff_command
from wiretape.cli.cassette.convert import export_command, import_command
from wiretape.cli.cassette.lint import lint_command
from wiretape.cli.cassette.look import list_command, show, stats
from wiretape.cli.cassette.seal import seal


@click.group()
def cassette() -> None:
    """Look after recordings."""


for _command in (list_command, show, diff_command, lint_command, stats, seal, import_command, export_command):
    cassette.add_command(_command)
