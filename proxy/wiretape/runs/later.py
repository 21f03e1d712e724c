"""Chunks of a stream that may be read a moment later, and then several at once."""

from __future__ import annotations

from collections.abc import Sequence

from wiretape.dialects.events import Dialect
from wiretape.exchange import Chunk

CHUNKS_MAX = 16
"""Chunks of one stream that wait."""
BYTES_MAX = 1024
"""Of a chunk that may wait."""
WAIT_NS = 1_000_000_000
"""Since chunks were last read, before one is read at once: so a run that writes slowly is known to write."""


class Later:
    """Holds chunks that are one delta each: they change no run's state, so nobody else's request depends on them.

    With hundreds of streams in turns each event finds the caches full of the others': read together they cost half.
    """

    def __init__(self, dialect: Dialect | None) -> None:
        self._dialect = dialect
        self._held: list[Chunk] = []
        self._read_ns: int | None = None

    def due(self, chunk: Chunk) -> Sequence[Chunk]:
        """Take a chunk; gives what is to be read now, in order."""
        self._held.append(chunk)
        if self._may_wait(chunk):
            return ()
        self._read_ns = chunk.at_ns
        return self.rest()

    def rest(self) -> Sequence[Chunk]:
        """Give all that waits."""
        held, self._held = self._held, []
        return held

    def _may_wait(self, chunk: Chunk) -> bool:
        if self._read_ns is None or chunk.at_ns - self._read_ns >= WAIT_NS or len(self._held) >= CHUNKS_MAX:
            return False
        return len(chunk.data) <= BYTES_MAX and self._dialect is not None and self._dialect.is_delta(chunk.data)
