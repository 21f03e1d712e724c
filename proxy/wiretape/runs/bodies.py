"""Reads the observer's copy of one exchange's bodies as facts: JSON at its end, a stream as it comes.

What cannot be read is counted in `errors` and passed over: one event, or the rest of a body that is damaged,
too large, or in a content coding we do not know.
"""

from __future__ import annotations

from collections.abc import Sequence

from wiretape.dialects.events import Asked, Dialect, Fact, Facts, Route
from wiretape.errors import BodyTooLarge, DecodeFailed
from wiretape.exchange import Headers
from wiretape.runs.options import RunOptions
from wiretape.wire.encoding import Inflater
from wiretape.wire.headers import is_event_stream, media_type, value
from wiretape.wire.sse import Frame, Framer

_UNREADABLE = (DecodeFailed, BodyTooLarge)


class Held:
    """A body held until its end, undone from its content coding and within a bound."""

    def __init__(self, headers: Headers, bytes_max: int) -> None:
        self._coding = value(headers, b"content-encoding") or ""
        self._bytes_max = bytes_max
        self._room = bytes_max
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """More of it; beyond the bound all of it is let go."""
        self._room -= len(data)
        if self._room >= 0:
            self._pieces.append(data)
        else:
            self._pieces.clear()

    def finish(self) -> bytes:
        """All of it, decoded; raises DecodeFailed and BodyTooLarge."""
        if self._room < 0:
            raise BodyTooLarge(f"The body is over {self._bytes_max} bytes.")
        inflater = Inflater(self._coding, self._bytes_max)
        body = inflater.feed(b"".join(self._pieces))
        return body + inflater.finish()


class Question:
    """The body of a request that starts or feeds a run."""

    def __init__(self, dialect: Dialect, route: Route, headers: Headers, options: RunOptions) -> None:
        self._dialect = dialect
        self._route = route
        self._held = Held(headers, options.body_bytes_max)
        self._asked: Asked | None = None
        self.errors = 0

    def feed(self, data: bytes) -> None:
        """More of it."""
        self._held.feed(data)

    def asked(self) -> Asked:
        """What it says, read once; call it when the answer has begun, as the question was whole by then."""
        if self._asked is None:
            self._asked = self._read()
        return self._asked

    def _read(self) -> Asked:
        try:
            return self._dialect.asked(self._route, self._held.finish())
        except _UNREADABLE:
            self.errors += 1
            return Asked()


class JsonAnswer:
    """A JSON answer: no facts until it has ended."""

    is_stream = False
    events = 0

    def __init__(self, dialect: Dialect, route: Route, headers: Headers, options: RunOptions) -> None:
        self._dialect = dialect
        self._route = route
        self._held = Held(headers, options.body_bytes_max)
        self.errors = 0

    def feed(self, data: bytes) -> Facts:
        """More of it."""
        self._held.feed(data)
        return ()

    def finish(self, *, is_whole: bool) -> Facts:
        """What it says; one that was broken off is read if it can be, and is no error if not."""
        try:
            return self._dialect.answer(self._route, self._held.finish())
        except _UNREADABLE:
            self.errors += is_whole
            return ()


class StreamAnswer:
    """An event stream. Frames without data are no events; an unterminated rest is one if it can be read.

    An event that is too large is passed over and counted. Behind bytes that cannot be decoded all is lost.
    """

    is_stream = True

    def __init__(self, dialect: Dialect, headers: Headers, options: RunOptions) -> None:
        self._reader = dialect.reader()
        self._inflater = _stream_inflater(headers, options.stream_bytes_max)
        self._framer = Framer(options.frame_bytes_max, skips_large=True)
        self._is_lost = False
        self._errors = 0
        self.events = 0

    @property
    def errors(self) -> int:
        """Events, or the rest of the stream, that could not be read."""
        return self._errors + self._framer.skipped

    def feed(self, data: bytes) -> Sequence[Fact]:
        """What the events say that are complete with these bytes; the hot path."""
        if self._is_lost:
            return []
        known = self._reader.alike(data)
        if known is not None and self._inflater is None and self._framer.may_begin(data):
            self.events += 1
            return known
        try:
            return self._facts(self._framer.feed(data if self._inflater is None else self._inflater.feed(data)), 1)
        except _UNREADABLE:
            self._errors += 1
            self._is_lost = True
            return []

    def finish(self, *, is_whole: bool) -> list[Fact]:
        """What the rest says; a stream that was broken off may have one that cannot be read, and no error."""
        return [] if self._is_lost else self._facts(self._framer.finish(), int(is_whole))

    def _facts(self, frames: list[Frame], error: int) -> list[Fact]:
        facts: list[Fact] = []
        for frame in frames:
            if frame.data is not None:
                self.events += 1
                try:
                    facts += self._reader.event(frame)
                except DecodeFailed:
                    self._errors += error
        return facts


def answer(dialect: Dialect, route: Route, headers: Headers, options: RunOptions) -> JsonAnswer | StreamAnswer | None:
    """A reader for a response of these headers, by its content type; None for what is neither of the two."""
    kind = media_type(headers)
    if is_event_stream(headers):
        return StreamAnswer(dialect, headers, options)
    return JsonAnswer(dialect, route, headers, options) if kind == "application/json" else None


def _stream_inflater(headers: Headers, bytes_max: int) -> Inflater | None:
    coding = value(headers, b"content-encoding")
    return Inflater(coding, bytes_max) if coding else None
