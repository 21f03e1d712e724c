"""What a secret is: names of places, looks of values, the encodings it may turn up in, and its placeholder."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import quote, quote_plus, unquote_plus

from msgspec import Struct

_Value = TypeVar("_Value")

PLACEHOLDER = re.compile(rb"\{\{secret:[a-z]+(?:#[0-9]+)?\}\}")
_NUMBER = re.compile(rb"(\{\{secret:[a-z]+)#[0-9]+(\}\})")

KNOWN_BYTES_MIN = 8
"""Shorter values are redacted where they stand, but not looked for elsewhere: `test` is a word as well."""

_SECRET_NAME = re.compile(
    r"(?:^|-)(?:api-?key|access-?key(?:-id)?|auth-?key|subscription-key|secret(?:-key)?|token|password|authorization"
    r"|set-cookie|cookie|signature|sig|credentials?)$"
)
_KINDS = {
    "openai-organization": "org",
    "openai-project": "project",
    "set-cookie": "setcookie",
    "sig": "sig",
    "key": "key",
    "auth": "key",
    "signature": "sig",
}
_NAME_ENDS = (("authorization", "bearer"), ("cookie", "cookie"), ("token", "token"), ("signature", "sig"))
_IDENTITIES = frozenset({"org", "project"})
"""Who, not a credential: redacted in its header, but a slug such as `acme` is not looked for elsewhere."""


class Look(Struct, frozen=True):
    """A value that looks like a secret: `pattern` is tried only where `keyword` occurs, and begins with it."""

    kind: str
    keyword: bytes
    pattern: re.Pattern[bytes]


def _look(kind: str, keyword: str, tail: str) -> Look:
    """No letter, digit or underscore may precede the keyword: `task-` is no `sk-`."""
    start = re.escape(keyword)
    return Look(kind, keyword.encode(), re.compile(f"{start}(?<![A-Za-z0-9_]{start}){tail}".encode()))


PATTERNS = (
    _look("key", "sk-", "[A-Za-z0-9_-]{16,}"),
    _look("key", "sess-", "[A-Za-z0-9]{20,}"),
    _look("key", "ek_", "[A-Za-z0-9]{16,}"),
    _look("key", "xai-", "[A-Za-z0-9]{20,}"),
    _look("key", "gsk_", "[A-Za-z0-9]{20,}"),
    _look("key", "AIza", "[A-Za-z0-9_-]{30,}"),
    _look("key", "hf_", "[A-Za-z0-9]{30,}"),
    _look("key", "AKIA", "[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _look("token", "ghp_", "[A-Za-z0-9]{36,}"),
    _look("token", "gho_", "[A-Za-z0-9]{36,}"),
    _look("token", "ghs_", "[A-Za-z0-9]{36,}"),
    _look("token", "github_pat_", "[A-Za-z0-9_]{22,}"),
    _look("token", "xoxb-", "[A-Za-z0-9-]{10,}"),
    _look("token", "xoxp-", "[A-Za-z0-9-]{10,}"),
    _look("token", "eyJ", r"[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    _look("org", "org-", "[A-Za-z0-9]{16,}"),
    _look("project", "proj_", "[A-Za-z0-9]{16,}"),
    Look("bearer", b"earer ", re.compile(rb"(?<=[Bb]earer )(?=[A-Za-z]*[0-9._~+/=-])[A-Za-z0-9._~+/=-]{16,}")),
    Look("sig", b"sig=", re.compile(rb"(?<=[?&]sig=)[A-Za-z0-9%+/=_-]{16,}|(?<=u0026sig=)[A-Za-z0-9%+/=_-]{16,}")),
    Look("password", b"://", re.compile(rb"(?<=://)[^/\s\"'\\@:{}]{1,200}:[^/\s\"'\\@{}]{3,200}(?=@)")),
    Look(
        "pem",
        b"PRIVATE KEY-----",
        re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\\\s]+-----END [A-Z ]*PRIVATE KEY-----"),
    ),
)
"""Ordered; a keyword that stands first keeps the search a plain search for bytes."""


ANY_KEYWORD = re.compile(b"|".join(re.escape(look.keyword) for look in PATTERNS))
"""One look at a frame tells, nearly always, that none of the patterns need be tried."""


class Secrets:
    """What a recording or a session has seen of secrets; bounded to the `secrets_max` last seen.

    A secret that was pushed out is still redacted where it stands, and in its own exchange; seen again it gets
    a new number.
    """

    def __init__(self, secrets_max: int = 32) -> None:
        self._secrets_max = secrets_max
        self._counts: dict[str, int] = {}
        self._placeholders: dict[bytes, bytes] = {}
        self._variants: dict[bytes, dict[bytes, bytes]] = {}
        self.forms: dict[bytes, bytes] = {}
        """Each form a known secret may turn up in, with its placeholder; another dict whenever that changes."""

    def placeholder(self, kind: str, value: bytes) -> bytes:
        """What stands for this secret; the kind it was first seen as counts."""
        stored = self._placeholders.pop(value, None)
        if stored is None:
            kind = kind.removeprefix("set")
            self._counts[kind] = count = self._counts.get(kind, 0) + 1
            stored = f"{{{{secret:{kind}#{count}}}}}".encode()
        self._placeholders[value] = stored
        _bound(self._placeholders, self._secrets_max * 8)
        return stored

    def know(self, value: bytes, stored: bytes) -> None:
        """Look for this value in every exchange from now on."""
        known = self._variants.pop(value, None)
        self._variants[value] = known or dict.fromkeys(variants(value), stored)
        _bound(self._variants, self._secrets_max)
        if known is None:
            self.forms = {form: name for forms in self._variants.values() for form, name in forms.items()}


def unnumbered(data: bytes) -> bytes:
    """Placeholders by their type alone, for keys: numbering depends on the order of recording."""
    return _NUMBER.sub(rb"\1\2", data)


def header_kind(name: bytes, value: bytes) -> str | None:
    """The type of secret that this header holds, or None; Basic credentials are no bearer token (RFC 7617)."""
    kind = _kind(name.decode("latin-1"))
    return "basic" if kind == "bearer" and value[:6].lower() == b"basic " else kind


def parameter_kind(name: bytes) -> str | None:
    """The type of secret that a query or form parameter of this (percent-encoded) name holds, or None."""
    return _kind(unquote_plus(name.decode("latin-1")), bare=True)


def _kind(name: str, *, bare: bool = False) -> str | None:
    name = name.lower().replace("_", "-")
    if name in _KINDS and (bare or "-" in name):
        return _KINDS[name]
    if _SECRET_NAME.search(name) is None:
        return None
    return next((kind for end, kind in _NAME_ENDS if name.endswith(end)), "key")


def credentials(kind: str, value: bytes) -> list[bytes]:
    """What is secret in a header's value: the credential itself first, then what it is made of."""
    if kind == "setcookie":
        value = value.partition(b";")[0]
    if kind in {"cookie", "setcookie"}:
        return [value.strip(), *_cookie_values(value)]
    _, _, credential = value.strip().partition(b" ")
    if not credential:
        return [value.strip()]
    return [credential.strip(), *(_basic_parts(credential) if kind == "basic" else ())]


