"""`wiretape audit import`: a ledger filled from cassettes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from msgspec import Struct, structs

from wiretape.audit.played import Origin, play
from wiretape.cassette.convert.formats import read
from wiretape.cassette.format import Header, Tape, recorded_at
from wiretape.cli.audit.options import ledger_option, moment_us
from wiretape.cli.options import cassette_dir_option, echo_json, json_option
from wiretape.config import SANDBOX, Config, load, upstreams
from wiretape.edge.names import JOURNAL_SUFFIX, SEALED_SUFFIX
from wiretape.edge.store import load as load_tape
from wiretape.edge.store import recorded, stem_of
from wiretape.errors import UsageError
from wiretape.ledger.options import parse_ledger_url
from wiretape.ledger.price_list import prices
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.prices import Prices
from wiretape.runs.report import Correction, ExchangeReport, RunReport

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

    def correction(self, report: Correction) -> None:
        self._sink.correction(report)
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

    Doing it twice changes nothing. A file that another tool wrote is taken as well, of any kind that `wiretape cassette
    import` reads; where it has no times, its runs have none. A cassette does not know everything either: its times
    are whole milliseconds, and our own overhead is not in it.

    \b
    Example:
      wiretape audit import talks/weather --ledger sqlite:///talks.db
    """  # noqa: D301  \b keeps click from folding the lines
    settings = load({}, {}, config).config
    priced = prices(settings.price, settings.audit, {one.name: one.provider for one in upstreams(settings)})
    # What was asked for is kept, however old; and nothing is tried again, so the bound is that of one batch.
    audit = structs.replace(settings.audit, retention_days=None, held_max=2 * _REPORTS_AT_ONCE)
    sink = LedgerSink(parse_ledger_url(ledger), audit)
    done = []
    for name in cassettes:
        for path, tape in _tapes(name, cassette_dir, settings):
            filling = _Filling(sink, priced)
            origin = _origin(path, tape.header, upstream, began)
            exchanges = play(tape, origin, settings.runs, filling)
            done.append(_Imported(str(path), exchanges, filling.runs))
    sink.close(settings.audit.busy_timeout_ms / 1000)
    if as_program:
        echo_json(done)
        return
    for one in done:
        click.echo(f"{one.file}: {one.exchanges} exchanges, {one.runs} runs")


def _tapes(name: str, cassette_dir: Path, settings: Config) -> Iterator[tuple[Path, Tape]]:
    """What a name means: a cassette with those of its sessions and parts, or a file that another tool wrote."""
    file = Path(name)
    if file.is_file() and not name.endswith((SEALED_SUFFIX, JOURNAL_SUFFIX)):
        found = [(file, read(file.read_bytes(), redact=settings.redact).tape)]
    else:
        found = [(path, load_tape(path)) for path in recorded(stem_of(name, cassette_dir))]
    for path, tape in found:
        for note in tape.notes:
            click.echo(f"{path}: {note}", err=True)
        yield path, tape


def _origin(path: Path, header: Header, upstream: str | None, began: str | None) -> Origin:
    named = upstream or (SANDBOX if header.upstream == SANDBOX else "default")
    return Origin(str(stem_of(str(path), path.parent)), named, _began_ns(path, header, began))


def _began_ns(path: Path, header: Header, began: str | None) -> int:
    told = recorded_at(header)
    if told is not None:
        return (told - _EPOCH) // timedelta(microseconds=1) * 1000
    if began is None:
        raise UsageError(f"{path} does not say when it was recorded: tell it by --recorded 2026-11-25T13:00")
    return moment_us(began) * 1000
