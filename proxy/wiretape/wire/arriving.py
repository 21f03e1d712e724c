"""Requests off a client's wire (RFC 9112), one after the other: bytes in, however cut; heads and bodies out, bounded.

llhttp, by way of httptools, reads request line, fields and chunks. What it leaves to its caller is done here: lines,
fields, heads and trailers are bounded, trailers dropped. Whether a head may be passed on is for `wire.rules` to say.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import httptools
from msgspec import Struct

from wiretape.errors import BadRequest, HeadersTooLarge, WiretapeError
from wiretape.exchange import Headers
from wiretape.wire.spoken import Spoken

_HEAD_LINES = 4
"""Times `line_bytes_max` that a whole head may take: its lines and their number are bounded alone."""
_LINE_REST = 64
"""Bytes that may stand in a line beside what is bounded once it is whole: method, version, colon, some spaces."""
_TELLING_LENGTHS = frozenset({len(b"content-length"), len(b"transfer-encoding")})


class ArrivalBounds(Struct, frozen=True):
    """What one request may cost before its body."""

    line_bytes_max: int
    """Bytes of the request line, of a field, of what stands around a chunk; one read more where a line has no end."""
    fields_max: int
    """Fields of a head, and of the trailers."""


class RequestHead(Struct, frozen=True):
    """A request's head as it came."""

    method: str
    target: str
    headers: Headers
    version: tuple[int, int]
    keep_alive: bool
    """Whether the client lets the connection carry another request (RFC 9112 section 9.3)."""
    has_body: bool
    is_chunked: bool


class Taker(Protocol):
    """Who is given what was read, in its order; no call may raise."""

    def begun(self, head: RequestHead) -> None:
        """Take a head."""

    def piece(self, data: bytes) -> None:
        """Take a piece of the newest request's body."""

    def ended(self) -> None:
        """Learn that the newest request is whole."""


class RequestParser:
    """Reads requests by `feed`; once `fault` or `is_done` is set, nothing more is read."""

    def __init__(self, bounds: ArrivalBounds, taker: Taker) -> None:
        self._bounds = bounds
        self._taker = taker
        self._spoken = Spoken()
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._in_head = False
        self._has_body = self._is_chunked = False
        self._trailers = 0
        self._has_moved = False
        self._line_bytes = 0
        self._head_bytes = 0
        self.fault: WiretapeError | None = None
        """What was wrong with what came after the last head given, or with that one's body."""
        self.is_done = False
        """Whether the newest request wants something other than HTTP/1.1 to follow."""
        self.on_message_complete = taker.ended  # spare a call
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Take a read."""
        if self._parser is None or self.fault is not None or self.is_done:
            return
        self._has_moved = False
        try:
            # No line ends without a CR, which most of a body's reads have none of: they cost least.
            if self._spoken.cut or (b"\r" in data and (b"RTSP/" in data or b"ICE/" in data)):
                self._feed_in_parts(self._parser, data)
            else:
                had_target = self._target
                self._parser.feed_data(data)
                if self._target and not had_target:
                    self._look_at(data)
        except httptools.HttpParserUpgrade:
            self.is_done = True
        except httptools.HttpParserError as error:
            cause = error.__context__
            self.fault = cause if isinstance(cause, WiretapeError) else BadRequest("this is no valid HTTP/1.1")
        if self._has_moved:
            self._line_bytes = self._head_bytes = 0
        else:
            self._bound(data)

    def _feed_in_parts(self, parser: httptools.HttpRequestParser, data: bytes) -> None:
        """Feed what may hold the request line of another protocol, or goes on with a line that was cut."""
        for part in self._spoken.parts(data):
            had_line = self._target and not self._spoken.cut
            parser.feed_data(part)
            if self._target and not had_line:
                self._look_at(part)
            if self.fault is not None:
                break

    def _look_at(self, part: bytes) -> None:
        """Look at the request line that came with a part, before its head is whole."""
        if self._spoken.is_foreign(part, self._target):
            self.fault = BadRequest("only HTTP/1.0 and HTTP/1.1 are spoken here")

    def release(self) -> None:
        """Break the cycles of parser, callbacks and taker, once: there are many of us for the collector to look at."""
        self._parser = None
        del self._taker, self.on_message_complete

    def on_message_begin(self) -> None:
        """Take the first byte of a request."""
        self._in_head = True
        self._has_body = self._is_chunked = False
        self._trailers = 0

    def on_url(self, piece: bytes) -> None:
        """Take a piece of the target."""
        self._target += piece
        if len(self._target) > self._bounds.line_bytes_max:
            raise _too_long()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field, or a trailer."""
        if not self._in_head:
            self._drop_trailer()
            return
        headers = self._headers
        value = value.rstrip(b" \t")
        headers.append((name, value))
        if len(name) + len(value) > self._bounds.line_bytes_max:
            raise _too_long()
        if len(headers) > self._bounds.fields_max:
            raise HeadersTooLarge("the request has more fields than headers_max")
        if len(name) in _TELLING_LENGTHS:
            self._note_framing(name.lower(), value)

    def on_headers_complete(self) -> None:
        """Take the end of a head."""
        parser = self._parser
        assert parser is not None  # noqa: S101  it is calling
        self._in_head = False
        self._has_moved = True
        head = RequestHead(
            _method(parser.get_method()),
            self._target.decode("utf-8", "surrogateescape"),
            tuple(self._headers),
            _version(parser.get_http_version()),
            parser.should_keep_alive(),
            self._has_body,
            self._is_chunked,
        )
        self._target, self._headers = b"", []  # now, as the next request may be long in coming
        self._taker.begun(head)

    def on_body(self, piece: bytes) -> None:
        """Take a piece of a body."""
        self._has_moved = True
        self._taker.piece(piece)

    def _note_framing(self, name: bytes, value: bytes) -> None:
        """Remember whether there is a body; llhttp refuses two lengths, and one that is no number."""
        if name == b"transfer-encoding":
            self._has_body = self._is_chunked = True
        elif name == b"content-length" and value.strip(b"0"):
            self._has_body = True

    def _drop_trailer(self) -> None:
        self._trailers += 1
        if self._trailers > self._bounds.fields_max:
            raise BadRequest("the body has more trailers than headers_max")

    def _bound(self, data: bytes) -> None:
        """Bound a line whose end has not come, and a head, or the like of one within a body."""
        end = data.rfind(b"\n")
        self._line_bytes = len(data) - end - 1 if end >= 0 else self._line_bytes + len(data)
        self._head_bytes += len(data)
        line_max = self._bounds.line_bytes_max
        if self.fault is None and self._line_bytes > line_max + _LINE_REST:
            self.fault = _too_long()
        if self.fault is None and self._head_bytes > _HEAD_LINES * line_max:
            self.fault = HeadersTooLarge(f"the request's head is over {_HEAD_LINES} times header_bytes_max")


def _too_long() -> HeadersTooLarge:
    return HeadersTooLarge("the request line or a field is over header_bytes_max")


@lru_cache(maxsize=64)
def _method(name: bytes) -> str:
    """Give one of llhttp's, which are few."""
    return name.decode("ascii")


@lru_cache(maxsize=64)
def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor)
