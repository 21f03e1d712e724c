"""Which recorded interaction answers a request: the library of all that is recorded, and a session's cursor in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import nsmallest
from itertools import count

from wiretape.cassette.coding import Decoded, decoded
from wiretape.cassette.format import Interaction, Tape
from wiretape.cassette.ids import find as find_ids
from wiretape.cassette.key import Key, key
from wiretape.cassette.miss import COMPARED_MAX, Asked, Miss, distance, explain
from wiretape.cassette.recorder import redacted_target, redactor_for
from wiretape.cassette.redact import Redactor
from wiretape.cassette.redact_rules import NO_RULES, RedactOptions
from wiretape.cassette.secrets import Secrets, unnumbered
from wiretape.cassette.shelf import Row
from wiretape.cassette.sweep import requested
from wiretape.errors import DecodeFailed
from wiretape.exchange import Request

__all__ = ["Cursor", "Library", "Miss"]

_SAFE = frozenset({"GET", "HEAD"})
_DECODED_BYTES_MAX = 64 << 20


class Library:
    """All that can be played from some tapes, in their order. It never changes; sessions are cursors in it.

    No body is read when it is made: the keys of a path are made when it is first asked for.
    """

    def __init__(self, tapes: Iterable[Tape], redact: RedactOptions = NO_RULES) -> None:
        self.redact = redact
        self.interactions = Row(tape.interactions for tape in tapes)
        self._places: dict[tuple[str, str], list[int]] = {}
        self._equal: dict[tuple[str, str], dict[Key, list[int]]] = {}
        for position, entry in enumerate(self.interactions.entries):
            path = entry.path if redact == NO_RULES else self._redacted(self.interactions[position]).path
            self._places.setdefault((entry.method, _compared(path)), []).append(position)

    def equal(self, found: Key) -> Sequence[int]:
        """Where the equal requests of a key stand, in recorded order."""
        place = found.method, found.path
        if place not in self._equal:
            self._equal[place] = self._keyed(self._places.get(place, ()))
        return self._equal[place].get(found, ())

    def _keyed(self, positions: Iterable[int]) -> dict[Key, list[int]]:
        keyed: dict[Key, list[int]] = {}
        for position in positions:
            one = self._redacted(self.interactions[position])
            found = key(one.method, one.target, one.request_headers, one.request_body)
            keyed.setdefault(found, []).append(position)
        return keyed

    def likely(self, asked: Asked) -> list[Interaction]:
        """Those whose method and path are least unlike the request's: alone these are read to explain a miss."""
        far = (distance(asked, entry) for entry in self.interactions.entries)
        return [self.interactions[at] for _, at in nsmallest(COMPARED_MAX, zip(far, count(), strict=False))]

    def _redacted(self, one: Interaction) -> Interaction:
        """As it would be recorded now: a rule may be younger than the recording."""
        if self.redact == NO_RULES:
            return one
        return requested(one, Redactor(Secrets(rules=self.redact), b"", ()))

    def session(self, name: str) -> Cursor:
        """A cursor of its own, at the beginning."""
        return Cursor(self, name)


class Cursor:
    """One session's way through a library. Sessions never influence each other."""

    def __init__(self, library: Library, name: str) -> None:
        self.name = name
        self.misses: list[Miss] = []
        """Every miss, so that a test can fail where the application swallowed the error."""
        self._library = library
        self._played: dict[Key, int] = {}
        self._secrets = Secrets(rules=library.redact)

    def find(self, request: Request, body: bytes) -> Interaction | Miss:
        """The next recorded answer to such a request. Raises BodyTooLarge for a body that decodes to over 64 MiB.

        Equal requests are answered in recorded order; after the last, a GET or HEAD gets the last again.
        """
        asked = self._asked(request, body)
        found = key(request.method, asked.target, asked.headers, asked.body)
        recorded = self._library.equal(found)
        count = self._played.get(found, 0)
        if count < len(recorded):
            self._played[found] = count + 1
            return self._library.interactions[recorded[count]]
        if recorded and request.method in _SAFE:
            return self._library.interactions[recorded[-1]]
        return self._missed(asked, len(recorded))

    def unplayed(self) -> list[Interaction]:
        """What was recorded and not asked for, in recorded order."""
        return [self._library.interactions[position] for position in self.left()]

    def left(self) -> list[int]:
        """Where in the library that stands."""
        played = set(self._positions())
        return [position for position in range(len(self._library.interactions)) if position not in played]

    def _asked(self, request: Request, body: bytes) -> Asked:
        """The request as the recorder would have stored it."""
        redactor = redactor_for(request, self._secrets)
        came = _readable(request, body)
        redacted = redactor.body(came.body, came.headers)  # first, as the recorder does
        return Asked(request.method, redacted_target(request.target, redactor), came.headers, redacted)

    def _missed(self, asked: Asked, times_recorded: int) -> Miss:
        recorded = self._library.interactions
        left = [recorded.entry(position) for position in self.left()]
        miss = explain(asked, self._library.likely(asked), times_recorded, left, self._replayed_id(asked))
        self.misses.append(miss)
        return miss

    def _replayed_id(self, asked: Asked) -> str | None:
        """An id the request names that an answer of this session has introduced."""
        named = find_ids(asked.target) + find_ids(asked.body.decode("utf-8", "replace"))
        if not named:
            return None
        introduced = {one for played in self._answers() for one in find_ids(played.body.decode("utf-8", "replace"))}
        return next((one for one in named if one in introduced), None)

    def _answers(self) -> Iterable[Interaction]:
        return (self._library.interactions[position] for position in self._positions())

    def _positions(self) -> Iterable[int]:
        return (at for found, times in self._played.items() for at in self._library.equal(found)[:times])


def _compared(path: str) -> str:
    return unnumbered(path.encode()).decode()


def _readable(request: Request, body: bytes) -> Decoded:
    """The body decoded; as it came where that cannot be: nothing like it was ever recorded, so it is a miss."""
    try:
        return decoded([body], request.headers, _DECODED_BYTES_MAX)
    except DecodeFailed:
        return Decoded((body,), request.headers, None)
