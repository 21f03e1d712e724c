"""What a configuration makes of the ledger: who writes reports to it, and who saves open runs in it."""

from __future__ import annotations

from functools import partial

from structlog.typing import FilteringBoundLogger

from wiretape.cassette.plan import Mode
from wiretape.config import NONE, Config
from wiretape.ledger.keeper import Keeper
from wiretape.ledger.options import parse_ledger_url
from wiretape.ledger.writer import LedgerSink


def ledger(config: Config) -> tuple[LedgerSink, ...]:
    """Give the ledger's sink, if there is one."""
    if config.ledger == NONE:
        return ()
    return (LedgerSink(parse_ledger_url(config.ledger), config.audit, aliases=config.telemetry.keys),)


def keeper(config: Config, logger: FilteringBoundLogger) -> Keeper | None:
    """Give who saves open runs; none in replay, whose sessions end with their process."""
    if config.ledger == NONE or config.mode is Mode.REPLAY or not config.audit.open_runs:
        return None
    return Keeper(parse_ledger_url(config.ledger), config.audit, partial(logger.warning, "open_runs.failed"))
