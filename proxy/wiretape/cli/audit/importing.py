"""`wiretape audit import`: a ledger filled from cassettes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from msgspec import Struct

from wiretape.audit.played import Origin, play
from wiretape.cassette.format import Header, recorded_at
from wiretape.cli.audit.options import ledger_option, moment_us
from wiretape.cli.options import cassette_dir_option, echo_json, json_option
from wiretape.config import SANDBOX, Config, load
from wiretape.edge.store import load as load_tape
from wiretape.edge.store import recorded, stem_of
from wiretape.errors import UsageError
from wiretape.ledger.options import parse_ledger_url
from wiretape.ledger.price_list import prices
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.observer import Runs
from wiretape.runs.prices import Prices
from wiretape.runs.report import ExchangeReport, RunReport

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REPORTS_AT_ONCE = 500


class _Imported(Struct, frozen=True):
    """What came of one file."""

    file: str
    exchanges: int
    runs: int


class _Filling:
    """Hands reports on to the ledger, priced, some at a time."""

    def __init__(self, sink: LedgerSink, priced: Prices) -> None:
        self._sink = sink
        self._priced = priced
        self.runs = 0

    def exchange(self, report: ExchangeReport) -> None:
        self._sink.exchange(report)
        self._flush()

    def run(self, report: RunReport) -> None:
        self.runs += 1
        self._sink.run(self._priced.priced(report))
        self._flush()

    def _flush(self) -> None:
        if self._sink.gathered >= _REPORTS_AT_ONCE:
            self._sink.flush()


@click.command(name="import")
@click.argument("cassettes", nargs=-1, required=True, metavar="CASSETTE...")
@ledger_option
@cassette_dir_option
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="File whose [[price]], [runs] and [audit] hold [default: wiretape.toml]",
)
@click.option("--upstream", help="Name that the rows give the upstream [sandbox where it was that, else default]")
@click.option("--recorded", "began", help="When a recording began that does not say so (UTC)")
@json_option
def import_command(  # noqa: PLR0913  one argument for each option
    *,
    cassettes: tuple[str, ...],
    ledger: str,
    cassette_dir: Path,
    config: Path | None,
    upstream: str | None,
    began: str | None,
    as_program: bool,
) -> None:
    """Fill a ledger from cassettes: what they recorded gives the rows that the live runs gave.

    Doing it twice changes nothing. Other tools' recordings go through `wiretape cassette import` first. A cassette
    does not know everything: times are whole milliseconds, a recording begins at a whole second, and our own overhead
    is not in it.

    \b
    Example:
      wiretape audit import talks/weather --ledger sqlite:///talks.db
    """  # noqa: D301  \b keeps click from folding the lines
    settings = load({}, {}, config).config
    priced = prices(settings.price, settings.audit, {})
    sink = LedgerSink(parse_ledger_url(ledger), settings.audit)
    done = []
    for name in cassettes:
        for path in recorded(stem_of(name, cassette_dir)):
            filling = _Filling(sink, priced)
            done.append(_filled(path, filling, settings, upstream, began))
    sink.close(0.0)
    if as_program:
        echo_json(done)
        return
    for one in done:
        click.echo(f"{one.file}: {one.exchanges} exchanges, {one.runs} runs")


def _filled(path: Path, filling: _Filling, settings: Config, upstream: str | None, began: str | None) -> _Imported:
    tape = load_tape(path)
    for note in tape.notes:
        click.echo(f"{path}: {note}", err=True)
    named = upstream or (SANDBOX if tape.header.upstream == SANDBOX else "default")
    origin = Origin(str(stem_of(str(path), path.parent)), named, _began_ns(path, tape.header, began))
    exchanges = play(tape, origin, Runs(settings.runs, filling.run, lambda: 0), filling)
    return _Imported(str(path), exchanges, filling.runs)


def _began_ns(path: Path, header: Header, began: str | None) -> int:
    told = recorded_at(header)
    if told is not None:
        return (told - _EPOCH) // timedelta(microseconds=1) * 1000
    if began is None:
        raise UsageError(f"{path} does not say when it was recorded: tell it by --recorded 2026-11-25T13:00")
    return moment_us(began) * 1000
