"""Observers of one exchange, kept from hurting it: one that raises is dropped and counted."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TypeVar

from wiretape.exchange import Chunk, Ending, Head, Observer

Piece = TypeVar("Piece", Chunk, Head, Ending)

_SENT, _HEAD, _END = attrgetter("sent"), attrgetter("head"), attrgetter("end")


class Tee:
    """Hands each piece to all observers, after the other side has it."""

    def __init__(self, *observers: Observer) -> None:
        self.observers = list(observers)
        """Those that were not dropped."""
        self.dropped: list[BaseException] = []
        """What the dropped observers raised."""

    def add(self, observer: Observer) -> None:
        """Let one more watch; only before the first piece."""
        self.observers.append(observer)

    def sent(self, chunk: Chunk) -> None:
        """Tell of a piece of the request's body that was passed on."""
        self._each(_SENT, chunk)

    def head(self, head: Head) -> None:
        """Tell of the response's head."""
        self._each(_HEAD, head)

    def chunk(self, chunk: Chunk) -> None:
        """Tell of a piece of the response's body that the client was given."""
        # Spelled out rather than by _each: this is the per-chunk path.
        for observer in self.observers:
            try:
                observer.chunk(chunk)
            except Exception as error:  # noqa: BLE001  an observer may fail in any way and must not hurt the client
                self._drop(observer, error)

    def end(self, ending: Ending) -> None:
        """Tell how it ended."""
        self._each(_END, ending)

    def _each(self, told: Callable[[Observer], Callable[[Piece], None]], piece: Piece) -> None:
        for observer in self.observers:
            try:
                told(observer)(piece)
            except Exception as error:  # noqa: BLE001  as above
                self._drop(observer, error)

    def _drop(self, observer: Observer, error: Exception) -> None:
        # A new list: the old one is being gone through.
        self.observers = [one for one in self.observers if one is not observer]
        self.dropped.append(error)
