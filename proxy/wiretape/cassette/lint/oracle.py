"""The gitleaks rules, as a second opinion: nothing here is shared with the redactor, so neither hides the other's gaps.

The rules are gitleaks' own file, unchanged, on the engine they were written for: RE2 takes time that grows with the
text and not faster, whatever the text is. A rule for files of certain names is left out; so is what a rule allows by
the name of a file.
"""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import re2
from msgspec import Struct


class _Allowed(Struct, frozen=True, rename={"target": "regexTarget"}):
    """What is no secret after all, although a rule takes it for one."""

    regexes: tuple[str, ...] = ()
    stopwords: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    condition: str = "OR"
    target: str = "secret"


_OURS = _Allowed(regexes=("(?i)request-id",), target="match")
"""`apim-request-id` holds `api`, and is no credential."""


class _Rule(Struct, frozen=True, rename={"group": "secretGroup"}):
    """One rule; `keywords` are in small letters, and one of them stands in every text that it finds something in."""

    id: str
    regex: str = ""
    path: str = ""
    keywords: tuple[str, ...] = ()
    entropy: float = 0.0
    group: int = 0
    allowlists: tuple[_Allowed, ...] = ()


class _File(Struct, frozen=True):
    rules: tuple[_Rule, ...]
    allowlist: _Allowed = _Allowed()


class Leak(Struct, frozen=True):
    """What looks like a secret: which rule says so, and where it stands in the text."""

    rule: str
    start: int
    size: int


class Oracle:
    """The rules, ready; made of the text of gitleaks' configuration (TOML)."""

    def __init__(self, rules: str) -> None:
        found = msgspec.convert(tomllib.loads(rules), _File)
        self._rules = tuple(rule for rule in found.rules if rule.regex and not rule.path)
        self._everywhere = (found.allowlist, _OURS)
        self._compiled: dict[str, Any] = {}
        self._keywords = re2.Set.SearchSet()
        places = {word: self._keywords.Add(re2.escape(word)) for rule in self._rules for word in rule.keywords}
        self._keywords.Compile()
        self._by_keywords = [({places[word] for word in rule.keywords}, rule) for rule in self._rules]

    @property
    def size(self) -> int:
        """How many rules are applied."""
        return len(self._rules)

    def leaks(self, text: str) -> Iterator[Leak]:
        """What looks like a secret in this text, by rule."""
        words = set(self._keywords.Match(text.lower()) or ())
        for needed, rule in self._by_keywords:
            if not needed or words & needed:
                yield from self._found(rule, text)

    def _found(self, rule: _Rule, text: str) -> Iterator[Leak]:
        for match in self._pattern(rule.regex).finditer(text):
            group = rule.group or next((at for at, part in enumerate(match.groups(), 1) if part), 0)
            secret = match[group] or ""
            if _entropy(secret) >= rule.entropy and not self._is_allowed(rule, secret, match[0], text):
                yield Leak(rule.id, match.start(group), len(secret))

    def _is_allowed(self, rule: _Rule, secret: str, match: str, line: str) -> bool:
        targets = {"secret": secret, "match": match, "line": line}
        return any(self._allows(one, secret, targets[one.target]) for one in (*self._everywhere, *rule.allowlists))

    def _allows(self, allowed: _Allowed, secret: str, target: str) -> bool:
        """By name of a file nothing is allowed here: with AND that is the end of it."""
        if allowed.condition == "AND" and allowed.paths:
            return False
        return any(word in secret.lower() for word in allowed.stopwords) or self._matches(allowed.regexes, target)

    def _matches(self, regexes: Sequence[str], target: str) -> bool:
        return any(self._pattern(regex).search(target) is not None for regex in regexes)

    def _pattern(self, regex: str) -> Any:  # noqa: ANN401 - the engine has no types
        if regex not in self._compiled:
            self._compiled[regex] = re2.compile(regex)
        return self._compiled[regex]


def _entropy(text: str) -> float:
    """Bits for each character (Shannon)."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)
