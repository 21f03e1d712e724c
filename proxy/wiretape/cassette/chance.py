"""Seeded chance: the same seed, the same draws, on any machine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from itertools import count

_BITS = 64


def draws(*seed: object) -> Iterator[float]:
    """Numbers from 0 up to, not including, 1, without end; each is a hash of the seed and of its place."""
    return map(partial(_drawn, seed), count())


def _drawn(seed: tuple[object, ...], place: int) -> float:
    digest = blake2b(repr((seed, place)).encode(), digest_size=_BITS // 8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << (_BITS - 11))  # 53 bits: what a double holds exactly
