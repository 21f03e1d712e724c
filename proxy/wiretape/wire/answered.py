"""One response off an upstream's wire (RFC 9112): bytes in, however cut; a head and body bytes out, bounded.

llhttp, by way of httptools, reads status line, fields and chunks. What it leaves to its caller is done here:
- a body of known length, or one that ends with the connection, is counted and otherwise not looked at;
- the answer to HEAD has no body whatever its fields say, which llhttp cannot know: there it is fed line by line;
- lines, fields and 1xx answers are counted, because neither llhttp nor httptools has a bound of its own;
- bytes beyond the end are noticed. A read that holds any is not passed on: nobody can say which of them are the body.
Nothing is raised: `fault` says what was wrong, beside what was read before it.
"""

from __future__ import annotations

import httptools
from msgspec import Struct

from wiretape.exchange import Headers

_SWITCHING_PROTOCOLS = 101
_FINAL = 200
_STATUS_MIN = 100
_BODILESS = frozenset({204, 304})
_VERSIONS = frozenset({"1.0", "1.1"})
_REFUSALS = (httptools.HttpParserError, httptools.HttpParserUpgrade)
_FRAMING_NAME_LENGTHS = frozenset({len(b"content-length"), len(b"transfer-encoding")})


class AnswerBounds(Struct, frozen=True):
    """What one answer may cost before its body."""

    line_bytes_max: int
    """Bytes of the status line, of a field, of what stands around a chunk; one read more where a line has no end."""
    fields_max: int
    """Fields of a head, and of the trailers."""
    interim_max: int
    """1xx answers before the final one."""


