"""An event stream on its way to lines, frame by frame."""

from __future__ import annotations

import hashlib
from array import array

from wiretape.cassette.format import SHA_DIGITS, frame_line
from wiretape.cassette.ids import Aliases
from wiretape.cassette.mould import Mould, mould_of
from wiretape.cassette.redact import Redactor
from wiretape.cassette.veil import Veil
from wiretape.cassette.withheld import Stored, Withheld
from wiretape.wire.sse import Framer

_NO_ALIASES = Aliases()


class Stream:
    """An event stream on its way to lines, frame by frame."""

    def __init__(self, index: int, redactor: Redactor, lookback: int, frame_bytes_max: int, veil: Veil | None) -> None:
        self._veil = veil
        self._redactor = redactor
        self._mould: Mould | None = None
        self._index = index
        self._withheld = Withheld(redactor, lookback, frame_bytes_max)
        self._framer = Framer(frame_bytes_max)
        self.known = redactor.known
        """What was looked for when it began."""
        self._hash = hashlib.sha256()
        self._at = 0
        self.size = 0
        """Bytes that were stored."""
        self.reads = array("Q")
        """Bytes of each read."""
        self.changes: list[tuple[int, int, int]] = []
        """(where, bytes that came, bytes stored) for each frame that redaction made longer or shorter."""

    @property
    def sha(self) -> str:
        """Of what was stored so far, as it stands in the `end` line."""
        return self._hash.hexdigest()[:SHA_DIGITS]

    def feed(self, data: bytes) -> list[bytes]:
        """The lines of one read; raises FrameTooLarge."""
        self.reads.append(len(data))
        return [line for frame in self._framer.feed(data) for line in self._lines(frame.raw)]

    def finish(self) -> list[bytes]:
        """The lines that are left when it has ended."""
        lines = [self._line(one) for frame in self._framer.finish() for one in self._withheld.feed(frame.raw)]
        return lines + [self._line(one) for one in self._withheld.finish()]

    @property
    def passed(self) -> int:
        """Times a bound let go what might have begun a secret."""
        return self._withheld.passed

    def _lines(self, frame: bytes) -> list[bytes]:
        """A frame like the last but for a harmless word gives its line at once; any other when it need wait no more."""
        mould = self._mould
        word = None if mould is None else mould.word(frame, self._redactor.known)
        if mould is not None and word is not None and self._withheld.passes(mould.channel, word):
            self._count(frame)
            return [mould.line(frame)]
        found = list(self._withheld.feed(frame))
        lines = [self._line(one) for one in found]
        if self._veil is None and len(found) == 1 and found[0].stored == frame:
            self._mould = mould_of(frame, lines[0], self._redactor, mould)
        return lines

    def _count(self, stored: bytes) -> None:
        self._at += len(stored)
        self.size += len(stored)
        self._hash.update(stored)

    def _line(self, one: Stored) -> bytes:
        came, size = len(one.came), len(one.stored)
        if size != came:
            self.changes.append((self._at, came, size))
        self._at += came - size
        stored = one.stored if self._veil is None else self._veil.frame(one.stored)
        self._count(stored)
        mould = self._mould
        if mould is not None and mould.word(stored, mould.known) is not None:
            return mould.line(stored)
        return frame_line(self._index, stored, _NO_ALIASES)
