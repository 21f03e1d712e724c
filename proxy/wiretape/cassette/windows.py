"""What a session may read, by what it has written: between the last write it has made and the first it has not."""

from __future__ import annotations

from wiretape.cassette import coverage
from wiretape.cassette.recordings import Recordings


class Windows:
    """The writes that a session has made, by recording session and by what they cover."""

    def __init__(self, library: Recordings) -> None:
        self._library = library
        self._made: set[int] = set()
        self._last: dict[tuple[str, str], int] = {}
        self._first_left: dict[tuple[str, str], int] = {}

    def write(self, session: str, position: int) -> None:
        """A write was made."""
        self._made.add(position)
        for scope in self._library.scopes(position):
            self._last[session, scope] = max(position, self._last.get((session, scope), -1))

    def window(self, session: str, path: str) -> tuple[int, int]:
        """The positions between which a read of this path is answered, both outside; -1 and the end are none."""
        after, before = -1, len(self._library.interactions)
        for scope in coverage.read_scopes(path):
            after = max(after, self._last.get((session, scope), -1))
            before = min(before, self._next(session, scope))
        return after, before

    def _next(self, session: str, scope: str) -> int:
        """The first write that was not made; where it is only moves on."""
        writes = self._library.writes(session, scope)
        at = self._first_left.get((session, scope), 0)
        while at < len(writes) and writes[at] in self._made:
            at += 1
        if writes:
            self._first_left[session, scope] = at
        return writes[at] if at < len(writes) else len(self._library.interactions)
