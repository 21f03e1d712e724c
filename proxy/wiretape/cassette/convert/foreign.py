"""What every imported format comes to: exchanges in the order of the file, recorded as if they passed through.

An import goes through the recorder's own Take, so there is one place where bodies are decoded and secrets taken
out. The sources have no times: each frame is one read without a gap, and the times are marked unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from wiretape.cassette.coding import coding, decoded
from wiretape.cassette.format import Header, Interaction, Tape, header_line
from wiretape.cassette.reader import read
from wiretape.cassette.recorder import RecordLimits, Take
from wiretape.cassette.secrets import Secrets
from wiretape.errors import BodyTooLarge, CassetteError, DecodeFailed, FrameTooLarge, ImportRefused
from wiretape.exchange import Chunk, Ending, Head, Headers, How, Request
from wiretape.wire.headers import is_event_stream, without
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
    notes = (*_notes(origins, upstream), *_unread(played))
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
    return lines + _ended(take)


def _ended(take: Take) -> list[bytes]:
    """An answer in a coding that cannot be undone is not taken over: nobody could redact it."""
    try:
        return take.end(Ending(How.COMPLETE, 0))
    except DecodeFailed:
        return take.cut()


def _request_headers(exchange: Foreign) -> Headers:
    return _without_stale_coding(without(exchange.request_headers, _FRAMING), exchange.request_body)


def _pieces(headers: Headers, body: bytes) -> Iterator[bytes]:
    """An event stream by frame, any other body whole."""
    if not is_event_stream(headers) or coding(headers) is not None:
        yield from (body,) if body else ()
        return
    framer = Framer(LIMITS.frame_bytes_max)
    yield from (frame.raw for frame in (*framer.feed(body), *framer.finish()))


def _without_stale_coding(headers: Headers, body: bytes) -> Headers:
    """Many recorders store the body decoded and leave the header: it counts only where it is true.

    A body that cannot be decoded keeps its header unless it is plain text.
    """
    if coding(headers) is None or _decodes(headers, body):
        return headers
    try:
        body.decode()
    except UnicodeDecodeError:
        return headers
    return without(headers, _CODING)


def _decodes(headers: Headers, body: bytes) -> bool:
    try:
        decoded([body], headers, LIMITS.body_bytes_max, whole=True)
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


def _unread(played: Sequence[Interaction]) -> Iterator[str]:
    for one in played:
        if not one.playable:
            yield f"Interaction {one.index} has no answer: its content coding cannot be undone. It is never served."
