"""Ids and choices out of one seed and a count: no two runs of the same requests differ."""

from __future__ import annotations

import string
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

LETTERS = string.ascii_letters + string.digits
ID_LENGTH = 24

_DIGEST_BYTES = 32
_AS_LETTERS = bytes(ord(LETTERS[byte % len(LETTERS)]) for byte in range(256))

T = TypeVar("T")


class Chance:
    """A seeded source. What rides on every answer is drawn apart from what objects are made of.

    Each draw is a hash of the seed and of how many were `drawn` before, so that number is all there is to keep.
    """

    def __init__(self, seed: str, drawn: int = 0) -> None:
        self.drawn = drawn
        self._seed = seed
        self._answers = 0

    def id(self, prefix: str, length: int = ID_LENGTH) -> str:
        """A new object id: the prefix and so many letters or digits, 32 at the most."""
        return prefix + self._draw().translate(_AS_LETTERS)[:length].decode()

    def hex_id(self, prefix: str) -> str:
        """A new object id: the prefix and 32 hex digits."""
        return prefix + self._draw()[:16].hex()

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, of which there is at least one."""
        return choices[int.from_bytes(self._draw()[:8], "big") % len(choices)]

    def request_id(self) -> str:
        """A new `x-request-id`: `req_` and 32 hex digits; other ones after a restart, when more was drawn before."""
        self._answers += 1
        return f"req_{self._hashed(f'answers {self.drawn}', self._answers)[:16].hex()}"

    def processing_ms(self) -> int:
        """A plausible `openai-processing-ms`; nobody waits for it."""
        return 18 + self._hashed("milliseconds", self._answers)[0] % 78

    def _draw(self) -> bytes:
        self.drawn += 1
        return self._hashed("objects", self.drawn)

    def _hashed(self, what: str, number: int) -> bytes:
        return blake2b(f"{what} {self._seed} {number}".encode(), digest_size=_DIGEST_BYTES).digest()
