"""Collects a live answer, bounded, and has it held against the recorded one when it has come to its end."""

from __future__ import annotations

from wiretape.cassette.coding import decoded
from wiretape.cassette.format import Interaction
from wiretape.cassette.shape import Answered
from wiretape.cassette.verify import Verifier
from wiretape.errors import BodyTooLarge, DecodeFailed
from wiretape.exchange import Chunk, Ending, Head, How


class Comparing:
    """The Observer of one exchange in `verify`; what is over `bytes_max` or ends early is counted, not compared."""

    def __init__(self, verifier: Verifier, recorded: Interaction, bytes_max: int) -> None:
        self._verifier = verifier
        self._recorded = recorded
        self._room = bytes_max
        self._bytes_max = bytes_max
        self._head: Head | None = None
        self._pieces: list[bytes] = []

    def sent(self, chunk: Chunk) -> None:
        """Know the request already."""

    def head(self, head: Head) -> None:
        """Keep it."""
        self._head = head

    def chunk(self, chunk: Chunk) -> None:
        """Keep it while there is room."""
        self._room -= len(chunk.data)
        if self._room >= 0:
            self._pieces.append(chunk.data)
        else:
            self._pieces.clear()

    def end(self, ending: Ending) -> None:
        """Compare what is whole."""
        live = self._live() if ending.how is How.COMPLETE and self._room >= 0 else None
        if live is None:
            self._verifier.uncompared += 1
        else:
            self._verifier.compare(self._recorded, live)

    def _live(self) -> Answered | None:
        if self._head is None:
            return None
        try:
            plain = decoded(self._pieces, self._head.headers, self._bytes_max)
        except (BodyTooLarge, DecodeFailed):
            return None
        return Answered(self._head.status, plain.headers, plain.body)
