"""How far a session has come in a library: what was played, and so what is played next.

Equal requests are answered in recorded order. Reads respect writes: a GET is answered from between the last write
that covers it and that the session has made and the first that it has not, by count and not by time; the last answer
of such a stretch is repeated. What was read of a thread is never older than what was read of it before, where there
is anything newer in the stretch. All of it within one recording session: the session's own name is looked in first,
then the one that was answered from last, then the others in order of appearance.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Literal

from wiretape.cassette.coverage import SAFE, read_scopes
from wiretape.cassette.format import Interaction
from wiretape.cassette.recordings import Bucket, Recordings, path_of
from wiretape.cassette.windows import Windows

Polls = Literal["recorded", "collapse"]
"""Whether each poll is answered as it was, or the second by the last answer of its stretch."""

_Slot = tuple[str, bytes]
"""The equal requests of one recording session."""


class Progress:
    """What one session has played."""

    def __init__(self, library: Recordings, name: str, polls: Polls = "recorded") -> None:
        self.passed: set[int] = set()
        """What was played, and the polls that were jumped by a later one."""
        self.answers: set[int] = set()
        """What was played since this was last cleared, by whoever reads it."""
        self.latest = 0
        self._library = library
        self._name = name
        self._polls = polls
        self._windows = Windows(library)
        self._reads: dict[_Slot, int] = {}
        self._seen: dict[tuple[str, str], int] = {}
        self._writes: dict[_Slot, int] = {}
        self._followed = name
        self._left_from = 0

    def order(self) -> Iterable[str]:
        """The recording sessions in the order in which they are looked in."""
        sessions = self._library.sessions
        return sessions if len(sessions) <= 1 else dict.fromkeys((self._name, self._followed, *sessions))

    def take(self, session: str, method: str, path: str, digest: bytes) -> int | None:
        """Play the next of equal requests; None where there is none that may be played now."""
        bucket = self._library.bucket(session, method, path)
        if bucket is None:
            return None
        slot = session, digest
        position = self._read(bucket, slot, path) if method in SAFE else self._write(bucket, slot)
        if position is not None:
            self._followed, self.latest = session, position
            self.passed.add(position)
            self.answers.add(position)
        return position

    def left(self) -> Iterator[Interaction]:
        """What was not played yet, in recorded order."""
        ones = self._library.interactions
        while self._left_from < len(ones) and self._left_from in self.passed:
            self._left_from += 1
        return (ones[position] for position in range(self._left_from, len(ones)) if position not in self.passed)

    def unplayed(self) -> list[Interaction]:
        """The same without the reads that a write has jumped, where the session has read there before."""
        jumped = {position for slot, at in self._reads.items() for position in self._jumped(slot, at)}
        ones = enumerate(self._library.interactions)
        return [one for position, one in ones if position not in jumped and position not in self.passed]

    def why_not(self, method: str, path: str, digest: bytes) -> tuple[int, str | None]:
        """How often an equal request was recorded, and why none is played where it is not that all were."""
        times, why = 0, None
        for session in self.order():
            bucket = self._library.bucket(session, method, path)
            found = [] if bucket is None else bucket.all(digest)
            times += len(found)
            if found and method in SAFE and why is None:
                why = self._between(found, *self._windows.window(session, path))
        return times, why

    def _read(self, bucket: Bucket, slot: _Slot, path: str) -> int | None:
        """The next answer of the stretch that the session is in, or its last one again.

        Next is what was recorded after all that was read of the same thread: other reads must not go back either.
        """
        found, start, stop = bucket.between(slot[1], *self._windows.window(slot[0], path))
        if start == stop:
            return None
        last, whole = self._reads.get(slot, -1), (slot[0], read_scopes(path)[-1])
        is_again = last >= found[start]
        at = (
            stop
            if is_again and self._polls == "collapse"
            else bisect_right(found, self._seen.get(whole, -1), start, stop)
        )
        place = min(at, stop - 1)
        self.passed.update(found[bisect_left(found, last) : place])
        self._reads[slot] = found[place]
        self._seen[whole] = max(found[place], self._seen.get(whole, -1))
        return found[place]

    def _write(self, bucket: Bucket, slot: _Slot) -> int | None:
        count = self._writes.get(slot, 0)
        position = bucket.nth(slot[1], count)
        if position is not None:
            self._writes[slot] = count + 1
            self._windows.write(slot[0], position)
        return position

    def _jumped(self, slot: _Slot, at: int) -> Iterable[int]:
        one = self._library.interactions[at]
        path = path_of(one)
        bucket = self._library.bucket(slot[0], one.method, path)
        after, _ = self._windows.window(slot[0], path)
        found, _, stop = bucket.between(slot[1], -1, after) if bucket is not None else ([], 0, 0)
        return found[:stop]

    def _between(self, found: list[int], after: int, before: int) -> str:
        if found[-1] > before:
            return f"but after {self._name_of(before)}, which this session has not made"
        return f"but before {self._name_of(after)}, which this session has made"

    def _name_of(self, position: int) -> str:
        one = self._library.interactions[position]
        return f"#{one.index} {one.method} {one.target}"
