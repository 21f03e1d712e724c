"""`wiretape audit report`: what the ledger says of its runs."""

from __future__ import annotations

import sys
from typing import Literal

import click

from wiretape.audit.report import report
from wiretape.audit.show import as_json, as_text
from wiretape.cli.audit.options import ledger_option
from wiretape.cli.options import json_option
from wiretape.ledger.damage import those_aside
from wiretape.ledger.options import parse_ledger_url


@click.command(name="report")
@ledger_option
@click.option("--by", type=click.Choice(["assistant", "model"]), default="assistant", show_default=True)
@json_option
def report_command(ledger: str, by: Literal["assistant", "model"], *, as_program: bool) -> None:
    """Show runs, outcomes, tokens, and percentiles of first event, first token and duration.

    \b
    Example:
      wiretape audit report --by model
    """  # noqa: D301  \b keeps click from folding the lines
    path = parse_ledger_url(ledger)
    found = report(path, by)
    for aside in those_aside(path):
        click.echo(f"{aside} was damaged and moved aside: runs that only it holds are not in this report", err=True)
    if as_program:
        click.echo(as_json(found), nl=False)
    else:
        click.echo(as_text(found, terminal=sys.stdout.isatty()), nl=False)
