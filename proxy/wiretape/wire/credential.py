"""Who asks: the credential in a request's head as a keyed hash, so that it can be told apart and never read back.

The hash is HMAC-SHA256 (RFC 2104) under a key of the installation's own, its first 16 bytes in hexadecimal. Without
that key nobody can try candidates against a ledger, and two installations cannot compare their clients.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Final

from wiretape.exchange import Headers
from wiretape.wire.headers import values

HASH_DIGITS: Final = 32
"""Hexadecimal digits of a hash."""
REMEMBERED_MAX: Final = 64
"""Credentials whose hash is remembered, in memory alone: the same few come with every request."""

_NAMES: Final = (b"authorization", b"api-key", b"x-api-key")
"""Where an API's credential stands, the usual place first; `api-key` is what Azure's clients send."""


class KeyHashes:
    """Hashes credentials under one secret."""

    def __init__(self, secret: bytes) -> None:
        self._hashed = lru_cache(REMEMBERED_MAX)(lambda value: _hashed(value, secret))

    def of(self, headers: Headers) -> str | None:
        """The hash of the credential that a head brings, without its scheme (`Bearer`); None where it brings none."""
        for name in _NAMES:
            if found := values(headers, name):
                return self._hashed(found[0])
        return None


def _hashed(value: str, secret: bytes) -> str | None:
    """Of what follows the scheme, where there is one (RFC 9110 section 11.4)."""
    words = value.split(None, 1)
    if not words:
        return None
    return hmac.digest(secret, words[-1].strip().encode("latin-1"), "sha256").hex()[:HASH_DIGITS]
