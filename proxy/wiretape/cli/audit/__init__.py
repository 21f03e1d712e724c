"""`wiretape audit`: read the ledger, fill one, and look after it."""

from __future__ import annotations

import click

from wiretape.cli.audit.export import export_command
from wiretape.cli.audit.importing import import_command
from wiretape.cli.audit.keep import merge_command, purge_command
from wiretape.cli.audit.report import report_command

__all__ = ["audit"]


@click.group()
def audit() -> None:
    """Read the ledger, fill one, and look after it."""


for _command in (report_command, import_command, export_command, merge_command, purge_command):
    audit.add_command(_command)
