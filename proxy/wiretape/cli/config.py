"""`wiretape config`: what is set, and by whom."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from wiretape.cli.options import effective, proxy_options

SET = "(set)"
_SECRETS = frozenset({"admin_token", "api_key", "hash_key"})


@click.group()
def config() -> None:
    """Check and show the effective configuration."""


@config.command()
@proxy_options
def check(**flags: Any) -> None:  # noqa: ANN401  click's values; the configuration checks them
    """Check the configuration; exits with 2 and one sentence when it is wrong.

    \b
    Example:
      wiretape config check --config wiretape.toml
    """  # noqa: D301  \b keeps click from folding the lines
    effective(flags)
    click.echo("The configuration is valid.")


@config.command()
@proxy_options
@click.option("--json", "as_program", is_flag=True, help="JSON for programs")
def show(*, as_program: bool, **flags: Any) -> None:  # noqa: ANN401  as above
    """Show every setting with its origin: default, the file, a variable or a flag.

    \b
    Example:
      wiretape config show --upstream https://assistants.example.com
    """  # noqa: D301  as above
    found = effective(flags)
    values = _without_secrets(msgspec.to_builtins(found.config))
    if as_program:
        shown = {name: {"value": value, "origin": found.origins[name]} for name, value in values.items()}
        click.echo(msgspec.json.format(msgspec.json.encode(shown)).decode())
        return
    width = max(map(len, values))
    for name, value in values.items():
        click.echo(f"{name:<{width}}  {msgspec.json.encode(value).decode()}  ({found.origins[name]})")


def _without_secrets(values: dict[str, Any]) -> dict[str, Any]:
    """Say of a secret only that it is set: what is shown is pasted into issues."""
    return {
        name: _without_secrets(value) if isinstance(value, dict) else SET if name in _SECRETS and value else value
        for name, value in values.items()
    }
