"""An event stream on its way to lines, frame by frame."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence

from wiretape.cassette.format import SHA_DIGITS, frame_line
from wiretape.cassette.ids import Aliases
from wiretape.cassette.mould import WORD_BYTES_MAX, Mould, mould_of
from wiretape.cassette.redact import Redactor
from wiretape.cassette.veil import Veil
from wiretape.cassette.withheld import Stored, Withheld
from wiretape.wire.sse import Framer

_NO_ALIASES = Aliases()
_TOGETHER_MAX = 64
_WAITING_BYTES_MAX = 256
"""Of words that wait together until it is known that they begin no secret; more take the long way."""


class Stream:
    """An event stream on its way to lines, frame by frame."""

    def __init__(self, index: int, redactor: Redactor, lookback: int, frame_bytes_max: int, veil: Veil | None) -> None:
        self._veil = veil
        self._redactor = redactor
        self._mould: Mould | None = None
        self._frames: list[bytes] = []
        """Those that wait and fit the mould: the word of the first may begin a secret."""
        self._words: list[bytes] = []
        self._index = index
        self._withheld = Withheld(redactor, lookback, frame_bytes_max)
        self._framer = Framer(frame_bytes_max)
        self._frame_bytes_max = frame_bytes_max
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

    def feed(self, *reads: bytes) -> Iterable[bytes]:
        """The lines of some reads, one or several at a time; raises FrameTooLarge behind those that came before it."""
        self.reads.extend(map(len, reads))
        mould = self._mould
        words = mould.words(reads) if mould is not None and self._framer.may_begin(reads[0]) else []
        # Spelled out for what comes nearly always: 500 streams at once bring one read or two each time.
        if mould is None or len(words) < len(reads):
            return self._lines(reads, are_cut=False)
        return self._together(mould, reads, words)

    def finish(self) -> Iterator[bytes]:
        """The lines that are left when it has ended."""
        yield from self._long_way(*[frame.raw for frame in self._framer.finish()])
        yield from map(self._line, self._withheld.finish())

    @property
    def passed(self) -> int:
        """Times a bound let go what might have begun a secret."""
        return self._withheld.passed

    def _lines(self, pieces: Sequence[bytes], *, are_cut: bool) -> Iterator[bytes]:
        """Frames like the last but for a harmless word give their lines together; any other takes the long way.

        A read like that is such a frame, where nothing is left of the read before.
        """
        at = 0
        while at < len(pieces):
            mould, some = self._mould, pieces[at : at + _TOGETHER_MAX]
            is_apart = are_cut or self._framer.may_begin(some[0])
            words = mould.words(some) if mould is not None and is_apart else []
            if mould is not None and words:
                yield from self._together(mould, some[: len(words)], words)
            else:
                yield from self._long_way(some[0]) if are_cut else self._cut(some[0])
            at += len(words) or 1

    def _cut(self, read: bytes) -> Iterator[bytes]:
        return self._lines([frame.raw for frame in self._framer.feed(read)], are_cut=True)

    def _together(self, mould: Mould, frames: Sequence[bytes], words: list[bytes]) -> Iterable[bytes]:
        """The lines of frames that fit, as far as they need not wait."""
        if self._frames:
            frames, words = [*self._frames, *frames], [*self._words, *words]
            self._frames, self._words = [], []
        count = self._withheld.passing(mould.channel, words) if mould.known is self._redactor.known else None
        if count == len(words):
            self._count(b"".join(frames))
            return (mould.lines(words),)
        return self._partly(mould, frames, words, count)

    def _partly(self, mould: Mould, frames: Sequence[bytes], words: list[bytes], count: int | None) -> Iterator[bytes]:
        """The lines of the first so many; the others wait, as the next will most often show that they may go."""
        if count:
            self._count(b"".join(frames[:count]))
            yield mould.lines(words[:count])
        self._frames, self._words = [*frames[count or 0 :]], words[count or 0 :]
        if count is None or sum(map(len, self._words)) > _WAITING_BYTES_MAX:
            yield from self._long_way()

    def _long_way(self, *frames: bytes) -> Iterator[bytes]:
        """The lines of frames that are looked at one by one, behind those that wait; each when it need wait no more."""
        frames, self._frames, self._words = (*self._frames, *frames), [], []
        for frame in frames:
            found = list(self._withheld.feed(frame))
            lines = [self._line(one) for one in found]
            is_fit = self._veil is None and len(frame) <= self._frame_bytes_max - WORD_BYTES_MAX
            if is_fit and len(found) == 1 and found[0].stored == frame:
                self._mould = mould_of(frame, lines[0], self._redactor, self._mould)
            yield from lines

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
        words = mould.words([stored]) if mould is not None else []
        if mould is not None and words:
            return mould.lines(words)
        return frame_line(self._index, stored, _NO_ALIASES)