class AnswerParser:
    """Reads one answer, by `feed` and at last `eof`; ask `has_head`, `fault` and `ended`, in this order, after each."""

    # Of every new one: to set them on each would cost a tenth of reading a short answer.
    _reason_bytes = _line_bytes = 0
    _length: int | None = None
    _left: int | None = None
    _is_chunked = _until_close = False
    _chunks: httptools.HttpResponseParser | None = None
    status = 0
    has_head = False
    ended = False
    """Whether the body is whole."""
    reusable = False
    """Whether the connection may carry another request, once the answer has ended."""
    fault: str | None = None
    """What was wrong; nothing is read after it."""
    has_excess = False
    """Whether bytes came beyond the end."""
    interim = 0
    """1xx answers dropped."""
    trailers = 0
    """Trailer fields dropped."""

    def __init__(self, bounds: AnswerBounds, *, to_head: bool = False) -> None:
        self._bounds = bounds
        self._is_to_head = to_head
        self._pieces: list[bytes] = []
        self._reason: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self.on_body = self._pieces.append  # httptools takes the callbacks when it is made: spare a call for each chunk
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        # RFC 9112 section 2.2 allows the first; old servers pad chunk sizes. Our own framing carries neither on.
        # The last is for a length among the trailers, where it means nothing; in a head it is refused below.
        self._parser.set_dangerous_leniencies(
            lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True, lenient_chunked_length=True
        )

    @property
    def headers(self) -> Headers:
        """The head's fields."""
        return tuple(self._headers)

    @property
    def reason(self) -> str:
        """The head's reason phrase, each of its bytes kept."""
        return b"".join(self._reason).decode("utf-8", "surrogateescape")

    def feed(self, data: bytes) -> bytes:
        """Take a read; gives the body bytes in it. Chunks are the hot path, and so are read here in one piece."""
        parser = self._chunks
        if parser is None:
            return self._unframed(data)
        try:
            parser.feed_data(data)
        except _REFUSALS as error:
            self._break_off(error)
        if len(self._pieces) != 1 or self.has_excess:
            return self._body(data)
        self._line_bytes = 0
        return self._pieces.pop()

    def _unframed(self, data: bytes) -> bytes:
        """Take a read of anything but a body in chunks."""
        if self._left is not None:
            return self._counted(data, self._left)
        if self._until_close:
            return data
        if self._parser is not None:
            return self._parsed(self._parser, data)
        self._follow(data)
        return b""

    def eof(self) -> bool:
        """Take the connection's end; gives whether the body is whole."""
        self.ended = self.ended or self._until_close
        return self.ended

    def release(self) -> None:
        """Break the cycle of parser and callbacks: there are many of us, and the collector should not have to look."""
        self._parser = self._chunks = None

    def on_message_begin(self) -> None:
        """Take the first byte of a message; a second answer to one request is none."""
        if self.ended:
            self._exceed()

    def on_status(self, piece: bytes) -> None:
        """Take a piece of the reason phrase."""
        self._reason.append(piece)
        self._reason_bytes += len(piece)
        if self._reason_bytes > self._bounds.line_bytes_max:
            self._fail("the status line is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field, or a trailer."""
        if self.has_head:
            self._drop_trailer()
            return
        value = value.rstrip(b" \t")
        self._headers.append((name, value))
        if len(name) + len(value) > self._bounds.line_bytes_max or len(self._headers) > self._bounds.fields_max:
            self._fail("a field is too long, or there are too many")
        if len(name) in _FRAMING_NAME_LENGTHS:
            self._note_framing(name.lower(), value)

    def on_headers_complete(self) -> None:
        """Take the end of a head."""
        parser = self._parser
        if self.fault or parser is None:
            return
        self.status = parser.get_status_code()
        if self.status < _FINAL:
            self._drop_interim()
            return
        version = parser.get_http_version()
        if version not in _VERSIONS:
            self._fail("the answer is neither HTTP/1.0 nor HTTP/1.1")
            return
        self.has_head = True
        # RFC 9112 section 6.1: chunks in HTTP/1.0 are faulty framing, to be read and the connection closed.
        self.reusable = parser.should_keep_alive() and not (self._is_chunked and version == "1.0")
        self.ended = self._is_to_head

    def on_message_complete(self) -> None:
        """Take the end of a message; that of a 1xx answer is not the end."""
        self.ended = self.has_head

    def _note_framing(self, name: bytes, value: bytes) -> None:
        """Remember what ends the body; llhttp has refused two lengths, and one that is no number."""
        if name == b"content-length" and value.isdigit():
            self._length = int(value)
        if name == b"transfer-encoding":
            if self._is_chunked or value.lower() != b"chunked":
                self._fail("the answer's transfer coding is not chunked alone")
            self._is_chunked = True
        if self._is_chunked and self._length is not None:
            self._fail("the answer has a length and is chunked as well")  # RFC 9112 section 6.3

    def _drop_interim(self) -> None:
        self.interim += 1
        if self.status == _SWITCHING_PROTOCOLS:
            self._fail("the upstream switched protocols without being asked")
        elif self.status < _STATUS_MIN or self.interim > self._bounds.interim_max:
            self._fail("the status is none, or there are too many 1xx answers")
        self._headers.clear()
        self._reason.clear()
        self._reason_bytes = 0
        self._length, self._is_chunked = None, False

    def _drop_trailer(self) -> None:
        self.trailers += 1
        if self.trailers > self._bounds.fields_max:
            self._fail("there are too many trailers")

    def _counted(self, data: bytes, left: int) -> bytes:
        self._left = max(left - len(data), 0)
        self.ended = not self._left
        if len(data) > left:
            self._follow(data[left:])
            return b"" if self.has_excess else data[:left]
        return data

    def _parsed(self, parser: httptools.HttpResponseParser, data: bytes) -> bytes:
        if self._is_to_head:
            self._step_by_line(parser, data)
        else:
            self._step(parser, data)
        body = self._body(data)
        if self.has_head and not self.fault and not self._is_chunked and not self.ended:
            self._left = None if self._length is None else self._length - len(body)
            self._until_close = self._length is None
            self.release()
        elif self.has_head and self._is_chunked:
            self._chunks = self._parser
        return body

    def _step_by_line(self, parser: httptools.HttpResponseParser, data: bytes) -> None:
        """Feed the head and no more, so that it is known where it ends."""
        begin = 0
        for line in data.splitlines(keepends=True):
            if self.has_head or self.fault:
                break
            self._step(parser, line)
            begin += len(line)
        if self.has_head:
            self.release()
            self._follow(data[begin:])

    def _step(self, parser: httptools.HttpResponseParser, data: bytes) -> None:
        try:
            parser.feed_data(data)
        except _REFUSALS as error:
            self._break_off(error)

    def _break_off(self, error: Exception) -> None:
        if self.ended:
            self._exceed()
        else:
            self._fail(str(error))

    def _body(self, data: bytes) -> bytes:
        pieces = self._pieces
        if not pieces:
            self._bound_line(data)
            return b""
        self._line_bytes = 0  # a read with body bytes: what follows them counts from the next read on
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return b"" if self.has_excess else body

    def _bound_line(self, data: bytes) -> None:
        """Count the bytes of a line whose end has not come."""
        end = data.rfind(b"\n")
        self._line_bytes = len(data) - end - 1 if end >= 0 else self._line_bytes + len(data)
        if self._line_bytes > self._bounds.line_bytes_max:
            self._fail("a line is too long")

    def _follow(self, data: bytes) -> None:
        """Take what comes after the end; empty lines are forgiven, as some servers send them (RFC 9112 section 2.2)."""
        if data.strip(b"\r\n"):
            self._exceed()

    def _exceed(self) -> None:
        """Note that the framing lied; where there can be no body, an upstream that sends one has it cut off."""
        self.has_excess = True
        self.reusable = False
        if not (self._is_to_head or self.status in _BODILESS):
            self._fail("bytes came beyond the end of the body")

    def _fail(self, why: str) -> None:
        self.fault = self.fault or why
        self.reusable = False
