"""A cassette's interactions, read when they are asked for: what is kept of each is where it lies and what finds it."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate, chain
from typing import overload

from msgspec import Struct

from wiretape.cassette.draft import Damaged, Shelved, interaction_of
from wiretape.cassette.format import Ended, Interaction
from wiretape.cassette.ids import find
from wiretape.cassette.scan import Strip
from wiretape.errors import CassetteError

CACHE_BYTES_MAX = 64 << 20
"""Bytes of bodies that one cassette keeps at hand; what was served longest ago is read again."""


_PLACES_MIN = 6
"""Request, response and end: where each starts and ends."""


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """What is kept of an interaction: enough to choose it by, and where its lines lie."""

    index: int
    session: str
    method: str
    target: str
    status: int | None
    how: Ended
    places: bytes = b""

    @property
    def path(self) -> str:
        """The target up to the first `?`."""
        return self.target.partition("?")[0]

    @property
    def playable(self) -> bool:
        """Whether it may be served."""
        return self.status is not None and self.how is not Ended.RECORDER


def entry_of(one: Interaction, strip: Strip | None = None) -> Entry:
    """What is kept of an interaction."""
    places = b"" if strip is None else _packed(strip)
    return Entry(one.index, one.session, one.method, one.target, one.status, one.how, places)


def entries_of(interactions: Sequence[Interaction]) -> Sequence[Entry]:
    """What is kept of each of them; nothing is read where they lie on a shelf."""
    return interactions.entries if isinstance(interactions, Shelf) else list(map(entry_of, interactions))


def asked_ids(one: Interaction) -> list[str]:
    """Every id in a request, in order, repeats too."""
    return find(one.target) + find(one.request_body.decode("utf-8", "replace"))


class _OnAccess(Sequence[Interaction]):
    """A sequence whose items are made when they are asked for."""

    @overload
    def __getitem__(self, position: int) -> Interaction: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Interaction]: ...
    def __getitem__(self, position: int | slice) -> Interaction | Sequence[Interaction]:
        if isinstance(position, slice):
            return tuple(self[one] for one in range(*position.indices(len(self))))
        return self._at(position)

    @abstractmethod
    def _at(self, position: int) -> Interaction: ...


class Shelf(_OnAccess):
    """Interactions in a file. Each is read on access, checked against its entry, and kept at hand for a while.

    Access raises CassetteError where the file is no longer what it was.
    """

    def __init__(
        self,
        shelved: Shelved,
        entries: Sequence[Entry],
        name: str,
        foreign: Collection[str],
        cache_bytes_max: int = CACHE_BYTES_MAX,
    ) -> None:
        self.entries = entries
        self.foreign = foreign
        """Ids that a request was the first to name: an id is looked up here, so that no body is read for it."""
        self._shelved = shelved
        self._name = name
        self._cache: OrderedDict[int, Interaction] = OrderedDict()
        self._cache_bytes = 0
        self._cache_bytes_max = cache_bytes_max

    def __len__(self) -> int:
        return len(self.entries)

    def _at(self, position: int) -> Interaction:
        found = self._cache.get(position)
        if found is None:
            return self._kept(position, self._read(self.entries[position]))
        self._cache.move_to_end(position)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(_equal, self, other))

    __hash__ = None  # type: ignore[assignment] # as of every sequence that compares by content

    def _read(self, entry: Entry) -> Interaction:
        try:
            found = interaction_of(self._shelved, _unpacked(entry, self._shelved.source.size))
        except Damaged as error:
            raise CassetteError(f"{self._name}, {error}.") from error
        except IndexError as error:
            raise self._changed() from error
        if (found.method, found.target, found.status, found.how) != (*entry_facts(entry),):
            raise self._changed()
        return found

    def _changed(self) -> CassetteError:
        return CassetteError(
            f"{self._name}: changed since it was opened, or its .idx is of another; remove that, start again."
        )

    def _kept(self, position: int, found: Interaction) -> Interaction:
        self._cache[position] = found
        self._cache_bytes += _size(found)
        while self._cache_bytes > self._cache_bytes_max and len(self._cache) > 1:
            self._cache_bytes -= _size(self._cache.popitem(last=False)[1])
        return found


def entry_facts(entry: Entry) -> tuple[str, str, int | None, Ended]:
    """What an entry says of its interaction that the interaction says itself."""
    return entry.method, entry.target, entry.status, entry.how


class Row(_OnAccess):
    """What can be played of several tapes, one after the other."""

    def __init__(self, tapes: Iterable[Sequence[Interaction]]) -> None:
        self._parts = [(one, entries_of(one)) for one in tapes]
        self._where = [array("Q", _playable(entries)) for _, entries in self._parts]
        self._begins = list(accumulate(map(len, self._where), initial=0))

    @property
    def entries(self) -> Iterable[Entry]:
        """What is kept of each, in order."""
        return (entries[at] for (_, entries), where in zip(self._parts, self._where, strict=True) for at in where)

    @property
    def asked(self) -> frozenset[str]:
        """Ids that requests name, at least those that no answer introduced; nothing is read from a shelf."""
        return frozenset(chain.from_iterable(_asked_in(one) for one, _ in self._parts))

    def entry(self, position: int) -> Entry:
        """What is kept of one."""
        part, at = self._place(position)
        return self._parts[part][1][at]

    def __len__(self) -> int:
        return self._begins[-1]

    def _at(self, position: int) -> Interaction:
        part, at = self._place(position)
        return self._parts[part][0][at]

    def _place(self, position: int) -> tuple[int, int]:
        if not 0 <= position < len(self):
            raise IndexError(position)
        part = bisect_right(self._begins, position) - 1
        return part, self._where[part][position - self._begins[part]]


def _asked_in(interactions: Sequence[Interaction]) -> Iterable[str]:
    if isinstance(interactions, Shelf):
        return interactions.foreign
    return chain.from_iterable(map(asked_ids, interactions))


def _playable(entries: Sequence[Entry]) -> Iterable[int]:
    return (at for at, entry in enumerate(entries) if entry.playable)


def _equal(one: object, other: object) -> bool:
    return one == other


def _size(one: Interaction) -> int:
    return len(one.body) + len(one.request_body)


def _packed(strip: Strip) -> bytes:
    places = (*strip.request, *(strip.response or (0, 0)), *(strip.end or (0, 0)), *strip.events)
    return array("Q", places).tobytes()


def _unpacked(entry: Entry, size: int) -> Strip:
    """Raises IndexError for places that no file of this size has: an index may be anybody's."""
    places = array("Q")
    places.frombytes(entry.places[: len(entry.places) // 16 * 16])
    if len(places) < _PLACES_MIN or max(places) > size + 1:
        raise IndexError
    strip = Strip(entry.index, (places[0], places[1]))
    strip.response = (places[2], places[3]) if places[3] else None
    strip.end = (places[4], places[5]) if places[5] else None
    strip.events = places[6:]
    return strip
