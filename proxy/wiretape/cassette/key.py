"""What a request is matched by: method, path, query as a multiset, and its body by meaning.

Made from the redacted request, on both sides; every placeholder counts as the same, because type and number depend
on the order of recording. JSON is compared as JSON (order of keys, white space and `1.0` for `1` do not count), but
by its bytes where not every reader takes it for the same value; forms as pairs, multipart without its boundary,
anything else by its hash.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from msgspec import Struct

from wiretape.cassette.multipart import split
from wiretape.cassette.secrets import unnumbered
from wiretape.exchange import Headers
from wiretape.wire.headers import media_type

_DIGITS_MAX = 400

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
    path, _, query = unnumbered(target.encode()).partition(b"?")
    meant = meaning(headers, body)
    return Key(method, path.decode(), pairs(query), meant.kind, _digest(meant))


def pairs(query: bytes) -> Pairs:
    """A query or form as a multiset. Text stands for bytes (Latin-1): no two bytes become one character."""
    found = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return tuple(sorted(found))


def meaning(headers: Headers, body: bytes) -> Meaning:
    """What a body says, however it is written down."""
    body = unnumbered(body)
    if not body:
        return Meaning("none", None)
    media = media_type(headers)
    if media == "application/x-www-form-urlencoded":
        return Meaning("form", pairs(body))
    if media.startswith("multipart/"):
        return Meaning("multipart", [_hash(part) for part in split(body, headers)[::2]])
    return (_json(body) if media in {"", "application/json"} or media.endswith("+json") else None) or _bytes(body)


def _bytes(body: bytes) -> Meaning:
    return Meaning("bytes", _hash(body))


def _json(body: bytes) -> Meaning | None:
    """None for what is no JSON, is too deep, or holds repeated keys or numbers that readers round differently."""
    try:
        found = Meaning("json", _read(body.decode()))
        _digest(found)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return found


def _read(text: str) -> object:
    return json.loads(text, object_pairs_hook=_object, parse_float=_number, parse_constant=_refused)


def _object(found: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(found)
    if len(made) < len(found):
        raise ValueError("a key is repeated")
    return made


def _number(text: str) -> float | int:
    """A whole number exactly, in whatever form; any other only where a double is what the text says."""
    exact = Decimal(text)
    if exact.adjusted() > _DIGITS_MAX:
        raise ValueError("the number is too large")
    if exact == exact.to_integral_value():
        return int(exact)
    if Decimal(repr(float(text))) != exact:
        raise ValueError("the number is finer than a double")
    return float(text)


def _refused(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _digest(meant: Meaning) -> str:
    return _hash(json.dumps(meant.value, sort_keys=True).encode())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
