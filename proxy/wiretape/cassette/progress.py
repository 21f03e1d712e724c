"""How far a session has come in a library: what was played, and so what is played next.

Equal requests are answered in recorded order. Reads respect writes: a GET is answered from between the last write
that covers it and that the session has made and the first that it has not, by count and not by time; the last answer
of such a stretch is repeated. What was read of a thread is never older than what was read of it before, where there
is anything newer in the stretch.

All of it within one strand, which is one recording session of one tape. Those that have the session's own name are
looked in first, then the others; of these the one that was answered from last goes first, and only where none has an
answer that was not given yet is the last one given again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal

from wiretape.cassette.coverage import SAFE
from wiretape.cassette.recordings import Bucket, Recordings
from wiretape.cassette.windows import Windows

Polls = Literal["recorded", "collapse"]
"""Whether each poll is answered as it was, or the second by the last answer of its stretch."""

_Slot = tuple[int, bytes]
"""The equal requests of one strand."""


class Progress:
    """What one session has played."""

    def __init__(self, library: Recordings, name: str, polls: Polls = "recorded") -> None:
        self.passed: set[int] = set()
        """What was played, and the polls that were jumped by a later one."""
        self.answers: set[int] = set()
        """What was played since this was last cleared, by whoever reads it."""
        self.latest = 0
        self._library = library
        self._own = frozenset(strand for strand, named in enumerate(library.strands) if named == name)
        self._polls = polls
        self._windows = Windows(library)
        self._reads: dict[_Slot, int] = {}
        self._read_in: dict[_Slot, Bucket] = {}
        self._seen: dict[tuple[int, str], int] = {}
        self._writes: dict[_Slot, int] = {}
        self._followed = 0
        self._left_from = 0

    def order(self, strands: Sequence[int] | None = None) -> Iterable[int]:
        """These strands, or all of them, in the order in which they are looked in."""
        return chain(*self._groups(range(len(self._library.strands)) if strands is None else strands))

    def play(self, method: str, path: str, digest: bytes) -> int | None:
        """Play the next of equal requests in any strand; None where there is none that may be played now."""
        strands = self._library.having(method, path)
        if len(strands) == 1:
            return self.take(strands[0], method, path, digest)
        turns = ((strand, again) for group in self._groups(strands) for again in (False, True) for strand in group)
        found = (self.take(strand, method, path, digest, again=again) for strand, again in turns)
        return next((position for position in found if position is not None), None)

    def _groups(self, strands: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Those of the session's own name, and the others; the one that was answered from last goes first."""
        ordered = sorted(strands, key=lambda strand: strand != self._followed)
        own = [strand for strand in ordered if strand in self._own]
        return own, [strand for strand in ordered if strand not in self._own]

    def take(self, strand: int, method: str, path: str, digest: bytes, *, again: bool = True) -> int | None:
        """The same in one strand; unless `again`, what was given already does not count."""
        bucket = self._library.bucket(strand, method, path)
        if bucket is None:
            return None
        slot = strand, digest
        position = self._read(bucket, slot, again=again) if method in SAFE else self._write(bucket, slot)
        if position is not None:
            self._followed, self.latest = strand, position
            self.passed.add(position)
            self.answers.add(position)
        return position

    def left(self) -> Iterator[int]:
        """Where what was not played yet stands, in recorded order."""
        size = len(self._library.interactions)
        while self._left_from < size and self._left_from in self.passed:
            self._left_from += 1
        return (position for position in range(self._left_from, size) if position not in self.passed)

    def unplayed(self) -> list[int]:
        """The same without the reads that a write has jumped, where the session has read there before."""
        jumped = {position for slot, bucket in self._read_in.items() for position in self._jumped(slot, bucket)}
        return [position for position in self.left() if position not in jumped]

    def why_not(self, method: str, path: str, digest: bytes) -> tuple[int, str | None]:
        """How often an equal request was recorded, and why none is played where it is not that all were."""
        times, why = 0, None
        for strand in self.order(self._library.having(method, path)):
            bucket = self._library.bucket(strand, method, path)
            found = [] if bucket is None else bucket.all(digest)
            times += len(found)
            if bucket is not None and found and method in SAFE and why is None:
                why = self._between(found, *self._windows.window(strand, bucket.scopes))
        return times, why

    def _read(self, bucket: Bucket, slot: _Slot, *, again: bool) -> int | None:
        """The next answer of the stretch that the session is in, or its last one again."""
        found, start, stop = bucket.between(slot[1], *self._windows.window(slot[0], bucket.scopes))
        last, whole = self._reads.get(slot, -1), (slot[0], bucket.scopes[-1])
        if start == stop or (found[stop - 1] <= last and not again):
            return None
        place = self._place(found, start, stop, last, self._seen.get(whole, -1))
        self.passed.update(found[bisect_left(found, last) : place])
        self._reads[slot], self._read_in[slot] = found[place], bucket
        self._seen[whole] = max(found[place], self._seen.get(whole, -1))
        return found[place]

    def _place(self, found: list[int], start: int, stop: int, last: int, seen: int) -> int:
        """Which of a stretch: the first that is after all that was read of the same thread, or else the last."""
        if self._polls == "collapse" and last >= found[start]:
            return stop - 1
        return min(bisect_right(found, seen, start, stop), stop - 1)

    def _write(self, bucket: Bucket, slot: _Slot) -> int | None:
        count = self._writes.get(slot, 0)
        position = bucket.nth(slot[1], count)
        if position is not None:
            self._writes[slot] = count + 1
            self._windows.write(slot[0], position)
        return position

    def _jumped(self, slot: _Slot, bucket: Bucket) -> Iterable[int]:
        after, _ = self._windows.window(slot[0], bucket.scopes)
        found, _, stop = bucket.between(slot[1], -1, after)
        return found[:stop]

    def _between(self, found: list[int], after: int, before: int) -> str:
        if found[-1] > before:
            return f"but after {self._name_of(before)}, which this session has not made"
        return f"but before {self._name_of(after)}, which this session has made"

    def _name_of(self, position: int) -> str:
        one = self._library.entry(position)
        return f"#{one.index} {one.method} {one.target}"
