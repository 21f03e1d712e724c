"""A stream's frames on their way to the journal: one is withheld while a secret may go on in the next.

A model's words come in deltas, and a server cuts them where it likes: inside a key, too. So the pieces of each text
(`deltas`) are looked at together. A frame waits as long as one of its pieces ends in what may be the beginning of a
secret, and all behind it wait with it; then the secret's placeholder stands in the piece where it began, and the rest
of it is taken out of those that follow. At most `lookback` bytes of one text wait, and `bytes_max` of frames: beyond
that what was found so far is taken out and the rest is let go.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

from msgspec import Struct

from wiretape.cassette.deltas import Piece, pieces
from wiretape.cassette.edits import Edit, Found, apart, applied, moved
from wiretape.cassette.redact import Redactor

_CONTEXT_BYTES = 256
"""Of what was let go is kept in sight: a name before a value, a word before a key."""
_NEAR_BYTES = 96
"""The same, where nothing has begun."""


class Stored(Struct, frozen=True):
    """A frame as it came, and as it is stored."""

    came: bytes
    stored: bytes


class _Part(Struct):
    """A piece of a text; `is_open` while a secret may go on behind it."""

    text: bytes
    is_open: bool = True


class _Frame(Struct):
    """A frame that waits, and its pieces."""

    came: bytes
    places: list[Piece]
    parts: list[_Part]

    @property
    def is_open(self) -> bool:
        return any(part.is_open for part in self.parts)

    def stored(self) -> bytes:
        """With its pieces as they have become."""
        spans = zip(self.places, self.parts, strict=True)
        return applied(self.came, [Edit(place.start, place.end, part.text) for place, part in spans])


class Withheld:
    """The frames of one stream: `feed` each as it comes, then `finish`; both give those that may be written."""

    def __init__(self, redactor: Redactor, lookback: int, bytes_max: int) -> None:
        self._redactor = redactor
        self._lookback = lookback
        self._bytes_max = bytes_max
        self._frames: deque[_Frame] = deque()
        self._texts: dict[bytes, _Text] = {}
        self._held_bytes = 0
        self.passed = 0
        """Times a bound was passed."""

    def feed(self, frame: bytes) -> Iterable[Stored]:
        """One frame; gives those that need wait no longer, in order."""
        places = pieces(frame)
        if not self._frames and self._may_go(frame, places):
            return (Stored(frame, self._redactor.text(frame)),)
        for text in self.hold(frame, places):
            self.passed += text.settle(self._redactor, self._lookback)
        if self._held_bytes > self._bytes_max:
            self.passed += 1
            self._close()
        return self._released()

    def passing(self, channel: bytes, words: Sequence[bytes]) -> int | None:
        """How many pieces may go at once, whose frames hold nothing else and which are harmless (`mould`) each.

        None where they have to be fed after all.
        """
        return None if self._frames else self._text(channel).passing(words, self._redactor)

    def _text(self, channel: bytes) -> _Text:
        text = self._texts.get(channel)
        if text is None:
            text = self._texts[channel] = _Text()
        return text

    def _may_go(self, frame: bytes, places: Sequence[Piece]) -> bool:
        """Nothing had begun before, and nothing begins here that goes on: so it is with nearly all frames."""
        fed = [(self._text(one.channel), frame[one.start : one.end]) for one in places]
        if not all(text.ends_well(piece, self._redactor) for text, piece in fed):
            return False
        for text, piece in fed:
            text.add(piece)
        return True

    def hold(self, frame: bytes, places: list[Piece]) -> list[_Text]:
        """One frame, which waits for the end in any case; gives the texts it has pieces of."""
        parts = [_Part(frame[place.start : place.end]) for place in places]
        self._frames.append(_Frame(frame, places, parts))
        self._held_bytes += len(frame)
        for place, part in zip(places, parts, strict=True):
            self._text(place.channel).parts.append(part)
        return [self._texts[channel] for channel in dict.fromkeys(place.channel for place in places)]

    def finish(self) -> Iterator[Stored]:
        """What is left when the stream has ended."""
        self._close()
        return self._released()

    def _close(self) -> None:
        for text in self._texts.values():
            text.settle(self._redactor, 0)

    def _released(self) -> Iterator[Stored]:
        while self._frames and not self._frames[0].is_open:
            frame = self._frames.popleft()
            self._held_bytes -= len(frame.came)
            yield Stored(frame.came, self._redactor.text(frame.stored()))


class _Text:
    """One text that comes in pieces: those that are open, and some of what went before."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self._before = b""
        self._is_passed = False
        """Whether it was let go once although something had begun: it is then looked at closely to its end."""

    def ends_well(self, piece: bytes, redactor: Redactor) -> bool:
        """Whether nothing begins in this piece that may go on behind it; what is inside is its frame's own affair."""
        near = self._before[-_NEAR_BYTES:]
        return redactor.begun(near + piece, len(near)) == len(near) + len(piece)

    def passing(self, words: Sequence[bytes], redactor: Redactor) -> int | None:
        """How many of these may go, by what they make together; they are then part of what was let go."""
        new = words[0] if len(words) == 1 else b"".join(words)
        open_from = None if self._is_passed else redactor.begun_in(self._before[-_NEAR_BYTES:], new)
        if open_from is None:
            return None
        if open_from == len(new):
            self.add(new)
            return len(words)
        count = bisect_right([*accumulate(map(len, words))], open_from)
        self.add(b"".join(words[:count]))
        return count

    def add(self, piece: bytes) -> None:
        """What was let go at once."""
        self._before = (self._before + piece)[-_CONTEXT_BYTES:]

    def settle(self, redactor: Redactor, lookback: int) -> bool:
        """Take out what is known to be a secret, and let go what is known to be none; whether the bound was passed."""
        near = self._before[-_NEAR_BYTES:]
        text = near + b"".join([part.text for part in self.parts])
        if len(text) - len(near) <= lookback and not redactor.may_change(text):
            self._keep(redactor.begun(text, len(near)) - len(near))
            return False
        row = _Row([self._before, *(part.text for part in self.parts)])
        row.rewrite(redactor, ends=False)
        is_passed = len(row.data) - row.open_from > lookback
        if is_passed:
            self._is_passed = True
            row.rewrite(redactor, ends=True)
        for part, (start, end) in zip(self.parts, row.spans(), strict=True):
            part.text = row.data[start:end]
        self._keep(row.open_from - row.start)
        return is_passed

    def _keep(self, open_from: int) -> None:
        """Let go the pieces that end before."""
        at = 0
        for part in self.parts:
            at += len(part.text)
            part.is_open = at > open_from
        self._let_go()

    def _let_go(self) -> None:
        gone = [part.text for part in self.parts if not part.is_open]
        self.parts = [part for part in self.parts if part.is_open]
        self._before = b"".join([self._before, *gone])[-_CONTEXT_BYTES:]


