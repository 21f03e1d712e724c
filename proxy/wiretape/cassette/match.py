"""Which recorded interaction answers a request: the library of all that is recorded, and a session's cursor in it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from wiretape.cassette.coding import Decoded, decoded
from wiretape.cassette.format import Interaction, Tape
from wiretape.cassette.ids import find as find_ids
from wiretape.cassette.key import Key, key
from wiretape.cassette.miss import Asked, Miss, explain
from wiretape.cassette.recorder import redacted_target, redactor_for
from wiretape.cassette.redact import Redactor
from wiretape.cassette.redact_rules import NO_RULES, RedactOptions
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.sweep import requested
from wiretape.errors import DecodeFailed
from wiretape.exchange import Request

__all__ = ["Cursor", "Library", "Miss"]

_SAFE = frozenset({"GET", "HEAD"})
_DECODED_BYTES_MAX = 64 << 20


class Library:
    """All that can be played from some tapes, in their order. It never changes; sessions are cursors in it."""

    def __init__(self, tapes: Iterable[Tape], redact: RedactOptions = NO_RULES) -> None:
        self.redact = redact
        self.interactions = tuple(one for tape in tapes for one in tape.interactions if one.playable)
        self.index: dict[Key, list[int]] = {}
        """Where the equal requests of a key stand, in recorded order."""
        for position, one in enumerate(self.interactions):
            asked = self._redacted(one)
            found = key(one.method, asked.target, asked.request_headers, asked.request_body)
            self.index.setdefault(found, []).append(position)

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
        recorded = self._library.index.get(found, [])
        count = self._played.get(found, 0)
        if count < len(recorded):
            self._played[found] = count + 1
            return self._library.interactions[recorded[count]]
        if recorded and request.method in _SAFE:
            return self._library.interactions[recorded[-1]]
        return self._missed(asked, len(recorded))

    def unplayed(self) -> list[Interaction]:
        """What was recorded and not asked for, in recorded order."""
        left = (where[self._played.get(found, 0) :] for found, where in self._library.index.items())
        return [self._library.interactions[position] for position in sorted(chain.from_iterable(left))]

    def _asked(self, request: Request, body: bytes) -> Asked:
        """The request as the recorder would have stored it."""
        redactor = redactor_for(request, self._secrets)
        came = _readable(request, body)
        redacted = redactor.body(came.body, came.headers)  # first, as the recorder does
        return Asked(request.method, redacted_target(request.target, redactor), came.headers, redacted)

    def _missed(self, asked: Asked, times_recorded: int) -> Miss:
        miss = explain(asked, self._library.interactions, times_recorded, self.unplayed(), self._replayed_id(asked))
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
        for found, count in self._played.items():
            for position in self._library.index[found][:count]:
                yield self._library.interactions[position]


def _readable(request: Request, body: bytes) -> Decoded:
    """The body decoded; as it came where that cannot be: nothing like it was ever recorded, so it is a miss."""
    try:
        return decoded([body], request.headers, _DECODED_BYTES_MAX)
    except DecodeFailed:
        return Decoded((body,), request.headers, None)
