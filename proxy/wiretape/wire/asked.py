"""A request as it goes to an upstream (RFC 9112 section 3): our own framing, every other byte as it came."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from wiretape.errors import BadRequest
from wiretape.exchange import Headers
from wiretape.wire.headers import values
from wiretape.wire.rules import is_length

_MIGHT_END_THE_LINE = re.compile(r"[ \t\r\n\0]")


class Asked(Struct, frozen=True):
    """A request's head as bytes, and what frames its body."""

    head: bytes
    length: int | None
    """Bytes of the body; None where it goes in chunks."""


def ask(method: str, target: str, host: str, headers: Headers, *, has_body: bool) -> Asked:
    """Render a request's head; the length is passed on where the client gave one, else the body goes in chunks.

    `headers` are end to end, without `Host`. Raises BadRequest for what could end the head early, or frame the body
    in two ways (RFC 9112 section 6.3).
    """
    if _MIGHT_END_THE_LINE.search(method + target) is not None:
        raise BadRequest("the request line holds a space or a control character; percent-encode it")
    length = _length(values(headers, b"content-length"), has_body=has_body)
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {host}".encode(), *[b": ".join(field) for field in headers]]
    if length is None:
        lines.append(b"Transfer-Encoding: chunked")
    head = b"\r\n".join((*lines, b"\r\n"))
    _refuse_breaks(head, lines=len(lines) + 2)
    return Asked(head, length)


def in_chunk(data: bytes) -> bytes:
    """Frame a piece of a body; an empty piece would end it (RFC 9112 section 7.1), so it is framed as nothing."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def _length(lengths: Iterable[str], *, has_body: bool) -> int | None:
    match lengths:
        case []:
            return None if has_body else 0
        case [length] if is_length(length.encode("latin-1")) and (has_body or int(length) == 0):
            return int(length)
        case _:
            raise BadRequest("Content-Length does not tell one length, or there is no body")


def _refuse_breaks(head: bytes, *, lines: int) -> None:
    """Count rather than look into each field: a field with a line break has one more than we wrote."""
    if head.count(b"\r") != lines or head.count(b"\n") != lines or b"\0" in head:
        raise BadRequest("a request field holds a line break or NUL; it was not passed on")
