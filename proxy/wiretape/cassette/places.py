"""Where secrets stand: one table of names, for headers, queries, forms, multipart parts and JSON fields alike.

A name is compared by its words: `openaiApiKey`, `OPENAI_API_KEY` and `openai-api-key` are one; what it ends in
decides. `max_tokens`, `token_count` and `next_page_token` are no secrets. A bare `key` or `code` is a credential
in a query or form, and an ordinary word in JSON.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from urllib.parse import unquote_plus, unquote_to_bytes

from wiretape.exchange import Headers

_NAMES_KEPT = 1024
"""Names whose kind is remembered: the same few come again and again."""
_NAME_BYTES_MAX = 64

_CAMEL, _BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])"), re.compile(r"[_.\s-]+")
_KEY_OF = "api|access|secret|private|auth|session|subscription|functions|account|shared|master|signing|encryption"
_ENDS = re.compile(
    r"(?:^|-)(?:(?P<setcookie>set-cookie)|(?P<cookie>cookie)|(?P<bearer>authori[sz]ation|authentication)"
    r"|(?P<token>(?<!page-)(?<!next-)(?<!continuation-)token|jwt|bearer|auth|sessionid)|(?P<sig>signature|sig)"
    rf"|(?P<key>(?:{_KEY_OF})-?key(?:-id)?|secret|password|passwd|passphrase|pwd|credentials?))$"
)
_IN_HEADERS = {"openai-organization": "org", "openai-project": "project"} | dict.fromkeys(
    ("x-key", "x-pass", "x-session", "x-access-code"), "key"
)
_IN_PARAMETERS = dict.fromkeys(("key", "code"), "key")

_SCHEME = re.compile(rb"(?i)(?:bearer|basic|token|api-?key|key)[ \t]+")
"""What may stand before a credential in any place; in `Authorization` any scheme may (RFC 9110 section 11.4)."""
_COOKIES = frozenset({"cookie", "setcookie"})


def header_kind(name: bytes, value: bytes) -> str | None:
    """The type of secret that this header holds, or None; Basic credentials are no bearer token (RFC 7617)."""
    kind = _header_kind(name)
    return "basic" if kind == "bearer" and value[:6].lower() in {b"basic ", b"basic\t"} else kind


@lru_cache(_NAMES_KEPT)
def _header_kind(name: bytes) -> str | None:
    words = _words(name.decode("latin-1"))
    return _IN_HEADERS.get(words) or _kind(words)


@lru_cache(_NAMES_KEPT)
def parameter_kind(name: bytes) -> str | None:
    """The type of secret that a query, form or multipart field of this (percent-encoded) name holds, or None."""
    words = _words(unquote_plus(name[: 3 * _NAME_BYTES_MAX].decode("latin-1")))
    return _IN_PARAMETERS.get(words) or _kind(words)


@lru_cache(_NAMES_KEPT)
def field_kind(name: bytes) -> str | None:
    """The type of secret that a JSON field of this name holds, or None; a signature there is no credential."""
    kind = _kind(_words(name.decode("latin-1")))
    return None if kind == "sig" else kind


def is_word_there(kind: str) -> bool:
    """Whether a JSON field of this kind often holds an ordinary word: `token` does, in a list of probabilities."""
    return kind in {"token", "cookie"}


def heads(
    target: bytes,
    headers: Headers,
    in_header: Callable[[bytes, bytes], str | None] = header_kind,
    in_parameter: Callable[[bytes], str | None] = parameter_kind,
) -> Iterator[tuple[str, bytes]]:
    """(type, value) of each secret in a request's head, by these tables of names."""
    for name, value in headers:
        kind = in_header(name, value)
        if kind is not None and value:
            yield kind, value
    query = target.partition(b"?")[2]
    for parameter in query.split(b"&") if query else ():
        name, _, value = parameter.partition(b"=")
        if value and (kind := in_parameter(name)) is not None:
            yield kind, plain(value)


def plain(value: bytes) -> bytes:
    """A parameter's value without its percent-encoding."""
    return unquote_to_bytes(value.replace(b"+", b" "))


def credentials(kind: str, value: bytes) -> list[bytes]:
    """What is secret in a value: the credential itself first, then what it is made of."""
    value = value.strip()
    if kind in _COOKIES:
        whole = value.partition(b";")[0].strip() if kind == "setcookie" else value
        return [whole, *_cookie_values(whole)]
    scheme = _SCHEME.match(value)
    if scheme is not None:
        value = value[scheme.end() :]
    elif kind == "bearer":
        value = value.split(None, 1)[-1] if value else value
    return [value, *(_basic_parts(value) if kind == "basic" else ())]


def _words(name: str) -> str:
    """`openaiApiKey` has its words by its capitals, `OpenAI-Project` by what stands between them."""
    name = name[-_NAME_BYTES_MAX:]
    return (_CAMEL if name.isalnum() else _BORDER).sub("-", name).lower().strip("-")


def _kind(words: str) -> str | None:
    found = _ENDS.search(words)
    return found and found.lastgroup


def _cookie_values(value: bytes) -> Iterator[bytes]:
    pairs = (part.partition(b"=") for part in value.split(b";"))
    return (content.strip() for _, _, content in pairs if content.strip())


def _basic_parts(credential: bytes) -> Iterator[bytes]:
    """User and password together, and each: some put the key where the user stands."""
    try:
        decoded = base64.b64decode(credential, validate=True)
    except ValueError:
        return
    user, _, password = decoded.partition(b":")
    yield from (part for part in (decoded, user, password) if part)
