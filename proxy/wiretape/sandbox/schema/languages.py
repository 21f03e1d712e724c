"""Sets of texts as regular expressions over derivatives: matching takes no backtracking, spelling is a search.

Brzozowski's derivative of a language by a character holds what may follow that character. With it, both the
intersection of languages (two patterns, a lookahead) and the complement (a negative lookahead) are plain nodes,
and a pattern that is catastrophic for a backtracking matcher is as good as any other. All work is counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import ClassVar

from msgspec import Struct

from wiretape.sandbox.schema.budget import Budget

LOWER = "abcdefghijklmnopqrstuvwxyz"
LIKED = (LOWER, LOWER.upper(), "1234567890", "-_.@/:+ ")
"""Characters to spell with, by preference."""
LETTERS_MAX = 24
"""Characters tried at each place of a spelling."""
REPEATED_MAX = 8
"""Characters of a class tried at each place when one spelling is not enough."""
WAYS_MAX = 64
"""Ways to the same rest of a language that are followed then."""
NEAR_MAX = 16
"""Code points by which those spellings are longer than a shortest, at first."""
RANGES_A_STEP = 16
"""Ranges of a class that are looked through in one step."""
ASCII_END = 128


class Chars(Struct, frozen=True, cache_hash=True):
    """One character in (or, negated, not in) ranges of code points; `ascii` ones hold no character beyond ASCII."""

    nullable: ClassVar[bool] = False
    ranges: tuple[tuple[int, int], ...]
    negated: bool = False
    ascii: bool = False

    def holds(self, point: int) -> bool:
        """Whether the code point is one of these."""
        if self.ascii and point >= ASCII_END:
            return False
        return any(low <= point <= high for low, high in self.ranges) != self.negated


class Empty(Struct, frozen=True, cache_hash=True):
    """The empty text alone."""

    nullable: ClassVar[bool] = True


class Chain(Struct, frozen=True, cache_hash=True):
    """One text after another."""

    first: Language
    rest: Language
    nullable: bool


class Either(Struct, frozen=True, cache_hash=True):
    """The texts of any; of none there are no texts at all."""

    some: tuple[Language, ...]
    nullable: bool


class Both(Struct, frozen=True, cache_hash=True):
    """The texts that all have in common."""

    some: tuple[Language, ...]
    nullable: bool


class Besides(Struct, frozen=True, cache_hash=True):
    """All other texts."""

    one: Language
    nullable: bool


class Repeat(Struct, frozen=True, cache_hash=True):
    """Texts one after another, so many times; `most` None is without end."""

    one: Language
    least: int
    most: int | None
    nullable: bool


Language = Chars | Empty | Chain | Either | Both | Besides | Repeat
"""Nodes know whether they are `nullable` (the empty text is among theirs): what stands behind many is asked once."""

NOTHING = Either((), nullable=False)
EMPTY = Empty()
ANY = Chars((), negated=True)
ALL = Repeat(ANY, 0, None, nullable=True)


def chain(first: Language, rest: Language) -> Language:
    """One after the other."""
    if NOTHING in {first, rest}:
        return NOTHING
    if EMPTY in {first, rest}:
        return rest if first == EMPTY else first
    if isinstance(first, Chain):
        return chain(first.first, chain(first.rest, rest))
    return Chain(first, rest, first.nullable and rest.nullable)


def either(*some: Language) -> Language:
    """The union."""
    flat: dict[Language, None] = {}
    for one in some:
        flat.update(dict.fromkeys(one.some if isinstance(one, Either) else (one,)))
    if ALL in flat:
        return ALL
    return next(iter(flat)) if len(flat) == 1 else Either(tuple(flat), any(one.nullable for one in flat))


def both(*some: Language) -> Language:
    """The intersection."""
    flat: dict[Language, None] = {}
    for one in some:
        flat.update(dict.fromkeys(one.some if isinstance(one, Both) else (one,)))
    flat.pop(ALL, None)
    if NOTHING in flat:
        return NOTHING
    if len(flat) < 2:  # noqa: PLR2004  one of one is that one
        return next(iter(flat), ALL)
    return Both(tuple(flat), all(one.nullable for one in flat))


def besides(one: Language) -> Language:
    """The complement."""
    if isinstance(one, Besides):
        return one.one
    return ALL if one == NOTHING else NOTHING if one == ALL else Besides(one, not one.nullable)


def repeat(one: Language, least: int, most: int | None) -> Language:
    """The repetition."""
    if most == 0 or one == EMPTY:
        return EMPTY
    return one if least == most == 1 else Repeat(one, least, most, least == 0 or one.nullable)


def derived(language: Language, point: int, budget: Budget) -> Language:  # noqa: PLR0911  as above
    """What may follow this code point. Raises Exhausted."""
    budget.step()
    match language:
        case Chars():
            budget.step(len(language.ranges) // RANGES_A_STEP)
            return EMPTY if language.holds(point) else NOTHING
        case Empty():
            return NOTHING
        case Chain(first, rest):
            begun = chain(derived(first, point, budget), rest)
            return either(begun, derived(rest, point, budget)) if first.nullable else begun
        case Either(some):
            return either(*[derived(one, point, budget) for one in some])
        case Both(some):
            return both(*[derived(one, point, budget) for one in some])
        case Besides(one):
            return besides(derived(one, point, budget))
        case Repeat(one, least, most, _):
            left = repeat(one, max(least - 1, 0), None if most is None else most - 1)
            return chain(derived(one, point, budget), left)


def matches(language: Language, text: str, budget: Budget) -> bool:
    """Whether the text is one of the language. Raises Exhausted."""
    for letter in text:
        language = derived(language, ord(letter), budget)
        if language in {ALL, NOTHING}:
            break
    return language.nullable


def spelled(language: Language, least: int, most: int, budget: Budget) -> Iterator[str]:
    """Texts of the language with so many code points: a short one, then those near it, then all; some twice.

    Raises Exhausted.
    """
    alphabet = list(dict.fromkeys(_classes(language)))
    if least > NEAR_MAX:  # far to go: the first way is good enough
        yield from _walked(language, alphabet, (least, min(most, least + NEAR_MAX)), _Walk(deep=True), budget)
    shortest = next(_walked(language, alphabet, (least, most), _Walk(), budget), None)
    if shortest is None:
        return
    yield shortest
    near = least, min(most, len(shortest) + NEAR_MAX)
    yield from _walked(language, alphabet, near, _Walk(letters=REPEATED_MAX, ways=WAYS_MAX, deep=True), budget)
    yield from _walked(language, alphabet, (least, most), _Walk(letters=REPEATED_MAX, ways=WAYS_MAX), budget)


class _Walk(Struct, frozen=True, kw_only=True):
    """How to go: `letters` of each class at a place, `ways` that meet are followed, and deep or in breadth."""

    letters: int = 1
    ways: int = 1
    deep: bool = False


def _walked(
    language: Language, alphabet: list[Chars], bounds: tuple[int, int], walk: _Walk, budget: Budget
) -> Iterator[str]:
    """The texts met on a walk over derivatives."""
    least, most = bounds
    met: dict[tuple[Language, int], int] = {}
    ways = deque([("", language)])
    while ways:
        text, rest = ways.pop() if walk.deep else ways.popleft()
        if len(text) >= least and rest.nullable:
            yield text
        letters = _letters(alphabet, len(text), walk.letters, budget) if len(text) < most else []
        for letter in reversed(letters) if walk.deep else letters:
            following = derived(rest, ord(letter), budget)
            place = (following, min(len(text) + 1, least))
            met[place] = met.get(place, 0) + 1
            if following != NOTHING and met[place] <= walk.ways:
                ways.append((text + letter, following))


def _classes(language: Language) -> Iterator[Chars]:
    """The classes in a language, in their order; what several ways lead to is looked at once."""
    met = {id(language)}
    waiting = [language]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Chars):
            yield one
        for below in reversed(_below(one)):
            if id(below) not in met:
                met.add(id(below))
                waiting.append(below)


def _below(language: Language) -> tuple[Language, ...]:
    match language:
        case Chain(first, rest):
            return first, rest
        case Either(some) | Both(some):
            return some
        case Besides(one) | Repeat(one):
            return (one,)
        case _:
            return ()


def _letters(alphabet: list[Chars], place: int, repeated: int, budget: Budget) -> list[str]:
    """Characters to try at a place: some of each class, and where ranges begin, for classes that overlap."""
    budget.step(sum(len(one.ranges) for one in alphabet) * repeated)
    picked = [_picked(one, place + offset) for offset in range(repeated) for one in alphabet]
    edges = [chr(low) for one in alphabet for low, _ in one.ranges if " " <= chr(low) <= "~"]
    found = dict.fromkeys(letter for letter in (*picked, *edges) if letter)
    return list(found)[:LETTERS_MAX]


def _picked(chars: Chars, place: int) -> str:
    """A character of the class, another at each place; empty if it has none that can be shown."""
    for liked in LIKED:
        held = [letter for letter in liked if chars.holds(ord(letter))]
        if held:
            return held[place % len(held)]
    points = (low + place % (high - low + 1) for low, high in chars.ranges)
    other = (*range(ord(" "), ord("~") + 1), *points, 0xE9)
    return next((chr(point) for point in other if chars.holds(point) and chr(point).isprintable()), "")
