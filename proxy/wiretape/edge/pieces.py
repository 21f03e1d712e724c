"""Pieces of exchanges on their way from the loop to the recorder's thread: bounded, and without a lock."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from wiretape.cassette.recorder import Take
from wiretape.cassette.sample import Sieve
from wiretape.edge.record_options import RecordOptions
from wiretape.exchange import Request

Step = Callable[[Take, Any], list[bytes]]
"""One call of a Take, made later on the writer's thread."""


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


class Queue:
    """Pieces on their way from the caller's thread to the writer's; bounded in number and bytes.

    Each side has its own counter of bytes, so neither needs a lock.
    """

    def __init__(self, options: RecordOptions) -> None:
        self._pieces: deque[tuple[Slot | None, Step, Any, int]] = deque()
        self._pieces_max = options.journal_queue_max
        self._bytes_max = options.journal_queue_bytes_max
        self._put_bytes = 0
        self._taken_bytes = 0
        self.wake = threading.Event()

    @property
    def pieces(self) -> int:
        """How many wait."""
        return len(self._pieces)

    def put(self, slot: Slot, step: Step, value: object, size: int) -> bool:
        """Whether there was room."""
        if len(self._pieces) >= self._pieces_max or self._put_bytes + size - self._taken_bytes > self._bytes_max:
            return False
        self._put_bytes += size
        self._pieces.append((slot, step, value, size))
        if not self.wake.is_set():
            self.wake.set()
        return True

    def force(self, slot: Slot | None, step: Step, value: object = None) -> None:
        """The last piece of an exchange, whatever the bound; without a slot, the name of a session that is over."""
        self._pieces.append((slot, step, value, 0))
        self.wake.set()

    def take(self, pieces_max: int) -> list[tuple[Slot | None, Step, Any]]:
        """What waits now, not what comes meanwhile, and no more than so many."""
        taken = [self._pieces.popleft() for _ in range(min(len(self._pieces), pieces_max))]
        self._taken_bytes += sum(size for *_, size in taken)
        return [(slot, step, value) for slot, step, value, _ in taken]
