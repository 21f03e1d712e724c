"""The audit store: tables, writer, reader."""

from wiretape.ledger.options import LedgerOptions

__all__ = ["LedgerOptions"]
