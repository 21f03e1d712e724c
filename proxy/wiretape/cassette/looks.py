r"""Values that look like secrets, wherever they stand.

A key may follow an escape: in `\nsk-…` of a JSON text and `%20sk-…` of a URL the letter before it is no part of a
word. Every pattern is linear: it begins at a word's beginning, or what it may skip is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct


class Look(Struct, frozen=True):
    """A value that looks like a secret: `pattern` is tried only where `keyword` occurs; its group is the secret."""

    kind: str
    keyword: bytes
    pattern: re.Pattern[bytes]


def _look(kind: str, keyword: str, tail: str, word: str = "A-Za-z0-9_") -> Look:
    """No letter, digit or underscore may precede the keyword, but for an escape: `task-` is no `sk-`."""
    start = re.escape(keyword)
    escapes = (rf"\\[nrtbf]{start}", rf"u00[0-9A-Fa-f]{{2}}{start}", rf"%[0-9A-Fa-f]{{2}}{start}")
    before = "|".join(f"(?<={escape})" for escape in escapes)
    return Look(kind, keyword.encode(), re.compile(f"({start}(?:(?<![{word}]{start})|{before}){tail})".encode()))


_JWT_PART = r"[A-Za-z0-9_-]{8,}+"
_GAP = rb"(?:[ \t]|%20|\+|\\+t|\\+u00(?:20|09)){1,4}"

LOOKS = (
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
    _look("token", "eyJ", rf"{_JWT_PART}\.eyJ{_JWT_PART}\.{_JWT_PART}", "A-Za-z0-9_-"),
    _look("org", "org-", "[A-Za-z0-9]{16,}"),
    _look("project", "proj_", "[A-Za-z0-9]{16,}"),
    Look(
        "bearer",
        b"earer",
        re.compile(rb"[Bb]earer" + _GAP + rb"(?=[A-Za-z]{0,200}+[0-9._~+/=-])([A-Za-z0-9._~+/=-]{16,})"),
    ),
    Look("password", b"://", re.compile(rb"://([^/\s\"'\\@:{}]{1,200}+:[^/\s\"'\\@{}]{3,200}+)@")),
    Look(
        "pem",
        b"PRIVATE KEY-----",
        re.compile(
            rb"(-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[A-Za-z0-9+/=\\\s]++(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?)"
        ),
    ),
)
"""Ordered; a keyword that stands first keeps the search a plain search for bytes."""

_RARE = b"-_/IJK"


def _by_rare_letter(keywords: Sequence[bytes]) -> re.Pattern[bytes]:
    """Any of these, found by the first rare letter in it: a search for all their beginnings would stop everywhere."""
    branches: dict[bytes, list[bytes]] = {}
    for keyword in keywords:
        begin, rare, rest = _RARE_LETTER.split(keyword, maxsplit=1)
        branches.setdefault(rare, []).append(b"(?<=%b)%b" % (re.escape(begin + rare), re.escape(rest)))
    return re.compile(b"|".join(b"%b(?:%b)" % (re.escape(rare), b"|".join(ends)) for rare, ends in branches.items()))


_RARE_LETTER = re.compile(b"([%b])" % re.escape(_RARE))
_ANY_KEYWORD = _by_rare_letter([look.keyword for look in LOOKS if _RARE_LETTER.search(look.keyword)])
_PLAIN_KEYWORDS = [look.keyword for look in LOOKS if not _RARE_LETTER.search(look.keyword)]


def likely(data: bytes) -> list[Look]:
    """The looks whose keyword occurs; nearly always none, so that no pattern need be tried."""
    if _ANY_KEYWORD.search(data) is None and not any(map(data.__contains__, _PLAIN_KEYWORDS)):
        return []
    return [look for look in LOOKS if look.keyword in data]


_TOKEN = bytes(range(48, 58)) + bytes(range(65, 91)) + bytes(range(97, 123)) + b"-_.~+/=%\\"
"""What keys are made of, and what may escape it."""
_WORD_BYTES = bytes(byte for byte in _TOKEN if re.match(rb"\w", bytes((byte,))))
_BEFORE_WORDS = (b"\\", b"u00", b"%", b"-----")
"""Behind these a keyword begins within a word; behind any other, with a word."""
_WORDS = (*(look.keyword for look in LOOKS[:-3]), b"Bearer", b"bearer")
_OTHERS = (b"://", b"-----BEGIN")
_STARTS = rb"(?:(?<![A-Za-z0-9_])|(?<=\\[nrtbf])|(?<=u00[0-9A-Fa-f]{2})|(?<=%[0-9A-Fa-f]{2}))"


def _any_of(words: Iterable[bytes]) -> bytes:
    return b"(?:" + b"|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + b")"


def _prefixes(words: Iterable[bytes]) -> set[bytes]:
    return {word[:size] for word in words for size in range(1, len(word))}


_KEYWORD, _START = re.compile(_STARTS + _any_of(_WORDS)), re.compile(_STARTS)
_BEGINNINGS, _OTHER_BEGINNINGS = _prefixes(_WORDS), _prefixes(_OTHERS)
_LAST_BYTES = {word[-1:] for word in _BEGINNINGS | _OTHER_BEGINNINGS}
_BEGINNING_BYTES_MAX = max(map(len, (*_BEGINNINGS, *_OTHER_BEGINNINGS)))
_NEAR_BYTES = max(len(word) for word in (*_OTHERS, *(look.keyword for look in LOOKS)))
_ANY_WORD = _by_rare_letter([*_OTHERS, *(look.keyword for look in LOOKS if _RARE_LETTER.search(look.keyword))])
_OPEN = (
    (b"earer", re.compile(rb"[Bb]earer" + _GAP.replace(rb"{1,4}", rb"{0,4}") + rb"[A-Za-z0-9._~+/=-]*\Z")),
    (b"://", re.compile(rb"://[^/\s\"'\\@{}]{0,401}\Z")),
    (b"-----BEGIN", re.compile(rb"-----BEGIN(?![\s\S]*-----END)[\s\S]*\Z")),
)
"""Looks that hold more than what keys are made of: tried where their keyword occurs."""


def begun(data: bytes) -> int:
    """Where a value may have begun that looks like a secret once it goes on; the text's end where none has."""
    token = len(data.rstrip(_TOKEN))
    run = data[token:]
    if run.isalnum() and run not in _BEGINNINGS and not likely(run):
        starts = []  # one word, and none that a keyword begins with: so it is with nearly all texts
    else:
        keyword = _KEYWORD.search(data, token)
        starts = [_begun_keyword(data), *([keyword.start()] if keyword else [])]
    starts += [match.start() for word, pattern in _OPEN if word in data and (match := pattern.search(data))]
    return min(starts, default=len(data))


def begins_in(before: bytes, data: bytes) -> bool:
    """Whether a value that looks like a secret may begin in `data`, and not just `before`; quick to say no.

    Where nothing had begun before, that is all there is to know.
    """
    text = before[-_NEAR_BYTES:] + data
    if _ANY_WORD.search(text) is not None or b"earer" in text:
        return True
    if text[-1:] not in _LAST_BYTES:
        return False
    run = text[len(text.rstrip(_WORD_BYTES)) :]
    if run and not any(map(text.__contains__, _BEFORE_WORDS)):
        return run in _BEGINNINGS
    return _begun_keyword(text) < len(text)


def _begun_keyword(data: bytes) -> int:
    """Where a keyword begins that the text breaks off in."""
    for size in range(min(len(data), _BEGINNING_BYTES_MAX), 0, -1):
        end, at = data[-size:], len(data) - size
        if end in _OTHER_BEGINNINGS or (end in _BEGINNINGS and _START.match(data, at)):
            return at
    return len(data)
