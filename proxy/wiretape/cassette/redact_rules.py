"""What a user wants redacted beside what always is: by header, by query key, by JSON path, by pattern.

Rules only add: there is none that takes away. Patterns run on RE2, whose time grows with the text and not faster,
so that none can hang a recording; it knows no look-around and no back-references.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2
from msgspec import Struct

from wiretape.cassette.edits import Found
from wiretape.cassette.header_names import LISTS_KEPT
from wiretape.cassette.json_paths import JsonPath, at_paths, parse_path
from wiretape.cassette.places import header_kind, heads, parameter_kind, plain
from wiretape.exchange import Headers

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class RedactOptions(Struct, frozen=True, kw_only=True):
    """What is redacted beside credentials, which always are."""

    headers: tuple[str, ...] = ()
    """Header fields whose whole value goes, in any case."""
    query: tuple[str, ...] = ()
    """Parameters of queries and forms, and parts of multipart bodies, whose value goes, in any case."""
    json: tuple[str, ...] = ()
    """JSON paths in bodies and events: `$.metadata.ssn`, `$..email`, `$.messages[*].content`; any value goes whole."""
    patterns: tuple[str, ...] = ()
    """Patterns (RE2 syntax) for bodies, events, targets and header values; where one has a group, the first group is
    what goes."""


NO_RULES = RedactOptions()


def problems(options: RedactOptions) -> Iterator[str]:
    """What is wrong with these rules, one sentence each."""
    for name in options.headers:
        if _TOKEN.fullmatch(name) is None:
            yield f"redact.headers: {name!r} can be no name of a header field; give one such as x-customer-id"
    for name in options.query:
        if not name or not name.isprintable():
            yield f"redact.query: {name!r} can be no name of a parameter; give one such as customer_id"
    for text in options.json:
        try:
            parse_path(text)
        except ValueError as error:
            yield f"redact.json: {text!r} is no JSON path: {error}"
    for text in options.patterns:
        if (problem := _pattern_problem(text)) is not None:
            yield f"redact.patterns: {text!r} {problem}"


def _pattern_problem(text: str) -> str | None:
    try:
        compiled = _compiled(text)
    except re2.error as error:
        told = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        return f"is no pattern of RE2 (it has no look-around and no back-references): {told}"
    return "matches the empty text, so it would match everywhere" if compiled.search(b"") is not None else None


class RedactRules:
    """These rules together with those that always hold. Raises ValueError for what `problems` finds."""

    def __init__(self, options: RedactOptions = NO_RULES) -> None:
        for problem in problems(options):
            raise ValueError(problem)
        self._headers = frozenset(name.lower().encode() for name in options.headers)
        self._parameters = frozenset(name.lower().encode() for name in options.query)
        self._paths: tuple[JsonPath, ...] = tuple(map(parse_path, options.json))
        self._patterns = tuple(map(_compiled, options.patterns))
        self.are_any = bool(self._headers or self._parameters or self._paths or self._patterns)
        """Whether there is a rule that does not always hold."""
        self.telling = lru_cache(LISTS_KEPT)(self._telling)
        """Where those of some header names stand whose values are secrets."""

    @property
    def spans_deltas(self) -> bool:
        """Whether what they find may begin in one piece of a text and end in another."""
        return bool(self._patterns)

    def header_kind(self, name: bytes, value: bytes) -> str | None:
        """The type of secret that this header holds, or None."""
        return header_kind(name, value) or ("header" if name.lower() in self._headers else None)

    def parameter_kind(self, name: bytes) -> str | None:
        """The type of secret that a query, form or multipart field of this (percent-encoded) name holds, or None."""
        known = parameter_kind(name)
        return known or ("query" if self._parameters and plain(name).lower() in self._parameters else None)

    def _telling(self, names: tuple[bytes, ...]) -> tuple[int, ...]:
        return tuple(at for at, name in enumerate(names) if self.header_kind(name, b"") is not None)

    def heads(self, target: bytes, headers: Headers) -> Iterator[tuple[str, bytes]]:
        """(type, value) of each secret in a request's head."""
        told = [headers[at] for at in self.telling(tuple([name for name, _ in headers]))]
        return heads(target, tuple(told), self.header_kind, self.parameter_kind)

    def in_json(self, data: bytes) -> Iterator[Found]:
        """What stands at the JSON paths in a body or a frame, in order."""
        return at_paths(data, self._paths) if self._paths else iter(())

    def finds(self, data: bytes) -> bool:
        """Whether a pattern finds something in this text."""
        return any(pattern.search(data) is not None for pattern in self._patterns)

    def in_text(self, data: bytes) -> Iterator[Found]:
        """What the patterns find, in order of the text; the longer of two that begin together."""
        found = [one for pattern in self._patterns for one in _matches(pattern, data)]
        return iter(sorted(found, key=lambda one: (one.start, -one.end)))


def _matches(pattern: Any, data: bytes) -> Iterator[Found]:  # noqa: ANN401 - the engine has no types
    group = min(pattern.groups, 1)
    for match in pattern.finditer(data):
        start, end = match.span(group)
        if start < end:
            yield Found(start, end, "pattern", data[start:end])


def _compiled(text: str) -> Any:  # noqa: ANN401 - as above
    options = re2.Options()
    options.log_errors = False
    return re2.compile(text.encode(), options)
