"""What every imported format comes to: exchanges in the order of the file, recorded as if they passed through.

An import goes through the recorder's own Take, so there is one place where bodies are decoded and secrets taken
out. The sources have no times: each frame is one read without a gap, and the times are marked unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from wiretape.cassette.format import Header, Interaction, Tape, header_line
from wiretape.cassette.reader import read
from wiretape.cassette.recorder import RecordLimits, Take
from wiretape.cassette.secrets import Secrets
from wiretape.errors import BodyTooLarge, CassetteError, DecodeFailed, FrameTooLarge, ImportRefused
from wiretape.exchange import Chunk, Ending, Head, Headers, How, Request
from wiretape.wire.encoding import Inflater
from wiretape.wire.headers import is_event_stream, value, without
from wiretape.wire.sse import Framer

LIMITS = RecordLimits(body_bytes_max=64 << 20, frame_bytes_max=16 << 20)
"""Larger than for live traffic: a person waits for it, and nothing else does."""

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_CODING = frozenset({b"content-encoding"})


class Foreign(Struct, frozen=True, kw_only=True):
    """One exchange of a foreign recording; bodies as the file has them, compressed or not."""

    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    status: int
    headers: Headers
    body: bytes


def tape_of(exchanges: Sequence[Foreign], header: Header) -> Tape:
    """The Tape of these exchanges; its upstream is the first one's origin. Raises ImportRefused."""
    secrets = Secrets(LIMITS.secrets_max)
    played = [_interaction(index, exchange, secrets) for index, exchange in enumerate(exchanges, 1)]
    origins = [_origin(exchange.url) for exchange in exchanges]
    upstream = origins[0] if origins else header.upstream
    notes = tuple(_notes(origins, upstream))
    return Tape(header=replace(header, upstream=upstream), interactions=tuple(played), notes=notes)


def _interaction(index: int, exchange: Foreign, secrets: Secrets) -> Interaction:
    try:
        lines = [header_line(Header()), *_lines(index, exchange, secrets)]
        (interaction,) = read(b"".join(lines), "its lines").interactions
    except (BodyTooLarge, FrameTooLarge, DecodeFailed, CassetteError, ValueError) as error:
        raise ImportRefused(f"Interaction {index} cannot be taken over: {str(error).rstrip('.')}.") from error
    return replace(interaction, times_known=False)


def _lines(index: int, exchange: Foreign, secrets: Secrets) -> list[bytes]:
    headers = _without_stale_coding(without(exchange.headers, _FRAMING), exchange.body)
    request = Request(exchange.method, _target(exchange.url), _request_headers(exchange), 0, 0)
    take = Take(index, request, 0, secrets, LIMITS)
    lines = take.sent(Chunk(exchange.request_body, 0)) + take.head(Head(exchange.status, headers, 0))
    for piece in _pieces(headers, exchange.body):
        lines += take.chunk(Chunk(piece, 0))
    return lines + take.end(Ending(How.COMPLETE, 0))


def _request_headers(exchange: Foreign) -> Headers:
    return _without_stale_coding(without(exchange.request_headers, _FRAMING), exchange.request_body)


def _pieces(headers: Headers, body: bytes) -> Iterator[bytes]:
    """An event stream by frame, any other body whole."""
    if not is_event_stream(headers) or value(headers, b"content-encoding") is not None:
        yield from (body,) if body else ()
        return
    framer = Framer(LIMITS.frame_bytes_max)
    yield from (frame.raw for frame in (*framer.feed(body), *framer.finish()))


def _without_stale_coding(headers: Headers, body: bytes) -> Headers:
    """Many recorders store the body decoded and leave the header: it counts only where it is true.

    A body that cannot be decoded keeps its header unless it is plain text.
    """
    coding = value(headers, b"content-encoding")
    if coding is None or _decodes(coding, body):
        return headers
    try:
        body.decode()
    except UnicodeDecodeError:
        return headers
    return without(headers, _CODING)


def _decodes(coding: str, body: bytes) -> bool:
    try:
        inflater = Inflater(coding, LIMITS.body_bytes_max)
        inflater.feed(body)
        inflater.finish()
    except DecodeFailed:
        return False
    return bool(body)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _notes(origins: Sequence[str], upstream: str) -> Iterator[str]:
    for index, origin in enumerate(origins, 1):
        if origin != upstream:
            yield f"Interaction {index} was recorded from {origin}; replay answers it by its path alone."