def is_telling(kind: str, value: bytes) -> bool:
    """Whether the value may be looked for in other places."""
    return kind not in _IDENTITIES and len(value) >= KNOWN_BYTES_MIN


def variants(value: bytes) -> set[bytes]:
    """The forms in which a program would put this value: as it is, in URLs, in JSON, in base64 at any offset."""
    text = value.decode("utf-8", "replace")
    escaped = json.dumps(text)[1:-1]
    forms = {value, *(form.encode() for form in (quote(value, safe=""), quote_plus(value), escaped))}
    forms |= {quote(value, safe="").lower().encode(), escaped.replace("/", "\\/").encode()}
    forms |= {json.dumps(text, ensure_ascii=False)[1:-1].encode()}
    return {form for form in forms | set(_base64_forms(value)) if len(form) >= KNOWN_BYTES_MIN}


def _cookie_values(value: bytes) -> Iterator[bytes]:
    pairs = (part.partition(b"=") for part in value.split(b";"))
    return (content.strip() for _, _, content in pairs if len(content.strip()) >= KNOWN_BYTES_MIN)


def _basic_parts(credential: bytes) -> Iterator[bytes]:
    """User and password together, and the password."""
    try:
        decoded = base64.b64decode(credential.strip(), validate=True)
    except ValueError:
        return
    yield from (part for part in (decoded, decoded.partition(b":")[2]) if part)


def _base64_forms(value: bytes) -> Iterator[bytes]:
    """The characters that this value alone decides, at each of the three offsets it may have in a longer text."""
    for offset, decided_from in enumerate((0, 2, 3)):
        encoded = base64.b64encode(b"\0" * offset + value)
        core = encoded.rstrip(b"=")[decided_from:]
        core = core[:-1] if encoded.endswith(b"=") else core
        yield core
        yield core.translate(bytes.maketrans(b"+/", b"-_"))


def _bound(table: dict[bytes, _Value], size: int) -> None:
    while len(table) > size:
        del table[next(iter(table))]
