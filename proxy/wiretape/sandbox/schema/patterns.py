r"""Regular expressions of clients, read into languages; what is not regular is not understood.

Python's own parser reads them (as hypothesis and rstr have it do): its syntax is that of ECMA-262 but for a
name's brackets. Not understood: backreferences, lookbehinds, word boundaries, flags, \p classes.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]  # no public one; tests hold what it answers to re's matches
from typing import Any

from wiretape.sandbox.schema.budget import Unknown
from wiretape.sandbox.schema.languages import (
    ALL,
    ANY,
    EMPTY,
    NOTHING,
    Chars,
    Language,
    besides,
    both,
    chain,
    either,
    repeat,
)

PATTERN_MAX = 1_000
"""Code points of a pattern that is read."""
READ_MAX = 64
"""Patterns kept once they are read."""

Item = tuple[Any, Any]

_SPACES = ((9, 13), (32, 32), (160, 160), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x3000, 0x3000))
_CATEGORIES = {
    "CATEGORY_DIGIT": ((48, 57),),
    "CATEGORY_WORD": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "CATEGORY_SPACE": _SPACES,
    "CATEGORY_NOT_DIGIT": ((0, 47), (58, 127)),
    "CATEGORY_NOT_WORD": ((0, 47), (58, 64), (91, 94), (96, 96), (123, 127)),
    "CATEGORY_NOT_SPACE": ((0, 8), (14, 31), (33, 159), (161, 0x1FFF), (0x200B, 0x2027), (0x3001, sys.maxunicode)),
}
"""Where ECMA-262 and Python agree: for digits and words that is within ASCII."""
_AROUND = frozenset({"AT", "ASSERT", "ASSERT_NOT"})
_BEGINNING = frozenset({"AT_BEGINNING", "AT_BEGINNING_STRING"})
_LINE_ENDS = ((10, 10), (13, 13), (0x2028, 0x2029))


def language(pattern: str) -> Language:
    """All texts in which the pattern is found. Raises Unknown."""
    found = _read(pattern)
    if found is None:
        raise Unknown(pattern[:80])
    return found


@lru_cache(READ_MAX)
def _read(pattern: str) -> Language | None:
    try:
        return _found(_parsed(pattern)) if len(pattern) <= PATTERN_MAX else None
    except (re.error, Unknown, RecursionError, OverflowError):
        return None


def _parsed(pattern: str) -> Sequence[Item]:
    with warnings.catch_warnings():  # of constructs to come in Python's syntax
        warnings.simplefilter("ignore")
        tree = _parser.parse(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", pattern))
    if tree.state.flags != re.UNICODE:
        raise Unknown
    return list(tree)


def _found(items: Sequence[Item]) -> Language:
    """Found at the very beginning, or later on."""
    later = chain(ANY, chain(ALL, _sequence(items, ALL, head=False)))
    return either(_sequence(items, ALL, head=True), later)


def _sequence(items: Sequence[Item], then: Language, *, head: bool) -> Language:
    """The items with what follows them; `head` says that nothing can have been read before."""
    heads = []
    for index, item in enumerate(items):
        heads.append(head)
        if head and _name(item) not in _AROUND:
            if not _length(item) and _looks(items[index + 1 :], _BEGINNING):
                raise Unknown  # an anchor that holds only if nothing was read before it
            head = False
    for item, at_head in zip(reversed(items), reversed(heads), strict=True):
        then = _item(item, then, head=at_head)
    return then


def _name(item: Item) -> str:
    return str(item[0])


def _length(item: Item) -> int:
    """The fewest characters an item reads."""
    value = item[1]
    match _name(item):
        case "AT" | "ASSERT" | "ASSERT_NOT":
            return 0
        case "SUBPATTERN":
            return sum(map(_length, value[3]))
        case "BRANCH":
            return min(sum(map(_length, one)) for one in value[1])
        case "MAX_REPEAT" | "MIN_REPEAT":
            return int(value[0]) * sum(map(_length, value[2]))
        case _:
            return 1


def _item(item: Item, then: Language, *, head: bool) -> Language:
    value = item[1]
    match _name(item):
        case "AT":
            return _anchored(str(value), then, head=head)
        case "ASSERT" | "ASSERT_NOT" as name:
            return _ahead(name, value, then, head=head)
        case "SUBPATTERN" if value[1:3] == (0, 0):
            return _sequence(value[3], then, head=head)
        case "BRANCH":
            return either(*[_sequence(one, then, head=head) for one in value[1]])
        case "MAX_REPEAT" | "MIN_REPEAT":
            return _repeated(value, then, head=head)
        case _:
            return chain(_chars(item), then)


def _anchored(where: str, then: Language, *, head: bool) -> Language:
    match where:
        case "AT_BEGINNING" | "AT_BEGINNING_STRING":
            return then if head else NOTHING
        case "AT_END" | "AT_END_STRING":
            return EMPTY if then.nullable else NOTHING
        case _:
            raise Unknown


def _ahead(name: str, value: Any, then: Language, *, head: bool) -> Language:  # noqa: ANN401  the parser's own tree
    direction, items = value
    if direction < 0:
        raise Unknown
    seen = _sequence(items, ALL, head=head)
    return both(seen if name == "ASSERT" else besides(seen), then)


def _repeated(value: tuple[int, int, Sequence[Item]], then: Language, *, head: bool) -> Language:
    """A repetition; one whose items look around them is understood at most once."""
    least, most, items = value
    end = None if most == _parser.MAXREPEAT else int(most)
    if not _looks(items):
        return chain(repeat(_sequence(items, EMPTY, head=False), least, end), then)
    if end != 1:
        raise Unknown
    once = _sequence(items, then, head=head)
    return once if least else either(once, then)


def _looks(tree: Any, what: frozenset[str] = _AROUND) -> bool:  # noqa: ANN401  the parser's own tree
    """Whether an anchor or an assertion stands anywhere below."""
    if isinstance(tree, list | tuple | _parser.SubPattern):
        return any(_looks(one, what) for one in tree)
    return str(tree) in what


def _chars(item: Item) -> Chars:
    value = item[1]
    match _name(item):
        case "LITERAL":
            return Chars(((value, value),))
        case "NOT_LITERAL":
            return Chars(((value, value),), negated=True)
        case "ANY":
            return Chars(_LINE_ENDS, negated=True)
        case "IN":
            return _class(value)
        case _:
            raise Unknown


def _class(items: Sequence[Item]) -> Chars:
    ranges: list[tuple[int, int]] = []
    for item in items:
        ranges.extend(_ranges(item))
    ascii_only = any(_name(item) == "CATEGORY" and "SPACE" not in str(item[1]) for item in items)
    return Chars(tuple(ranges), negated=_name(items[0]) == "NEGATE", ascii=ascii_only)


def _ranges(item: Item) -> Sequence[tuple[int, int]]:
    value = item[1]
    match _name(item):
        case "LITERAL":
            return ((value, value),)
        case "RANGE":
            return (value,)
        case "CATEGORY":
            return _CATEGORIES[str(value)]
        case _:
            return ()
