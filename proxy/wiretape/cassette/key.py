"""What a request is matched by: method, path, query as a multiset, and its body by meaning.

Made from the redacted request, on both sides; every placeholder counts as the same, because type and number depend
on the order of recording. JSON is compared as JSON (order of keys, white space and `1.0` for `1` do not count), but
by its bytes where not every reader takes it for the same value; forms as pairs, multipart by its parts without the
boundary, text as it is, anything else by its hash. Rules leave some of it out.

A key is a hash of all that with the ids in it, beside a hash in which only their kinds stand: two requests of one
shape are the same if their ids are, or are bound to each other (`bindings`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from msgspec import Struct

from wiretape.cassette.ids import apart
from wiretape.cassette.multipart import parts
from wiretape.cassette.rules import NO_RULES, Pairs, Rules
from wiretape.cassette.secrets import unnumbered
from wiretape.exchange import Headers
from wiretape.wire.headers import media_type, values

_DIGITS_MAX = 400
_TEXT_BYTES_MAX = 1 << 20
"""Longer texts and parts are compared by their hash: ids are not looked for in them."""
_HASH_BYTES = 16
_written = json.JSONEncoder(sort_keys=True).encode
_DEPTH_SURE = 200
"""Brackets of JSON that is surely not too deep to be written as well as read."""


class Meaning(Struct, frozen=True):
    """A body as it is compared: `kind` is `json`, `form`, `multipart`, `text`, `bytes` or `none`."""

    kind: str
    value: object

    @property
    def text(self) -> str:
        """One text for whatever means the same. May raise RecursionError."""
        return _written(self.value)


class Key(Struct, frozen=True):
    """Equal keys, equal requests."""

    shape: bytes
    """16 bytes, the same for requests that differ in their ids alone."""
    ids: tuple[str, ...]
    """In the order in which they stand in the request, repeats too."""

    @property
    def digest(self) -> bytes:
        """16 bytes that stand for the whole key, the same in every process."""
        return digest(self.shape, self.ids)


def key(method: str, target: str, headers: Headers, body: bytes, rules: Rules = NO_RULES) -> Key:
    """The key of a redacted, content-decoded request."""
    path, _, query = unnumbered_text(target).partition("?")
    asked = _written(pairs(query.encode(), rules)) if query else ""
    counted = [[name, *values(headers, name.lower().encode())] for name in rules.headers]
    said = meaning(headers, body, rules)
    text = f"{method}\n{path}\n{asked}\n{_written(counted) if counted else ''}\n{said.kind}\n{said.text}"
    shape, ids = apart(text)
    return Key(_hash(shape.encode()), ids)


def digest(shape: bytes, ids: Iterable[str]) -> bytes:
    """The digest of a key with these ids in place of its own."""
    return _hash(shape + "\x00".join(ids).encode())


def unnumbered_text(text: str) -> str:
    """A text in which every secret's placeholder is the same."""
    return unnumbered(text.encode()).decode() if "{{" in text else text


def pairs(query: bytes, rules: Rules = NO_RULES, place: str = "query") -> Pairs:
    """A query or form as a multiset. Text stands for bytes (Latin-1): no two bytes become one character."""
    found = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return tuple(sorted(rules.pairs(place, found), key=_order))


def meaning(headers: Headers, body: bytes, rules: Rules = NO_RULES) -> Meaning:
    """What a body says, however it is written down."""
    body = b"" if rules.has_no_body else unnumbered(body) if b"{{" in body else body
    if not body:
        return Meaning("none", None)
    media = media_type(headers)
    if media == "application/x-www-form-urlencoded":
        return Meaning("form", pairs(body, rules, "form"))
    if media.startswith("multipart/"):
        return Meaning("multipart", _parts(body, headers, rules))
    return (_json(body, rules) if media in {"", "application/json"} or media.endswith("+json") else None) or _text(body)


def _order(pair: tuple[str, str]) -> tuple[str, str, str]:
    """By name and value, whatever ids are in it: which id it is must not change the order of others."""
    return pair[0], apart(pair[1])[0], pair[1]


def _parts(body: bytes, headers: Headers, rules: Rules) -> list[tuple[str, ...]]:
    found = [(part, _text(part.content).value) for part in parts(body, headers)]
    counted = ((part, list(rules.pairs("part", [(part.name, str(content))]))) for part, content in found)
    return [(*part.head, kept[0][1]) for part, kept in counted if kept]


def _text(body: bytes) -> Meaning:
    if len(body) <= _TEXT_BYTES_MAX:
        try:
            return Meaning("text", body.decode())
        except UnicodeDecodeError:
            pass
    return Meaning("bytes", hashlib.sha256(body).hexdigest())


def _json(body: bytes, rules: Rules) -> Meaning | None:
    """None for what is no JSON, is too deep, or holds repeated keys or numbers that readers round differently."""
    try:
        found = Meaning("json", rules.value(_read(body.decode())))
        return found if body.count(b"[") + body.count(b"{") <= _DEPTH_SURE or found.text else None
    except (ValueError, ArithmeticError, RecursionError):
        return None


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


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_HASH_BYTES).digest()
