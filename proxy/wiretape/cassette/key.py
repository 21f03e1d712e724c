"""What a request is matched by: method, path, query as a multiset, and its body by meaning.

Made from the redacted request, on both sides; a placeholder counts by its type alone, because its number
depends on the order of recording. JSON is compared as JSON (order of keys, white space and `1.0` for `1` do
not count), forms as pairs, multipart without its boundary, anything else by its hash.
"""

from __future__ import annotations

import hashlib
import json
import re
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from wiretape.cassette.secrets import unnumbered
from wiretape.exchange import Headers
from wiretape.wire.headers import media_type, value

_EXACT_FLOAT_MAX = 1 << 53
_BOUNDARY = re.compile(r'boundary="?([^";,]+)')


def _number(text: str) -> float | int:
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < _EXACT_FLOAT_MAX else number


_JSON = msgspec.json.Decoder(float_hook=_number)

Pairs = tuple[tuple[str, str], ...]


class Meaning(Struct, frozen=True):
    """A body as it is compared: `kind` is `json`, `form`, `multipart`, `bytes` or `none`."""

    kind: str
    value: object


class Key(Struct, frozen=True):
    """Equal keys, equal requests."""

    method: str
    path: str
    query: Pairs
    kind: str
    digest: str


def key(method: str, target: str, headers: Headers, body: bytes) -> Key:
    """The key of a redacted, content-decoded request."""
    path, _, query = unnumbered(target.encode()).decode().partition("?")
    meant = meaning(headers, body)
    return Key(method, path, _pairs(query), meant.kind, _digest(meant))


def meaning(headers: Headers, body: bytes) -> Meaning:
    """What a body says, however it is written down."""
    body = unnumbered(body)
    if not body:
        return Meaning("none", None)
    media = media_type(headers)
    if media == "application/x-www-form-urlencoded":
        return Meaning("form", _pairs(body.decode("utf-8", "replace")))
    if media.startswith("multipart/"):
        return Meaning("multipart", _hash(_without_boundary(body, headers)))
    return _json(body) or Meaning("bytes", _hash(body))


def _json(body: bytes) -> Meaning | None:
    """None for what is no JSON, and for what is too deep or too large a number to be written again."""
    try:
        found = Meaning("json", _JSON.decode(body))
        _digest(found)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return found


def _without_boundary(body: bytes, headers: Headers) -> bytes:
    named = _BOUNDARY.search(value(headers, b"content-type") or "")
    return body.replace(named[1].strip().encode("latin-1"), b"") if named else body


def _pairs(query: str) -> Pairs:
    return tuple(sorted(parse_qsl(query, keep_blank_values=True)))


def _digest(meant: Meaning) -> str:
    return _hash(json.dumps(meant.value, sort_keys=True).encode())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
