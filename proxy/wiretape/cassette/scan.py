"""Where each interaction's lines lie in a cassette: one pass that keeps places and no content.

What can be read is told from what cannot: a damaged line is named by its number, what it may have belonged to is
left out, and the rest is usable. Only a first line that says nothing, or another version, refuses the whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Protocol

from msgspec import Struct

from wiretape.cassette.format import VERSION, Header
from wiretape.cassette.lines import PEEK, TAPE, UNREADABLE, TapeLine, is_object, reason
from wiretape.errors import CassetteError

BLOCK_BYTES = 1 << 20
_KINDS = frozenset({"req", "res", "ev", "end"})


class Source(Protocol):
    """The bytes of a cassette, wherever they lie."""

    size: int

    def read(self, start: int, end: int) -> bytes:
        """Give the bytes between two places; fewer where there are no more."""
        ...


class Held:
    """A cassette's bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, start: int, end: int) -> bytes:
        """Give the bytes between two places."""
        return self._data[start:end]


class Damage(Struct, frozen=True):
    """A line that cannot be read, by its number from 1."""

    line: int
    reason: str


class Strip:
    """Where one interaction's lines lie; of several `req` or `res` lines the last counts."""

    __slots__ = ("end", "events", "index", "request", "response")

    def __init__(self, index: int, request: tuple[int, int]) -> None:
        self.index = index
        self.request = request
        self.response: tuple[int, int] | None = None
        self.end: tuple[int, int] | None = None
        self.events = array("Q")
        """Start and end of each stretch of `ev` lines that lie together."""

    def add(self, kind: str, start: int, end: int) -> None:
        """One line more; `end` is behind its line end."""
        if kind == "req":
            self.request = (start, end)
        elif kind == "res":
            self.response = (start, end)
        elif kind == "end":
            self.end = (start, end)
        elif self.events and self.events[-1] == start:
            self.events[-1] = end
        else:
            self.events.extend((start, end))

    @property
    def size(self) -> int:
        """How long its lines are together."""
        held = (self.request, self.response or (0, 0), self.end or (0, 0), *_pairs(self.events))
        return sum(end - start for start, end in held)

    def frames(self, source: Source) -> Iterator[tuple[int, bytes]]:
        """Its `ev` lines, one after the other, each with its place."""
        for start, end in _pairs(self.events):
            yield from (found for found in split(source, start, end) if found[1].strip())


class Scan(Struct, frozen=True, kw_only=True):
    """What lies where in one cassette."""

    header: Header
    ids: dict[str, str]
    strips: tuple[Strip, ...]
    """By index; without the damaged."""
    damage: tuple[Damage, ...]
    good: int
    """Bytes up to the torn last line of a journal: all, where there is none."""
    header_bytes: int


def scan(source: Source, name: str, *, journal: bool = False) -> Scan:
    """Find the lines of each interaction; `name` is the file's, for messages. Raises CassetteError.

    A journal may end in a torn line, which is not looked at.
    """
    good = good_end(source) if journal else source.size
    scanner = _Scanner(name)
    for start, line in split(source, 0, good):
        scanner.feed(start, line)
    return scanner.finish(good)


def split(source: Source, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """(where it starts, a line without its line end), read in blocks."""
    rest, at = b"", begin
    for block in range(begin, end, BLOCK_BYTES):
        *lines, rest = (rest + source.read(block, min(block + BLOCK_BYTES, end))).split(b"\n")
        for line in lines:
            yield at, line
            at += len(line) + 1
    if rest:
        yield at, rest


def good_end(source: Source) -> int:
    """How many bytes are left when a torn last line is cut off.

    A line without its LF is whole if it is an object: no beginning of a JSON object is one.
    """
    start = source.size
    while start > 0:
        block = max(start - BLOCK_BYTES, 0)
        found = source.read(block, start).rfind(b"\n")
        if found >= 0:
            start = block + found + 1
            break
        start = block
    return source.size if is_object(source.read(start, source.size)) else start


def line_number(source: Source, place: int) -> int:
    """The number of the line that starts at this place."""
    blocks = range(0, place, BLOCK_BYTES)
    return 1 + sum(source.read(block, min(block + BLOCK_BYTES, place)).count(b"\n") for block in blocks)


class _Scanner:
    def __init__(self, name: str) -> None:
        self._name = name
        self._number = 0
        self._header: Header | None = None
        self._header_bytes = 0
        self._ids: dict[str, str] = {}
        self._open: dict[int, Strip] = {}
        self._ended: dict[int, Strip] = {}
        self._lost: set[int] = set()
        self._damage: list[Damage] = []

    def feed(self, start: int, line: bytes) -> None:
        self._number += 1
        if not line.strip():
            return
        try:
            peek = PEEK.decode(line)
            if self._header is None or peek.k == "tape":
                self._begin(peek.k, line)
            elif peek.k in _KINDS:
                self._place(peek.k, peek.i, start, start + len(line) + 1)
        except UNREADABLE as error:
            self._spoil(error)

    def finish(self, good: int) -> Scan:
        """What is still open has no `end`."""
        if self._header is None:
            raise self._refused('no cassette begins here; the first line has "k":"tape"')
        left = self._ended | self._open
        return Scan(
            header=self._header,
            ids=self._ids,
            strips=tuple(left[index] for index in sorted(left)),
            damage=tuple(self._damage),
            good=good,
            header_bytes=self._header_bytes,
        )

    def _begin(self, kind: str, line: bytes) -> None:
        if self._header is not None:
            raise ValueError("a second cassette begins here; one file holds one")
        if kind != "tape":
            if kind not in _KINDS:
                return
            raise self._refused('no cassette begins here; the first line has "k":"tape"')
        found = TAPE.decode(line)
        if found.v != VERSION:
            raise self._refused(f"version {found.v} of the format; this version of wiretape reads version {VERSION}")
        for problem in found.match.problems():
            raise ValueError(problem)
        self._header = _header(found)
        self._ids, self._header_bytes = found.ids, len(line)

    def _place(self, kind: str, index: int | None, start: int, end: int) -> None:
        if index is None:
            raise ValueError(f"the `{kind}` line needs `i`, the number of its interaction")
        strip = self._open.get(index)
        if strip is not None:
            strip.add(kind, start, end)
        elif kind == "req":
            self._requested(index, start, end)
        elif index not in self._lost:
            self._lost.add(index)
            raise ValueError(f"interaction {index} is not open here; its `req` line comes first")
        if kind == "end" and strip is not None:
            self._ended[index] = self._open.pop(index)

    def _requested(self, index: int, start: int, end: int) -> None:
        if index in self._ended:
            raise ValueError(f"interaction {index} has ended already")
        if index not in self._lost:
            self._open[index] = Strip(index, (start, end))

    def _spoil(self, error: Exception) -> None:
        """Nobody knows whose line it was: all that were open are left out."""
        if self._header is None:
            raise self._refused(reason(error)) from error
        self._damage.append(Damage(self._number, reason(error)))
        self._lost.update(self._open)
        self._open.clear()

    def _refused(self, why: str) -> CassetteError:
        return CassetteError(f"{self._name}, line {self._number or 1}: {why}.")


def _header(line: TapeLine) -> Header:
    return Header(by=line.by, recorded=line.recorded, upstream=line.upstream, id=line.id, match=line.match)


def _pairs(places: array[int]) -> Iterable[tuple[int, int]]:
    return zip(places[::2], places[1::2], strict=True)
