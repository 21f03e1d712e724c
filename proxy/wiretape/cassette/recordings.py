"""All that can be played, and where it is: by method and path first, and within those by key.

What a library costs when it is made is a few dictionary entries for each interaction: no body is read then. The keys
of a path are made when it is first asked for, in recorded order and only as far as needed, and once for all sessions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from wiretape.cassette import coverage
from wiretape.cassette.format import Interaction, Tape, introduced
from wiretape.cassette.ids import apart
from wiretape.cassette.key import Key, key, unnumbered_text
from wiretape.cassette.rules import Rules
from wiretape.cassette.shelf import Entry, Row, entries_of

_Place = tuple[int, str, str]
"""Strand, method and path."""


class Bucket:
    """The interactions of one strand with one method and path; keys are made as far as needed."""

    def __init__(self, interactions: Sequence[Interaction], positions: Sequence[int], path: str, rules: Rules) -> None:
        self.scopes = coverage.read_scopes(path)
        """What a write has to cover so that it comes before a read here, or after it; the whole is the last."""
        self._interactions = interactions
        self._positions = positions
        self._rules = rules
        self._made = 0
        self._by_digest: dict[bytes, list[int]] = {}
        self._by_shape: dict[bytes, dict[bytes, tuple[str, ...]]] = {}

    def nth(self, digest: bytes, count: int) -> int | None:
        """Where the equal request stands that has so many before it."""
        while self._made < len(self._positions) and len(self._by_digest.get(digest, ())) <= count:
            self._make()
        found = self._by_digest.get(digest, ())
        return found[count] if count < len(found) else None

    def between(self, digest: bytes, after: int, before: int) -> tuple[list[int], int, int]:
        """Where the equal requests stand, and from which to which of them are between two positions."""
        while self._made < len(self._positions) and self._positions[self._made] < before:
            self._make()
        found = self._by_digest.get(digest, [])
        start = bisect_right(found, after)
        return found, start, max(start, bisect_left(found, before))

    def all(self, digest: bytes) -> list[int]:
        """Where all equal requests stand."""
        return self.between(digest, -1, len(self._interactions))[0]

    def alike(self, shape: bytes) -> Mapping[bytes, tuple[str, ...]]:
        """The digests of all requests of this shape, with their ids, in recorded order."""
        self.between(b"", -1, len(self._interactions))
        return self._by_shape.get(shape, {})

    def _make(self) -> None:
        position = self._positions[self._made]
        self._made += 1
        made = key_of(self._interactions[position], self._rules)
        self._by_digest.setdefault(made.digest, []).append(position)
        self._by_shape.setdefault(made.shape, {})[made.digest] = made.ids


class Recordings:
    """The interactions of some tapes, in their order. It never changes; sessions are cursors in it.

    A strand is one recording session of one tape: within it, order means something.
    `rules` are joined with those of the tapes: all hold for all of them. With `as_now` every interaction is read at
    once, as that makes it; without it none is.
    """

    def __init__(
        self, tapes: Iterable[Tape], rules: Rules, as_now: Callable[[Interaction], Interaction] | None = None
    ) -> None:
        self._tapes = tuple(tapes)
        self.rules = rules
        for tape in self._tapes:
            self.rules = self.rules.joined(tape.header.match)
        self.strands: list[str] = []
        """The name of each strand's recording session, in order of appearance."""
        self._positions: dict[_Place, list[int]] = {}
        self._buckets: dict[_Place, Bucket] = {}
        self._writes: dict[tuple[int, str], list[int]] = {}
        self._beginning: list[tuple[int, int]] = []
        parts = [one.interactions if as_now is None else list(map(as_now, one.interactions)) for one in self._tapes]
        self.interactions = Row(parts)
        begin = 0
        for part in parts:
            begin += self._add_tape([entry for entry in entries_of(part) if entry.playable], begin)

    def having(self, method: str, path: str) -> Sequence[int]:
        """The strands that have a method and path."""
        return self._having.get((method, path), ()) if len(self.strands) > 1 else range(len(self.strands))

    def positions(self, strand: int, method: str, path: str) -> Sequence[int]:
        """Where a strand has a method and path."""
        return self._positions.get((strand, method, path), ())

    def bucket(self, strand: int, method: str, path: str) -> Bucket | None:
        """What a strand has of a method and path."""
        place = strand, method, path
        positions = self._positions.get(place)
        if positions is None:
            return None
        if place not in self._buckets:
            self._buckets[place] = Bucket(self.interactions, positions, path, self.rules)
        return self._buckets[place]

    def entry(self, position: int) -> Entry:
        """What chooses an interaction: its number, session, method and target."""
        return self.interactions.entry(position)

    def scopes(self, position: int) -> tuple[str, ...]:
        """What the interaction, a write, covers."""
        one = self.entry(position)
        path = path_of(one)
        begins = coverage.begins(one.method, path)
        by_answer = coverage.begun_scopes(path, self.interactions[position].body) if begins else ()
        return coverage.write_scopes(path) + by_answer

    def writes(self, strand: int, scope: str) -> Sequence[int]:
        """Where the writes of a strand stand that cover this scope."""
        return self._all_writes.get((strand, scope), ())

    @cached_property
    def introduced(self) -> Mapping[str, str]:
        """Ids that a response was the first to name, with their aliases; those of a later tape get its number."""
        found: dict[str, str] = {}
        for number, tape in enumerate(self._tapes):
            table = tape.ids or introduced(sorted(tape.interactions, key=lambda one: one.index)).table
            for alias, identity in table.items():
                found.setdefault(identity, f"{number}:{alias}" if number else alias)
        return found

    def names(self, identity: str) -> bool:
        """Whether an id stands in a request, or a response introduced it."""
        return identity in self.introduced or identity in self._asked

    def open_paths(self, strand: int, method: str, path: str) -> Sequence[str]:
        """Paths that differ from this one in ids alone, and hold one that no response introduced."""
        return self._open.get((strand, method, apart(path)[0]), ())

    @cached_property
    def templates(self) -> Mapping[tuple[str, str], Sequence[int]]:
        """Where the requests of a method and path stand, whatever ids are in the path."""
        found: dict[tuple[str, str], list[int]] = {}
        for (_, method, path), positions in self._positions.items():
            found.setdefault((method, apart(path)[0]), []).extend(positions)
        return {template: sorted(positions) for template, positions in found.items()}

    @cached_property
    def _having(self) -> Mapping[tuple[str, str], Sequence[int]]:
        found: dict[tuple[str, str], list[int]] = {}
        for strand, method, path in self._positions:
            found.setdefault((method, path), []).append(strand)
        return found

    @cached_property
    def _open(self) -> Mapping[_Place, Sequence[str]]:
        found: dict[_Place, list[str]] = {}
        for strand, method, path in self._positions:
            template, ids = apart(path)
            if any(one not in self.introduced for one in ids):
                found.setdefault((strand, method, template), []).append(path)
        return found

    @cached_property
    def _asked(self) -> frozenset[str]:
        return self.interactions.asked

    @cached_property
    def _all_writes(self) -> Mapping[tuple[int, str], Sequence[int]]:
        """With those whose answers name what they cover: only a read needs to know, so only then are they read."""
        for strand, position in self._beginning:
            one = self.interactions[position]
            for scope in coverage.begun_scopes(path_of(one), one.body):
                self._writes.setdefault((strand, scope), []).append(position)
                self._writes[strand, scope].sort()
        return self._writes

    def _add_tape(self, ones: Sequence[Entry], begin: int) -> int:
        names = list(dict.fromkeys(one.session for one in ones))
        strands = {name: strand for strand, name in enumerate(names, len(self.strands))}
        for position, one in enumerate(ones, begin):
            self._add(strands[one.session], position, one)
        self.strands += names
        return len(ones)

    def _add(self, strand: int, position: int, one: Entry) -> None:
        path = path_of(one)
        self._positions.setdefault((strand, one.method, path), []).append(position)
        if one.method in coverage.SAFE:
            return
        for scope in coverage.write_scopes(path):
            self._writes.setdefault((strand, scope), []).append(position)
        if coverage.begins(one.method, path):
            self._beginning.append((strand, position))


def key_of(one: Interaction, rules: Rules) -> Key:
    """A recorded request's key."""
    return key(one.method, one.target, one.request_headers, one.request_body, rules)


def path_of(one: Interaction | Entry) -> str:
    """A recorded path, as requests are compared by it."""
    return unnumbered_text(one.path)
