"""Rules of matching: what is left out of a request, what counts by its form alone, which headers count.

A rule names a place: `query:name`, `form:name`, `part:name` (a field of a form, a part of a multipart body), or a
JSON path into the body. A path is names and indexes (`messages[0].metadata.trace`), `*` and `[*]` for all of them,
`["a.b"]` for a name with dots; a leading `$.` may stand or not, and `$` alone is the whole body, JSON or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from msgspec import Struct

Form = Literal["uuid", "timestamp", "number"]
"""What a value is normalised as: each of its kind becomes the same."""

Pairs = tuple[tuple[str, str], ...]
_Step: TypeAlias = str | int | None
"""A name, an index, or None for all of them."""
_Rest: TypeAlias = "tuple[tuple[tuple[_Step, ...], str], ...]"
_IGNORE: Final = "ignore"
_BODY: Final = "$"
_PLACES = frozenset({"query", "form", "part"})
_RULES_KEPT = 64

_STEP = re.compile(r'(?:\A|\.)([^.\[\]"*]+|\*)|\[(\d{1,9}|\*)\]|\["([^"]+)"\]')
_HEX = "[0-9a-fA-F]"
_FORMS: Final[dict[str, re.Pattern[str]]] = {
    "uuid": re.compile(rf"(?<![0-9A-Za-z]){_HEX}{{8}}(?:-?{_HEX}{{4}}){{3}}-?{_HEX}{{12}}(?![0-9A-Za-z])"),
    "timestamp": re.compile(
        r"(?<!\d)\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)?)?"
        r"|(?<!\d)[12]\d{9}(?:\d{3}|\d{6}|\d{9}|\.\d{1,9})?(?!\d)"
    ),
    "number": re.compile(r"-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,9})?"),
}
"""As they stand in text: ISO 8601, and Unix times from 2001 on in seconds, milli-, micro- or nanoseconds."""


class _LeftOut:
    """What stands where a rule leaves a value out, until it is taken away."""


_LEFT_OUT: Final = _LeftOut()


class Rules(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rules as they are written down; `problems` tells what is wrong with them."""

    ignore: tuple[str, ...] = ()
    """Places that do not count: JSON paths (`metadata.trace`, `messages[*].id`), `query:name`, `form:name`,
    `part:name`, `$` for the whole body."""
    normalise: dict[str, Form] = {}
    """Places of which only the form counts: `uuid`, `timestamp` or `number`, also inside a longer text."""
    headers: tuple[str, ...] = ()
    """Names of request headers that count."""

    def __bool__(self) -> bool:
        return bool(self.ignore or self.normalise or self.headers)

    def problems(self) -> Iterator[str]:
        """What is wrong, in sentences."""
        for place in (*self.ignore, *self.normalise):
            kind, _, name = place.partition(":")
            if kind in _PLACES and not name:
                yield f"the rule {place!r} names no {kind}; write {kind}:name"
            elif kind not in _PLACES and _steps(place) is None:
                yield (
                    f"the rule {place!r} is no place: a JSON path such as messages[*].id, query:name, form:name, "
                    "part:name or $ was expected"
                )
        if twice := set(self.ignore) & set(self.normalise):
            yield f"the rule {min(twice)!r} is in ignore and in normalise; one of them is meant"

    def joined(self, other: Rules) -> Rules:
        """Both together; what one leaves out is left out."""
        ignore = tuple(dict.fromkeys((*self.ignore, *other.ignore)))
        forms = {place: form for place, form in (self.normalise | other.normalise).items() if place not in ignore}
        return Rules(ignore=ignore, normalise=forms, headers=tuple(dict.fromkeys((*self.headers, *other.headers))))

    @property
    def has_no_body(self) -> bool:
        """Whether no body counts at all."""
        return _BODY in self.ignore

    def pairs(self, place: str, found: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """The pairs that count of a query, a form or (name, content) of parts, normalised."""
        for name, value in found:
            where = f"{place}:{name}"
            if where not in self.ignore:
                form = self.normalise.get(where, self.normalise.get(_BODY) if place != "query" else None)
                yield name, value if form is None else normalised(value, form)

    def value(self, body: object) -> object:
        """A JSON value with what the rules leave of it."""
        rest = _paths(self.ignore, tuple(self.normalise.items()))
        return _ruled(body, rest) if rest else body


NO_RULES: Final = Rules()


class MatchOptions(Rules, frozen=True, kw_only=True):
    """The section `match`: rules, and a bound."""

    misses_max: int = 20
    """Misses that a session keeps for its report, the last ones; all are counted."""

    @property
    def rules(self) -> Rules:
        """The rules alone."""
        return Rules(ignore=self.ignore, normalise=self.normalise, headers=self.headers)


def normalised(text: str, form: str) -> str:
    """A text in which all of this form are the same."""
    return _FORMS[form].sub(f"{{{{{form}}}}}", text)


def form_of(one: str, other: str) -> Form | None:
    """The form in which two texts are the same, or None; two that are wholly numbers may be times as well."""
    forms: tuple[Form, ...] = ("uuid", "timestamp", "number")
    return next((form for form in forms if _has_form(form, one, other)), None)


def _has_form(form: Form, one: str, other: str) -> bool:
    return all(_FORMS[form].fullmatch(text) for text in (one, other))


@lru_cache(_RULES_KEPT)
def _paths(ignore: tuple[str, ...], forms: tuple[tuple[str, Form], ...]) -> _Rest:
    """(steps, what to do) of the rules that are JSON paths; what is left out goes first."""
    named = [(place, _IGNORE) for place in ignore] + list(forms)
    found = ((_steps(place), act) for place, act in named if place.partition(":")[0] not in _PLACES)
    return tuple((steps, act) for steps, act in found if steps is not None)


def _steps(path: str) -> tuple[_Step, ...] | None:
    """A path's steps; None where it is none."""
    if path == _BODY:
        return ()
    rest = path[1:].removeprefix(".") if path.startswith(("$.", "$[")) else path
    if not rest:
        return None
    steps: list[_Step] = []
    at = 0
    while at < len(rest):
        match = _STEP.match(rest, at)
        if match is None or (at == 0 and match[0].startswith(".")):
            return None
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> _Step:
    name, index, quoted = match.groups()
    if quoted is not None:
        return quoted
    found = name if index is None else index
    return None if found == "*" else name if index is None else int(index)


def _ruled(value: object, rest: _Rest) -> object:
    """The value under the rules that lead into it; `_LEFT_OUT` where one ends here that leaves it out."""
    acts = [act for steps, act in rest if not steps]
    if _IGNORE in acts:
        return _LEFT_OUT
    if acts:
        value = _form_below(value, acts[0])
    if isinstance(value, dict):
        inner = ((name, _ruled(one, _below(rest, name))) for name, one in value.items())
        return {name: one for name, one in inner if one is not _LEFT_OUT}
    if isinstance(value, list):
        kept = (_ruled(one, _below(rest, index)) for index, one in enumerate(value))
        return [one for one in kept if one is not _LEFT_OUT]
    return value


def _below(rest: _Rest, step: str | int) -> _Rest:
    return tuple((steps[1:], act) for steps, act in rest if steps and steps[0] in {step, None})


def _form_below(value: object, form: str) -> object:
    """Every value inside in this form; a number that is one of them is as good as a text."""
    if isinstance(value, dict):
        return {name: _form_below(one, form) for name, one in value.items()}
    if isinstance(value, list):
        return [_form_below(one, form) for one in value]
    if isinstance(value, str):
        return normalised(value, form)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{{{{{form}}}}}" if is_number and _FORMS[form].fullmatch(str(value)) else value
