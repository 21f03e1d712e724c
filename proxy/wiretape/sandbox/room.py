"""The bytes that all sandboxes of a server may keep together."""

from __future__ import annotations

from wiretape.sandbox.refusals import full


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
