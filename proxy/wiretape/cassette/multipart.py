"""The parts of a multipart body (RFC 2046 section 5.1), as bytes."""

from __future__ import annotations

import re

from msgspec import Struct

from wiretape.exchange import Headers
from wiretape.wire.headers import value

_BOUNDARY = re.compile(r';\s{0,8}boundary=(?:"([^"]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb'(?i)content-disposition:[^\r\n]{0,200}?;[ \t]{0,8}name="?([^"\r\n;]{1,64})')


class Part(Struct, frozen=True):
    """A part as it is compared: the order and the case of its field names do not count."""

    name: str
    """Empty where it has none."""
    head: tuple[str, ...]
    content: bytes


def split(body: bytes, headers: Headers) -> list[bytes]:
    """The parts, with the delimiters between them at the odd places; whole where no boundary is named."""
    named = _BOUNDARY.search(value(headers, b"content-type") or "")
    if named is None:
        return [body]
    boundary = re.escape((named[1] or named[2]).encode("latin-1"))
    return re.split(rb"((?:\A|\r\n)--" + boundary + rb"(?=--|[ \t]{0,64}\r\n|\Z))", body)


def parts(body: bytes, headers: Headers) -> list[Part]:
    """All that stands between the boundaries, by name; equal names keep their order."""
    return sorted((_part(raw) for raw in split(body, headers)[::2]), key=lambda part: part.name)


def field(part: bytes) -> tuple[bytes, bytes] | None:
    """A part's name and its content, where it has both."""
    head, gap, content = part.partition(b"\r\n\r\n")
    name = _NAME.search(head)
    return (name[1], content) if gap and name is not None else None


def _part(raw: bytes) -> Part:
    head, gap, content = raw.partition(b"\r\n\r\n")
    if not gap:
        return Part("", (), raw)
    name = _NAME.search(head)
    lines = (line.partition(b":") for line in head.decode("latin-1").encode().split(b"\r\n") if line.strip())
    fields = sorted(f"{field.strip().lower().decode()}: {value.strip().decode()}" for field, _, value in lines)
    return Part(name[1].decode("latin-1") if name else "", tuple(fields), content)
