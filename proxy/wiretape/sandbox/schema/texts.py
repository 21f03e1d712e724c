"""Texts that several schemas allow, of what the message says where it can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wiretape.sandbox.content import Json
from wiretape.sandbox.schema import languages
from wiretape.sandbox.schema.budget import Budget
from wiretape.sandbox.schema.formats import FORMATS
from wiretape.sandbox.schema.offer import Offer
from wiretape.sandbox.schema.parts import Parts, least, most, texts_at
from wiretape.sandbox.schema.patterns import language

TEXT_MAX = 4_096
"""Code points of a text; a schema that asks for more gets none."""
NUMBERED_MAX = 32
"""Texts told apart by a number at their end."""

Bounds = tuple[int, int]


def texts(parts: Parts, place: str, offer: Offer, budget: Budget) -> Iterator[str]:
    """Texts that the schemas allow, likely ones first. Raises Unknown and Exhausted."""
    bounds = least(parts, "minLength"), min(most(parts, "maxLength", TEXT_MAX), TEXT_MAX)
    if bounds[0] > bounds[1]:
        return
    formats = [FORMATS[one] for one in texts_at(parts, "format") if one in FORMATS]
    asked = [language(one) for one in (*texts_at(parts, "pattern"), *(form.pattern for form in formats))]
    if asked:
        likely = (*offer.written(), *_given(parts), *(form.example for form in formats))
        found = _formed(languages.both(*asked), likely, bounds, budget)
    else:
        found = _free((*offer.names(place), *_given(parts), place or "something"), bounds, budget)
    for text in found:
        budget.write(len(text))
        yield text


def _given(parts: Parts) -> Iterator[str]:
    """What the schemas themselves propose."""
    yield from texts_at(parts, "default")
    for part in parts:
        examples: Json = part.get("examples")
        yield from (one for one in examples if isinstance(one, str)) if isinstance(examples, list) else ()


def _formed(asked: languages.Language, likely: Iterable[str], bounds: Bounds, budget: Budget) -> Iterator[str]:
    low, high = bounds
    for text in likely:
        if low <= len(text) <= high and languages.matches(asked, text, budget):
            yield text
    yield from languages.spelled(asked, low, high, budget)


def _free(likely: tuple[str, ...], bounds: Bounds, budget: Budget) -> Iterator[str]:
    """Each likely text made as long as it must be, then the first of them numbered, then anything."""
    low, high = bounds
    yield from (_lengthened(text, low)[:high] for text in likely)
    for count in range(2, NUMBERED_MAX):
        end = f" {count}"
        if len(end) <= high:
            yield _lengthened(likely[0], low - len(end))[: high - len(end)] + end
    yield from languages.spelled(languages.ALL, low, high, budget)


def _lengthened(text: str, length: int) -> str:
    """The text, said again as often as it takes."""
    return text if len(text) >= length else (f"{text or 'x'} " * length)[:length]
