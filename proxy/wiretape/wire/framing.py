"""How a response's body is delimited towards the client (RFC 9112 section 6): rebuilt by us, never copied."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

from msgspec import Struct

from wiretape.errors import UpstreamProtocolError
from wiretape.exchange import Head, Headers
from wiretape.wire.headers import HOP_BY_HOP, end_to_end, has, values, without

LAST_CHUNK = b"0\r\n\r\n"
"""Ends a chunked body (RFC 9112 section 7.1)."""
_BODILESS = frozenset({204, 304})
_INFORMATIONAL = range(100, 200)


class Framing(Enum):
    """What ends the body."""

    EMPTY = "empty"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


_UNTOLD = (Framing.CHUNKED, Framing.CLOSE)
"""No length is told before the body."""


class Framed(Struct, frozen=True):
    """A response head as bytes, and what will end its body."""

    head: bytes
    framing: Framing
    keep_alive: bool


def frame(head: Head, *, method: str, modern: bool, keep_alive: bool) -> Framed:
    """Render a head for a client; `modern` says it speaks HTTP/1.1.

    Raises UpstreamProtocolError where a field could end the head early (RFC 9110 section 5.5), or where its framing
    could be read in two ways.
    """
    kept = _kept(head)
    framing = _framing(head, kept, method, modern=modern)
    keep_alive = keep_alive and framing is not Framing.CLOSE
    fields = _forwarded(kept, framing) + _hop(framing, modern=modern, keep_alive=keep_alive)
    lines = [_status_line(head.status, head.reason), *[b": ".join(field) for field in fields], b"\r\n"]
    text = b"\r\n".join(lines)
    # Counted rather than looked for in each field: one with a line break has one more than we wrote.
    if text.count(b"\r") != len(lines) or text.count(b"\n") != len(lines) or b"\0" in text:
        raise UpstreamProtocolError("a response field holds a line break or NUL; it was not passed on")
    return Framed(text, framing, keep_alive)


@lru_cache(maxsize=256)
def _status_line(status: int, reason: str) -> bytes:
    return f"HTTP/1.1 {status} {reason}".encode("utf-8", "surrogateescape")


def _kept(head: Head) -> Headers:
    """Check a head, and give the fields that are end to end; most have no others."""
    if head.status < _INFORMATIONAL.start:
        raise UpstreamProtocolError("the upstream's status is no HTTP status; the answer was not passed on")
    if HOP_BY_HOP.isdisjoint([name.lower() for name, _ in head.headers]):
        return head.headers
    _check(head)
    return end_to_end(head.headers)


def _check(head: Head) -> None:
    """Refuse codings that would be taken off the head but not off the body."""
    codings = values(head.headers, b"transfer-encoding")
    if codings and ([one.lower() for one in codings] != ["chunked"] or has(head.headers, b"content-length")):
        raise UpstreamProtocolError("the upstream's Transfer-Encoding is not chunked alone; it was not passed on")


def _framing(head: Head, kept: Headers, method: str, *, modern: bool) -> Framing:
    if method == "HEAD" or head.status in _BODILESS or head.status in _INFORMATIONAL:
        return Framing.EMPTY
    if any(values(kept, b"content-length")):
        return Framing.LENGTH
    return Framing.CHUNKED if modern else Framing.CLOSE


def _forwarded(kept: Headers, framing: Framing) -> Headers:
    return without(kept, {b"content-length"}) if framing in _UNTOLD else kept


def _hop(framing: Framing, *, modern: bool, keep_alive: bool) -> Headers:
    chunked: Headers = ((b"Transfer-Encoding", b"chunked"),) if framing is Framing.CHUNKED else ()
    if keep_alive == modern:
        return chunked
    return (*chunked, (b"Connection", b"keep-alive" if keep_alive else b"close"))
