"""How a response's body is delimited towards the client (RFC 9112 section 6): rebuilt by us, never copied."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from wiretape.errors import UpstreamProtocolError
from wiretape.exchange import Head, Headers
from wiretape.wire.headers import end_to_end, values, without

_BODILESS = frozenset({204, 304})
_INFORMATIONAL = range(100, 200)


class Framing(Enum):
    """What ends the body."""

    EMPTY = "empty"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


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
    _check(head)
    framing = _framing(head, method, modern=modern)
    keep_alive = keep_alive and framing is not Framing.CLOSE
    fields = (*_forwarded(head.headers, framing), *_hop(framing, modern=modern, keep_alive=keep_alive))
    line = f"HTTP/1.1 {head.status} {head.reason}".encode("utf-8", "surrogateescape")
    lines = [line, *(b"%b: %b" % field for field in fields)]
    if any(mark in text for text in lines for mark in (b"\r", b"\n", b"\0")):
        raise UpstreamProtocolError("a response field holds a line break or NUL; it was not passed on")
    return Framed(b"\r\n".join((*lines, b"\r\n")), framing, keep_alive)


def _check(head: Head) -> None:
    """Refuse a status that is no three digits, and codings that would be taken off the head but not off the body."""
    if head.status < _INFORMATIONAL.start:
        raise UpstreamProtocolError("the upstream's status is no HTTP status; the answer was not passed on")
    names = [name.lower() for name, _ in head.headers]
    if b"transfer-encoding" not in names:
        return
    codings = [value.lower() for value in values(head.headers, b"transfer-encoding")]
    if codings != ["chunked"] or b"content-length" in names:
        raise UpstreamProtocolError("the upstream's Transfer-Encoding is not chunked alone; it was not passed on")


def _framing(head: Head, method: str, *, modern: bool) -> Framing:
    if method == "HEAD" or head.status in _BODILESS or head.status in _INFORMATIONAL:
        return Framing.EMPTY
    if any(values(end_to_end(head.headers), b"content-length")):
        return Framing.LENGTH
    return Framing.CHUNKED if modern else Framing.CLOSE


def _forwarded(headers: Headers, framing: Framing) -> Headers:
    kept = end_to_end(headers)
    return without(kept, {b"content-length"}) if framing in {Framing.CHUNKED, Framing.CLOSE} else kept


def _hop(framing: Framing, *, modern: bool, keep_alive: bool) -> Headers:
    chunked: Headers = ((b"Transfer-Encoding", b"chunked"),) if framing is Framing.CHUNKED else ()
    if keep_alive == modern:
        return chunked
    return (*chunked, (b"Connection", b"keep-alive" if keep_alive else b"close"))