class _Row:
    """The pieces of one text side by side. The first has been let go: nothing can be changed in it any more."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.data = b"".join(texts)
        self._cuts = list(accumulate(map(len, texts)))
        self.open_from = len(self.data)

    @property
    def start(self) -> int:
        """Where the first piece ends."""
        return self._cuts[0]

    def spans(self) -> Iterator[tuple[int, int]]:
        """Where each piece behind the first stands."""
        return pairwise(self._cuts)

    def rewrite(self, redactor: Redactor, *, ends: bool) -> None:
        """Take out what is found; unless the text `ends` here, what reaches its end or has begun there waits."""
        self.open_from = len(self.data)
        for find, settle in redactor.passes(self.data):
            found = list(self._changeable(apart(find(self.data)), ends=ends))
            self._edit([settle(one, self.data) for one in found])
        self.open_from = len(self.data) if ends else min(self.open_from, redactor.begun(self.data))

    def _changeable(self, found: Iterator[Found], *, ends: bool) -> Iterator[Found]:
        for one in found:
            if not ends and one.end == len(self.data):
                self.open_from = min(self.open_from, one.start)
            elif one.end > self._cuts[0] and one.end <= self.open_from:
                yield Found(max(one.start, self._cuts[0]), one.end, one.kind, one.value)

    def _edit(self, edits: Sequence[Edit]) -> None:
        self.data = applied(self.data, edits)
        self._cuts = [moved(cut, edits) for cut in self._cuts]
        self.open_from += sum(edit.growth for edit in edits)


def redacted(frames: Sequence[bytes], redactor: Redactor) -> list[bytes]:
    """All frames of a stream that has ended, each as it is stored."""
    held = Withheld(redactor, 0, 0)
    for frame in frames:
        held.hold(frame, pieces(frame))
    return [one.stored for one in held.finish()]
