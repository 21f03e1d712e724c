"""Words on the command line become a Config and a call."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from types import MappingProxyType

import click

from wiretape import __version__
from wiretape.errors import UsageError

__all__ = ["cli", "main"]

COMMANDS = MappingProxyType(
    {
        "serve": "wiretape.cli.serve:serve",
        "record": "wiretape.cli.serve:record",
        "replay": "wiretape.cli.serve:replay",
        "sandbox": "wiretape.cli.serve:sandbox",
        "demo": "wiretape.cli.demo:demo",
        "cassette": "wiretape.cli.cassette:cassette",
        "audit": "wiretape.cli.audit:audit",
        "config": "wiretape.cli.config:config",
    }
)
"""Commands by name; a command's module is imported when the command is used, so that `--help` is quick."""


class Lazy(click.Group):
    """A group whose commands are imported when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of the guide."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        return command if isinstance(command, click.Command) else None


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="wiretape")
def cli() -> None:
    """Record, replay and observe assistant and run traffic.

    \b
    Example:
      wiretape serve                    the proxy, in front of the embedded sandbox
      wiretape record talk -- pytest    record what the tests say
      wiretape replay talk -- pytest    play it back; no network, no key
    """  # noqa: D301  \b keeps click from folding the lines


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; what follows a lone `--` is a command to run under the proxy."""
    words = list(sys.argv[1:] if argv is None else argv)
    cut = words.index("--") if "--" in words else len(words)
    try:
        cli.main(words[:cut], prog_name="wiretape", obj=_command(words[:cut], words[cut + 1 :]))
    except UsageError as error:
        click.echo(f"wiretape: {error}", err=True)
        sys.exit(2)


def _command(words: Sequence[str], command: Sequence[str]) -> tuple[str, ...]:
    if command and words[:1] not in (["serve"], ["record"], ["replay"]):
        raise UsageError("only `serve`, `record` and `replay` run a command")
    return tuple(command)
