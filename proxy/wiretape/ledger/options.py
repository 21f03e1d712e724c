"""What can be set about the ledger, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from wiretape.errors import LedgerError

_SCHEME: Final = "sqlite:///"


class LedgerOptions(Struct, frozen=True, kw_only=True):
    """Limits of the ledger's writer."""

    busy_timeout_ms: int = 2_000
    """Milliseconds to wait for another process's transaction; then the batch is lost and counted."""


def parse_ledger_url(text: str) -> Path:
    """The file that `sqlite:///relative.db` or `sqlite:////absolute/path.db` names; raises LedgerError."""
    name = text.removeprefix(_SCHEME)
    if name == text or not name:
        raise LedgerError(f"ledger {text!r} names no file: {_SCHEME}wiretape.db was expected")
    return Path(name)
