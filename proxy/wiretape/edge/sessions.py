"""The sessions of a replaying proxy: one cursor each, made on first use, at most so many."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from wiretape.cassette.format import Interaction
from wiretape.cassette.match import Cursor, Library, Miss
from wiretape.errors import Overloaded
from wiretape.exchange import Request


class SessionOptions(Struct, frozen=True, kw_only=True):
    """Bounds of sessions."""

    sessions_max: int = 1_000
    """Sessions at a time; a request of one more is answered 503."""


class Sessions:
    """Cursors in one library by name."""

    def __init__(self, library: Library, options: SessionOptions) -> None:
        self._library = library
        self._options = options
        self._cursors: dict[str, Cursor] = {}
        self.refused = 0
        """Requests that were answered by a miss, over all sessions."""

    def cursor(self, name: str) -> Cursor:
        """Find or make the session's cursor; raises Overloaded."""
        if name not in self._cursors:
            if len(self._cursors) >= self._options.sessions_max:
                raise Overloaded(f"{self._options.sessions_max} sessions are open (sessions_max)")
            self._cursors[name] = self._library.session(name)
        return self._cursors[name]

    def find(self, request: Request, body: bytes) -> Interaction | Miss:
        """Look a request up in its session, and give the answer with the session's ids; raises what those raise."""
        cursor = self.cursor(request.session)
        found = cursor.find(request, body)
        return found if isinstance(found, Miss) else cursor.render(found)

    def unplayed(self) -> Iterable[Interaction]:
        """Give what no session played, in recorded order."""
        # By place: numbers are unique within a cassette only, and there may be several.
        left = [set(cursor.left()) for cursor in self._cursors.values()]
        recorded = enumerate(self._library.interactions)
        return (one for place, one in recorded if all(place in those for those in left))
