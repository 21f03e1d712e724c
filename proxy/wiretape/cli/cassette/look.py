"""`wiretape cassette ls`, `show` and `stats`: what is there, and what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from msgspec.structs import replace

from wiretape.cassette.format import Tape
from wiretape.cassette.show import Summary, printable, shown
from wiretape.cassette.show import show as lines_of
from wiretape.cassette.stats import RunStats, Spread, Stats
from wiretape.cassette.stats import stats as stats_of
from wiretape.cli.cassette.options import aligned, dir_option, echo_json, file_of, json_option
from wiretape.edge.store import listing, load
from wiretape.errors import UsageError


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
@click.argument("numbers", nargs=-1, type=int)
@dir_option
@json_option
def show(name: str, numbers: Sequence[int], cassette_dir: Path, *, as_program: bool) -> None:
    """Show requests, answers, frames with their times, and the text that deltas come to.

    With NUMBERS, these interactions alone.

    \b
    Example:
      wiretape cassette show text-run
      wiretape cassette show text-run 4
    """  # noqa: D301  as above
    tape = _chosen(load(file_of(name, cassette_dir)), frozenset(numbers))
    if as_program:
        echo_json(list(map(shown, tape.interactions)))
    else:
        click.echo("\n".join(lines_of(tape)))


@click.command()
@click.argument("name")
@dir_option
@json_option
def stats(name: str, cassette_dir: Path, *, as_program: bool) -> None:
    """Count interactions, bytes, runs and tokens, and measure their times.

    \b
    Example:
      wiretape cassette stats tool-run
    """  # noqa: D301  as above
    found = stats_of(load(file_of(name, cassette_dir)))
    if as_program:
        echo_json(found)
    else:
        click.echo("\n".join(_figures(found)))


def _chosen(tape: Tape, numbers: frozenset[int]) -> Tape:
    there = {one.index for one in tape.interactions}
    if numbers - there:
        raise UsageError(f"there is no interaction {min(numbers - there)} among the {len(there)} of this cassette")
    return replace(tape, interactions=tuple(one for one in tape.interactions if not numbers or one.index in numbers))


def _figures(found: Stats) -> Iterator[str]:
    yield f"{'interactions':<15}{found.interactions}, in {found.sessions} sessions"
    for name, counts in (("requests", found.requests), ("answers", found.statuses), ("ended", found.endings)):
        yield f"{name:<15}{', '.join(f'{count} {what}' for what, count in counts.items())}"
    yield f"{'bytes':<15}{found.request_bytes:,} asked, {found.answer_bytes:,} answered"
    yield f"{'streams':<15}{found.streams}, with {found.events} events"
    yield f"{'length':<15}{_ms(found.length_ms)}"
    for name, spread in (("first byte", found.first_byte_ms), ("first event", found.first_event_ms)):
        yield f"{name:<15}{_spread(spread)}"
    yield f"{'tokens':<15}{found.input_tokens:,} in, {found.output_tokens:,} out, of {len(found.runs)} runs"
    if found.runs:
        columns = ("run", "outcome", "model", "in", "out", "first event", "first token", "duration", "polls")
        yield ""
        yield aligned([columns, *map(_run_cells, found.runs)])


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "unknown"
    return f"{spread.p50} / {spread.p90} / {spread.most} ms (p50 / p90 / most of {spread.count})"


def _run_cells(run: RunStats) -> tuple[str, ...]:
    counts = ("-" if count is None else str(count) for count in (run.input_tokens, run.output_tokens))
    times = map(_ms, (run.first_event_ms, run.first_token_ms, run.duration_ms))
    return printable(run.run_id), run.outcome, printable(run.model or "-"), *counts, *times, str(run.polls)


def _ms(length: float | None) -> str:
    return "unknown" if length is None else f"{length:,.0f} ms"


def _cells(one: Summary) -> tuple[str, ...]:
    state = one.problem or ("sealed" if one.sealed else "journal") + (
        f", {one.incomplete} cut" if one.incomplete else ""
    )
    return one.name, str(one.interactions), str(one.bytes), one.recorded or "unknown", state
