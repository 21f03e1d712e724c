"""How much effort one answer may take, whatever its schema asks for."""

from __future__ import annotations

VALUES_MAX = 1_000
"""Values made for one answer; a recursive schema asks for more than there are atoms."""
STEPS_MAX = 50_000
"""Small steps of checking and spelling, a few microseconds each."""
LETTERS_MAX = 1 << 16
"""Code points of all texts made."""
WHOLE_MAX = 8
"""Answers made at once of which each has the whole effort; more have this much of it together."""


class Exhausted(Exception):
    """The budget is spent."""


class Unknown(Exception):
    """A schema uses what is not understood, so nothing can be said of its values."""


class Budget:
    """What is left of the effort for one answer."""

    def __init__(self, values: int = VALUES_MAX, steps: int = STEPS_MAX, letters: int = LETTERS_MAX) -> None:
        self._values = values
        self._steps = steps
        self._letters = letters

    def value(self) -> None:
        """Count a value. Raises Exhausted."""
        self._values -= 1
        if self._values < 0:
            raise Exhausted

    def step(self, count: int = 1) -> None:
        """Count small steps. Raises Exhausted."""
        self._steps -= count
        if self._steps < 0:
            raise Exhausted

    def write(self, letters: int) -> None:
        """Count code points of a text. Raises Exhausted."""
        self._letters -= letters
        if self._letters < 0:
            raise Exhausted


def shared(among: int, steps: int = STEPS_MAX) -> Budget:
    """The effort for one of so many answers that are made at once."""
    share = max(1, -(-among // WHOLE_MAX))
    return Budget(VALUES_MAX // share, steps // share, LETTERS_MAX // share)
