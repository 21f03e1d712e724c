"""What can be set about the ledger, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from msgspec import Struct, field

from wiretape.errors import LedgerError

_SCHEME: Final = "sqlite:///"


class LedgerOptions(Struct, frozen=True, kw_only=True):
    """What the ledger keeps, how long, and what its runs are priced by."""

    busy_timeout_ms: int = 2_000
    """Milliseconds to wait for another process's transaction, each time the batch is tried."""
    held_max: int = 20_000
    """Reports kept in memory while the ledger is locked or its disk full; what comes beyond is lost and counted."""
    requests: bool = False
    """Whether each exchange gets a row of its own, with sizes and times, beside the run that it belongs to."""
    retention_days: float | None = None
    """Days that rows are kept, from a run's creation or an exchange's beginning; without it, until they are purged."""
    retention_batch: int = 500
    """Rows that one transaction removes, so that no writer waits long for it."""
    runs_remembered_max: int = 10_000
    """Runs whose exchanges' own overhead is added up until no more of them come; the oldest is forgotten."""
    price_list: Literal["none", "genai-prices"] = "none"
    """Where prices come from that no `[[price]]` tells: `genai-prices` asks the data in that package, of the extra
    `prices`, as it was released; nothing is fetched."""
    deployments: dict[str, str] = field(default_factory=dict)
    """Name of a deployment to the model that it is priced as."""
    open_runs: bool = True
    """Whether runs that have not ended are saved in the ledger, so that the next process goes on with them. Without it,
    and with `ledger = "none"`, a stop reports them as abandoned."""
    open_runs_looks: int = 1_000
    """Open runs that are looked at in a second, in turns; those that have changed are saved."""
    open_runs_batch_bytes: int = 131_072
    """Bytes of runs saved in a second, after which the others wait for the next one: so their cost to the event loop is
    bounded. A hundred runs have as much, or one with hundreds of steps."""
    open_runs_bytes_max: int = 33_554_432
    """Bytes of saved runs that may wait to be written; what comes beyond is saved later, and counted."""


def parse_ledger_url(text: str) -> Path:
    """The file that `sqlite:///relative.db` or `sqlite:////absolute/path.db` names; raises LedgerError."""
    name = text.removeprefix(_SCHEME)
    if name == text or not name:
        raise LedgerError(f"ledger {text!r} names no file: {_SCHEME}wiretape.db was expected")
    return Path(name)
