"""Pieces of exchanges on their way from the loop to the recorder's thread: bounded, and without a lock.

They come as they happened, those of many exchanges in turn; they are given exchange by exchange, because what one
has to do is done for several pieces at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from wiretape.cassette.recorder import Take
from wiretape.cassette.sample import Sieve
from wiretape.edge.record_options import RecordOptions
from wiretape.exchange import Request

Step = Callable[..., Iterable[bytes]]
"""One call of a Take with what it is told, made later on the writer's thread."""
BATCH_PIECES_MAX = 32
_BATCH_BYTES_MAX = 64 << 10


class Slot:
    """One exchange's place in the recording."""

    __slots__ = ("closed", "index", "overrun", "request", "sieve", "take")

    def __init__(self, index: int, request: Request) -> None:
        self.index = index
        self.request = request
        self.overrun = False
        """The caller found no room: it puts nothing more."""
        self.closed = False
        """The writer is done with it, at its end or before."""
        self.take: Take | None = None
        """Made by the writer, because making it looks for secrets."""
        self.sieve: Sieve | None = None
        """Where not all conversations are recorded."""


class Batch(Struct):
    """Pieces of one exchange that follow each other."""

    slot: Slot
    calls: list[tuple[Step, list[Any]]] = []
    """What is made of them; pieces of a body that follow each other are handled in one call."""
    pieces: int = 0
    bytes: int = 0

    @property
    def is_full(self) -> bool:
        """Whether handling more would hold the interpreter for too long."""
        return self.pieces >= BATCH_PIECES_MAX or self.bytes >= _BATCH_BYTES_MAX

    def add(self, step: Step, value: object, size: int) -> None:
        """One more piece."""
        if step is Take.chunks and self.calls and self.calls[-1][0] is step:
            self.calls[-1][1].append(value)
        else:
            self.calls.append((step, [value]))
        self.pieces += 1
        self.bytes += size


class Queue:
    """Pieces on their way from the caller's thread to the writer's; bounded in number and bytes.

    Each side has its own counters, so neither needs a lock. What was taken counts until it is `done`.
    """

    def __init__(self, options: RecordOptions) -> None:
        self._pieces: deque[tuple[Slot | None, Step, Any, int]] = deque()
        self._pieces_max = options.journal_queue_max
        self._bytes_max = options.journal_queue_bytes_max
        self._put = self._put_bytes = 0
        self._done = self._done_bytes = 0
        self.wake = threading.Event()

    @property
    def pieces(self) -> int:
        """How many wait, or are being written."""
        return self._put - self._done

    def put(self, slot: Slot, step: Step, value: object, size: int) -> bool:
        """Whether there was room."""
        if self._put - self._done >= self._pieces_max or self._put_bytes + size - self._done_bytes > self._bytes_max:
            return False
        self._pieces.append((slot, step, value, size))
        self._put += 1
        self._put_bytes += size
        if not self.wake.is_set():
            self.wake.set()
        return True

    def force(self, slot: Slot | None, step: Step, value: object = None) -> None:
        """The last piece of an exchange, whatever the bound; without a slot, the name of a session that is over."""
        self._pieces.append((slot, step, value, 0))
        self._put += 1
        self.wake.set()

    def take(self) -> tuple[list[Batch], str | None]:
        """What waits now, not what comes meanwhile, up to the end of a session: exchange by exchange, and its name."""
        batches: dict[Slot, list[Batch]] = {}
        name: str | None = None
        for _ in range(len(self._pieces)):
            slot, step, value, size = self._pieces.popleft()
            if slot is None:
                name = value
                break
            of_slot = batches.get(slot)
            if of_slot is None:
                of_slot = batches[slot] = [Batch(slot)]
            elif of_slot[-1].is_full:
                of_slot.append(Batch(slot))
            of_slot[-1].add(step, value, size)
        return [batch for one in batches.values() for batch in one], name

    def done(self, pieces: int, size: int) -> None:
        """So many pieces of so many bytes need no room any more."""
        self._done += pieces
        self._done_bytes += size
