"""`wiretape cassette diff`: whether two recordings of one conversation say the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from wiretape.cassette.diff import Diff, diff
from wiretape.cassette.show import printable
from wiretape.cli.cassette.options import dir_option, echo_json, file_of, json_option
from wiretape.edge.store import load


@click.command(name="diff")
@click.argument("first")
@click.argument("second")
@dir_option
@json_option
def diff_command(first: str, second: str, cassette_dir: Path, *, as_program: bool) -> None:
    """Compare two recordings of one conversation by what they say; exits 1 where they differ.

    Ids count by their order of appearance; times, request ids, the timestamps of servers, and how a text was cut
    into deltas do not count, nor how often a client polled.

    \b
    Example:
      wiretape cassette diff text-run text-run-again
    """  # noqa: D301  \b keeps click from folding the lines
    found = diff(*(load(file_of(name, cassette_dir)) for name in (first, second)))
    if as_program:
        echo_json(found)
    else:
        click.echo("\n".join(map(printable, _lines(found, first, second))))
    sys.exit(0 if found.is_empty else 1)


def _lines(found: Diff, first: str, second: str) -> Iterator[str]:
    for pair in found.changed:
        numbers = f"#{pair.first}" if pair.first == pair.second else f"#{pair.first}, #{pair.second}"
        yield f"{numbers} {pair.label}"
        yield from (f"    {change.where}: {change.first} -> {change.second}" for change in pair.changes)
    yield from (f"#{one.index} {one.label}: only in {first}" for one in found.only_first)
    yield from (f"#{one.index} {one.label}: only in {second}" for one in found.only_second)
    alone = len(found.only_first) + len(found.only_second)
    if found.is_empty:
        yield f"The two say the same: {found.compared} interactions compared."
    else:
        yield f"{len(found.changed)} of {found.compared} interactions differ; {alone} are in one of the two alone."
