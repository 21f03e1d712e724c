"""The bytes that all sandboxes of a server may keep together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wiretape.sandbox.refusals import Refused, full


class Room:
    """Counts bytes up to a bound."""

    def __init__(self, bytes_max: int) -> None:
        self.used = 0
        self._bytes_max = bytes_max

    def count(self, size_bytes: int) -> None:
        """Keep so many more, or below zero give them back. Raises Refused where there is no room for them."""
        if size_bytes > 0 and self.used + size_bytes > self._bytes_max:
            raise full("stored_bytes_max", self._bytes_max)
        self.used += size_bytes

    @contextmanager
    def counted(self, size_bytes: int) -> Iterator[None]:
        """Keep so many more for what is done inside; where that is refused they are given back."""
        self.count(size_bytes)
        try:
            yield
        except Refused:
            self.count(-size_bytes)
            raise
