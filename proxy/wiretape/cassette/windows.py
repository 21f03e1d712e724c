"""What a session may read, by what it has written: between the last write it has made and the first it has not."""

from __future__ import annotations

from collections.abc import Iterable

from wiretape.cassette.recordings import Recordings


class Windows:
    """The writes that a session has made, by strand and by what they cover."""

    def __init__(self, library: Recordings) -> None:
        self._library = library
        self._made: set[int] = set()
        self._last: dict[tuple[int, str], int] = {}
        self._first_left: dict[tuple[int, str], int] = {}

    def write(self, strand: int, position: int) -> None:
        """A write was made."""
        self._made.add(position)
        for scope in self._library.scopes(position):
            self._last[strand, scope] = max(position, self._last.get((strand, scope), -1))

    def window(self, strand: int, scopes: Iterable[str]) -> tuple[int, int]:
        """The positions between which a read is answered that these cover, both outside; -1 and the end are none."""
        after, before = -1, len(self._library.interactions)
        for scope in scopes:
            after = max(after, self._last.get((strand, scope), -1))
            before = min(before, self._next(strand, scope))
        return after, before

    def _next(self, strand: int, scope: str) -> int:
        """The first write that was not made; where it is only moves on."""
        writes = self._library.writes(strand, scope)
        at = self._first_left.get((strand, scope), 0)
        while at < len(writes) and writes[at] in self._made:
            at += 1
        if writes:
            self._first_left[strand, scope] = at
        return writes[at] if at < len(writes) else len(self._library.interactions)
