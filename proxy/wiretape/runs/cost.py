"""What tokens cost, in whole numbers: a price is picodollars a token, a cost is nanodollars.

A price of 0.075 USD a million tokens is 75,000 picodollars a token: six decimals of a price list fit, and no sum is
ever rounded but the last one.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec import Struct, structs

PICO_PER_NANO: Final = 1_000
NANO_PER_USD: Final = 1_000_000_000
VERSION_DIGITS: Final = 12


class Price(Struct, frozen=True, kw_only=True):
    """One model's price, as it was when a run was priced by it; `*_pico` are picodollars a token."""

    model: str
    provider: str | None = None
    upstream: str | None = None
    since: str | None = None
    """The day (UTC, `2026-01-31`) it holds from; None where it always held."""
    input_pico: int
    cached_pico: int
    output_pico: int
    source: str
    """`config`, or the price list with its version."""

    @property
    def version(self) -> str:
        """The first hex digits of the SHA-256 of all of it: the same price has the same version everywhere."""
        return hashlib.sha256(msgspec.json.encode(structs.astuple(self))).hexdigest()[:VERSION_DIGITS]

    def pico_usd(self, prompt: int, cached: int, completion: int) -> int:
        """Exact picodollars. Cached tokens are part of the prompt; reasoning is part of the completion."""
        read = min(cached, prompt)
        return (prompt - read) * self.input_pico + read * self.cached_pico + completion * self.output_pico

    def nano_usd(self, prompt: int, cached: int, completion: int) -> int:
        """Billionths of a US dollar, to the nearest, halves up."""
        return (self.pico_usd(prompt, cached, completion) + PICO_PER_NANO // 2) // PICO_PER_NANO


class Cost(Struct, frozen=True):
    """What a run cost, and by which price; `nano_usd` is None where its tokens are unknown, never 0."""

    nano_usd: int | None
    price: Price
    version: str
    """Of the price."""
