"""Places in a text, and the text with something else in them; also where the text is one of several pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct


class Found(Struct, frozen=True):
    """A secret in a text: its place, its type, and what it is without the escapes of that place."""

    start: int
    end: int
    kind: str
    value: bytes
    is_bare: bool = False
    """A JSON value without quotes of its own, in whose place a string is to stand."""


class Edit(Struct, frozen=True):
    """Bytes in the place of others."""

    start: int
    end: int
    new: bytes

    @property
    def growth(self) -> int:
        """Bytes by which the text becomes longer."""
        return len(self.new) - (self.end - self.start)


def apart(found: Iterable[Found]) -> Iterator[Found]:
    """Those that overlap none before them; they come in order."""
    last = 0
    for one in found:
        if one.start >= last:
            yield one
            last = one.end


def applied(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The text with these edits, which are in order and apart."""
    if not edits:
        return data
    pieces, last = [], 0
    for edit in edits:
        pieces += [data[last : edit.start], edit.new]
        last = edit.end
    return b"".join([*pieces, data[last:]])


def moved(cut: int, edits: Sequence[Edit]) -> int:
    """Where a border between two pieces is after these edits: what was put across it stands before it whole."""
    shift = 0
    for edit in edits:
        if edit.end <= cut:
            shift += edit.growth
        elif edit.start < cut:
            return edit.start + shift + len(edit.new)
    return cut + shift


def fitted(reads: Sequence[int], changes: Sequence[tuple[int, int, int]]) -> list[int]:
    """The sizes of reads, in bytes as stored; `changes` are (where, bytes that came, bytes stored), in order.

    A read that ended inside a changed stretch ends there still, or at its end where it became shorter.
    """
    sizes: list[int] = []
    came = stored_before = shift = passed = 0
    for size in reads:
        came += size
        while passed < len(changes) and changes[passed][0] + changes[passed][1] <= came:
            shift += changes[passed][2] - changes[passed][1]
            passed += 1
        stored = came + shift
        if passed < len(changes) and changes[passed][0] < came:
            start, _, length = changes[passed]
            stored = min(came, start + length) + shift
        sizes.append(stored - stored_before)
        stored_before = stored
    return sizes
