"""Which recorded interaction answers a request: a session's cursor in a library of all that is recorded.

The next one, by `progress`, of those that have the request's key with its ids as they are bound. Where there is none
and an id is the first time in use, of those that it may be bound to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from wiretape.cassette import redact_rules
from wiretape.cassette.asking import Asking
from wiretape.cassette.bindings import Bindings
from wiretape.cassette.format import Interaction, Tape
from wiretape.cassette.ids import find
from wiretape.cassette.key import Key, digest
from wiretape.cassette.miss import Miss, Misses, explain
from wiretape.cassette.progress import Polls, Progress
from wiretape.cassette.reasons import Reasons
from wiretape.cassette.recordings import Recordings
from wiretape.cassette.redact import Redactor
from wiretape.cassette.redact_rules import RedactOptions
from wiretape.cassette.rules import NO_RULES, Rules
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.shelf import Entry
from wiretape.cassette.sweep import requested
from wiretape.exchange import Request

__all__ = ["Cursor", "Library", "Matching", "Miss", "Polls"]


class Matching(Struct, frozen=True, kw_only=True):
    """How sessions match and are answered."""

    rules: Rules = NO_RULES
    fresh_ids: bool = False
    """Whether each session gets ids of its own; otherwise the recorded ones."""
    polls: Polls = "recorded"
    redact: RedactOptions = redact_rules.NO_RULES
    """Rules of redaction: what was recorded before there was a rule is redacted by it before it is compared."""
    misses_max: int = 20
    """Misses that a session keeps, the last ones; all are counted."""


class Library(Recordings):
    """All that can be played from some tapes; it never changes. Sessions are cursors in it."""

    def __init__(self, tapes: Iterable[Tape], matching: Matching | None = None) -> None:
        self.matching = matching or Matching()
        super().__init__(
            tapes, self.matching.rules, None if self.matching.redact == redact_rules.NO_RULES else self._as_now
        )

    def _as_now(self, one: Interaction) -> Interaction:
        """As it would be recorded now: a rule may be younger than the recording."""
        return requested(one, Redactor(Secrets(rules=self.matching.redact), b"", ()))

    def session(self, name: str, matching: Matching | None = None) -> Cursor:
        """A cursor of its own, at the beginning; the library's rules hold for all of them."""
        return Cursor(self, name, matching or self.matching)


class Cursor:
    """One session's way through a library. Sessions never influence each other."""

    def __init__(self, library: Recordings, name: str, matching: Matching) -> None:
        self.name = name
        self.misses = Misses(matching.misses_max)
        """What was asked in vain, so that a test can fail where the application swallowed the error."""
        self._library = library
        self._ids = Bindings(library, name, fresh=matching.fresh_ids)
        self._progress = Progress(library, name, matching.polls)
        self._reasons = Reasons(library, self._progress, self._ids)
        self._asking = Asking(library.rules, Secrets(rules=matching.redact))

    def find(self, request: Request, body: bytes) -> Interaction | Miss:
        """The recorded answer to such a request. Raises BodyTooLarge for a body that decodes to over 64 MiB."""
        asked, wanted = self._asking.asked(request, body)
        path = self._ids.recorded_text(asked.path)
        position = self._exact(asked.method, path, wanted)
        if position is None and any(map(self._ids.is_free, wanted.ids)):
            position = self._first_use(asked.method, path, wanted)
        if position is not None:
            return self._library.interactions[position]
        miss = explain(asked, self._reasons.known(asked, path, wanted))
        self.misses.add(miss)
        return miss

    def render(self, interaction: Interaction) -> Interaction:
        """What was found as the session is given it: with the client's own ids."""
        return self._ids.rendered(interaction)

    def unplayed(self) -> list[Entry]:
        """What was recorded and not asked for, in recorded order; polls that were jumped do not count."""
        return [self._library.entry(position) for position in self.left()]

    def left(self) -> list[int]:
        """Where in the library that stands."""
        return self._progress.unplayed()

    def _exact(self, method: str, path: str, wanted: Key) -> int | None:
        """The next answer to this very request, its ids taken for the recorded ones that they are bound to."""
        recorded = tuple(map(self._ids.recorded, wanted.ids))
        digested = digest(wanted.shape, recorded)
        position = self._progress.play(method, path, digested)
        if position is not None:
            self._ids.bind(
                {one: other for one, other in zip(wanted.ids, recorded, strict=True) if self._ids.is_free(one)}
            )
        return position

    def _first_use(self, method: str, path: str, wanted: Key) -> int | None:
        """The next answer to a request with other ids that may be bound to the client's."""
        for strand, place, digested, pairs in self._like(method, path, wanted):
            position = self._progress.take(strand, method, place, digested)
            if position is not None:
                self._ids.bind(pairs)
                return position
        return None

    def _like(self, method: str, path: str, wanted: Key) -> Iterator[tuple[int, str, bytes, dict[str, str]]]:
        """(strand, path, digest, bindings) of requests that differ in ids which may be bound."""
        for strand in self._progress.order():
            for place in (path, *self._places(strand, method, path, wanted)):
                bucket = self._library.bucket(strand, method, place)
                for digested, ids in (bucket.alike(wanted.shape) if bucket else {}).items():
                    pairs = self._ids.bound(wanted.ids, ids)
                    if pairs is not None:
                        yield strand, place, digested, pairs

    def _places(self, strand: int, method: str, path: str, wanted: Key) -> Iterator[str]:
        """Other paths that this one may mean, where one of its ids is the first time in use."""
        clients = wanted.ids[: len(find(path))]
        if any(map(self._ids.is_free, clients)):
            places = self._library.open_paths(strand, method, path)
            yield from (place for place in places if self._ids.bound(clients, find(place)) is not None)
