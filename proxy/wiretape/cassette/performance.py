"""An answer as it is going to be served: its head, when each piece leaves, how it ends; and how to change one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from wiretape.cassette.format import Ended, Interaction
from wiretape.cassette.pace import PaceOptions, Piece, schedule
from wiretape.cassette.polls import hurried
from wiretape.exchange import Headers
from wiretape.wire.headers import is_event_stream
from wiretape.wire.sse import Framer

_FRAME_BYTES_MAX = 1 << 31


class Event(Struct, frozen=True):
    """An event of a stream: where its frame begins and ends in the body, its name and its data."""

    start: int
    stop: int
    name: str
    data: bytes


class Performance(Struct, frozen=True, kw_only=True):
    """What is served: made of an interaction by `perform`, changed by faults."""

    status: int
    headers: Headers
    pieces: tuple[Piece, ...]
    how: Ended = Ended.COMPLETE

    @property
    def body(self) -> bytes:
        """All bytes."""
        return b"".join(data for _, data in self.pieces)

    @property
    def is_stream(self) -> bool:
        """Whether the body is made of events."""
        return is_event_stream(self.headers)

    @property
    def events(self) -> tuple[Event, ...]:
        """The whole frames that have data; blocks of comments are none."""
        return tuple(_events(self.body)) if self.is_stream else ()

    def until(self, place: int, how: Ended) -> Performance:
        """The same up to this byte, and then this end."""
        return replace(self, pieces=_before(self.pieces, place), how=how)

    def spliced(self, start: int, stop: int, data: bytes) -> Performance:
        """The same with other bytes from `start` to `stop`; they leave when the byte at `start` would have left."""
        at_s = self._leaves_s(start + 1)
        pieces = *_before(self.pieces, start), (at_s, data), *_behind(self.pieces, stop)
        return replace(self, pieces=tuple((offset, one) for offset, one in pieces if one))

    def paused(self, place: int, for_s: float) -> Performance:
        """The same, but what comes after this byte leaves so much later."""
        later = ((offset + for_s, data) for offset, data in _behind(self.pieces, place))
        return replace(self, pieces=(*_before(self.pieces, place), *later))

    def recut(self, sizes: Iterator[int]) -> Performance:
        """The same bytes in other pieces: each leaves when its last byte would have left, so none leaves early."""
        body, pieces, start = self.body, list[Piece](), 0
        ends = self._ends()
        while start < len(body):
            stop = min(start + next(sizes), len(body))
            pieces.append((self.pieces[bisect_left(ends, stop)][0], body[start:stop]))
            start = stop
        return replace(self, pieces=tuple(pieces))

    def _ends(self) -> list[int]:
        return list(accumulate(len(data) for _, data in self.pieces))

    def _leaves_s(self, count: int) -> float:
        """When the first `count` bytes have left; for more than there are, when all have."""
        last = len(self.pieces) - 1
        return self.pieces[min(bisect_left(self._ends(), count), last)][0] if self.pieces else 0.0


def perform(interaction: Interaction, speed: float = 0.0, options: PaceOptions | None = None) -> Performance:
    """An interaction that is playable, at a pace."""
    pieces = tuple(schedule(interaction, speed, options))
    status = interaction.status or 0  # one without a status is not playable, and never comes here
    headers = interaction.served_headers if speed else hurried(interaction)
    return Performance(status=status, headers=headers, pieces=pieces, how=interaction.how)


def _before(pieces: Iterable[Piece], place: int) -> tuple[Piece, ...]:
    return tuple((offset, data[: place - start]) for start, offset, data in _placed(pieces) if start < place)


def _behind(pieces: Iterable[Piece], place: int) -> tuple[Piece, ...]:
    cut = ((offset, data[max(place - start, 0) :]) for start, offset, data in _placed(pieces))
    return tuple((offset, data) for offset, data in cut if data)


def _placed(pieces: Iterable[Piece]) -> Iterator[tuple[int, float, bytes]]:
    start = 0
    for offset, data in pieces:
        yield start, offset, data
        start += len(data)


def _events(body: bytes) -> Iterator[Event]:
    framer, start = Framer(_FRAME_BYTES_MAX), 0
    for frame in framer.feed(body) + framer.finish():
        stop = start + len(frame.raw)
        if frame.data is not None and frame.whole:
            yield Event(start, stop, frame.event, frame.data)
        start = stop
