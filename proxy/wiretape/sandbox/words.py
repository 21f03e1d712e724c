"""What a message says, as far as the sandbox's mind can tell: its words, its names, its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

_WORD = re.compile(r"[^\W\d_]+")
_NAME_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_NAMED = re.compile(r"[^\W_][\w.'\u2019-]*(?:[^\S\n]+[^\W_][\w.'\u2019-]*)*")  # a phrase between punctuation
_AROUND = ".,;:!?\"'“”«»()<>[]{}"
_QUOTED = re.compile(r"[\"“«]([^\"“”«»]{1,80})[\"”»]")
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,12}(?:\.\d{1,6})?(?![\w])")

TOKENS_MAX = 200
"""Words of a message that are looked at as they are written."""

DULL = frozenset(
    """
    a about an and are as at by can current currently data do does fetch find for from function get gets give given
    has have how i in information into is it its list look lookup make me my name of on or please query return
    returns set show some tell that the their them then this to tool use used user value was what when where which
    who will with would you your
    """.split()  # noqa: SIM905  a list of words reads better than a list of strings
)
"""Words that say nothing about a subject."""


class Hints(Struct, frozen=True):
    """What a message offers to fill an argument with, best first."""

    names: tuple[str, ...]
    numbers: tuple[float, ...]
    words: frozenset[str]
    tokens: tuple[str, ...] = ()
    """What stands between spaces, without the punctuation behind it: an address, a date, a number of an order."""
    sentence: str = ""
    """What a property that tells something may tell."""


def subjects(text: str) -> frozenset[str]:
    """The words that carry a subject, in lower case and without a plural's s."""
    return frozenset(_stem(word) for word in _WORD.findall(text.casefold()) if len(word) > 2 and word not in DULL)  # noqa: PLR2004  shorter words name nothing


def name_words(name: str) -> list[str]:
    """The subject words of `get_weather`, `getWeather` or `GetWeather`: those that are not dull."""
    found = [word.lower() for word in _NAME_PART.findall(name)]
    return [word for word in found if word not in DULL]


def hints(text: str) -> Hints:
    """Names (quoted first, then capitalised, a sentence's first word last), numbers and words of a message."""
    later: list[str] = []
    first: list[str] = []
    for phrase in _NAMED.findall(text):
        _collect(phrase.split(), later, first)
    names = [name for found in (*_QUOTED.findall(text), *later, *first) if (name := found.strip())]
    numbers = tuple(float(number) for number in _NUMBER.findall(text))
    tokens = (word.strip(_AROUND) for word in text.split(maxsplit=TOKENS_MAX)[:TOKENS_MAX])
    words = frozenset(_WORD.findall(text.casefold()))
    return Hints(tuple(dict.fromkeys(names)), numbers, words, tuple(dict.fromkeys(tokens)))


def _collect(words: Iterable[str], later: list[str], first: list[str]) -> None:
    """Join neighbouring capitalised words to names; `first` takes those that may only begin a sentence."""
    name: list[str] = []
    opening = True
    for word in [*words, ""]:
        if word[:1].isupper() and not _is_dull(word):
            name.append(word.rstrip(".'\u2019-"))
            continue
        if name:
            (first if opening else later).append(" ".join(name))
            name = []
        opening = False


def _is_dull(word: str) -> bool:
    return re.split(r"['\u2019]", word.casefold())[0] in DULL


def _stem(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
