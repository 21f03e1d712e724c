"""What a message still offers: each of its names and numbers is used once before any is used again."""

from __future__ import annotations

from collections.abc import Iterator

from wiretape.sandbox.content import Json
from wiretape.sandbox.words import Hints, name_words

SENTENCE_NAMES = frozenset(
    """
    answer comment content description details explanation message note output reason reasoning reply response result
    summary text thought thoughts
    """.split()  # noqa: SIM905  a list of words reads better than a list of strings
)
"""Properties with such a word in their names are told in a sentence, where there is one to tell."""


class Offer:
    """Hands out the hints of one message, in order."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._names = 0
        self._numbers = 0

    def names(self, place: str) -> Iterator[str]:
        """The next name, then all others; before them the sentence, for a property that tells something."""
        if self._hints.sentence and not SENTENCE_NAMES.isdisjoint(name_words(place)):
            yield self._hints.sentence
        names = self._hints.names
        start = self._names % len(names) if names else 0
        self._names += 1
        yield from (*names[start:], *names[:start])

    def numbers(self) -> tuple[float, ...]:
        """The numbers not yet used."""
        start = self._numbers
        self._numbers += 1
        return self._hints.numbers[start:]

    def written(self) -> Iterator[str]:
        """Names and words of the message just as they stand there, for texts of a certain form."""
        yield from self._hints.names
        yield from self._hints.tokens

    def liked(self, choices: list[Json]) -> list[Json]:
        """The choices with those first that the message mentions."""
        return sorted(choices, key=lambda one: str(one).casefold() not in self._hints.words)

    def mentions(self, name: str, schema: Json) -> bool:
        """Whether the message speaks of a property, by its name or by one of its choices."""
        words = name_words(name)
        if words and self._hints.words.issuperset(words):
            return True
        choices = schema.get("enum") if isinstance(schema, dict) else None
        return isinstance(choices, list) and any(str(one).casefold() in self._hints.words for one in choices)
