"""What commands share: the flags of all that run a proxy, with the Config they become, and JSON for programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from wiretape.cassette.redact_rules import RedactOptions
from wiretape.config import Effective, load

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--config", "file", type=click.Path(path_type=Path), help="Configuration file [default: wiretape.toml]"
    ),
    click.option("--listen", help="Traffic listener, host:port or unix:/path [127.0.0.1:8787]"),
    click.option("--admin", help="Admin listener, host:port or unix:/path [127.0.0.1:8788]"),
    click.option("--tls-cert", help="PEM file with the traffic listener's certificate and chain [no TLS]"),
    click.option("--tls-key", help="PEM file with its key [the certificate's file]"),
    click.option("--upstream", help="`sandbox` (the embedded server), a URL or unix:/path [sandbox]"),
    click.option("--engine", help="What speaks to upstreams: fast or reference, aiohttp's own client [fast]"),
    click.option("--cassette-dir", help="Where a bare cassette name lies [cassettes]"),
    click.option("--profile", help="`production` refuses what production must not do"),
    click.option("--drain-s", type=float, help="Seconds that exchanges in flight get at shutdown [20]"),
    click.option("--ledger", help="Audit store, sqlite:///PATH or none [sqlite:///wiretape.db]"),
    click.option("--ready-file", help="File that gets the addresses as JSON once the proxy accepts"),
)


def proxy_options(command: F) -> F:
    """Add the shared flags to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def effective(flags: Mapping[str, Any]) -> Effective:
    """Read the configuration; a flag that was not given says nothing."""
    given = {name: value for name, value in flags.items() if value is not None and value != ()}
    return load({name: value for name, value in given.items() if name != "file"}, os.environ, flags.get("file"))


def redact_rules(file: Path | None) -> RedactOptions:
    """The `[redact]` rules of the configuration file; there is no other way to give them. Raises ConfigError."""
    return load({}, {}, file).config.redact


cassette_dir_option = click.option(
    "--cassette-dir",
    envvar="WIRETAPE_CASSETTE_DIR",
    type=click.Path(path_type=Path),
    default=Path("cassettes"),
    show_default=True,
    help="Where a bare cassette name lies",
)
"""For the commands that look after recordings and run no proxy."""

json_option = click.option("--json", "as_program", is_flag=True, help="JSON for programs")


def echo_json(value: object) -> None:
    """A value for programs, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())
