"""Ids and choices out of one seed: no two runs of the same requests differ."""

from __future__ import annotations

import string
from collections.abc import Sequence
from random import Random
from typing import TypeVar

LETTERS = string.ascii_letters + string.digits
ID_LENGTH = 24

T = TypeVar("T")


class Chance:
    """A seeded source; what rides on every answer is drawn apart from what objects are made of."""

    def __init__(self, seed: int) -> None:
        self._objects = Random(f"objects {seed}")  # noqa: S311  repeatable on purpose, no secret comes of it
        self._answers = Random(f"answers {seed}")  # noqa: S311  as above

    def id(self, prefix: str, length: int = ID_LENGTH) -> str:
        """A new object id: the prefix and so many letters or digits."""
        return prefix + "".join(self._objects.choices(LETTERS, k=length))

    def hex_id(self, prefix: str) -> str:
        """A new object id: the prefix and 32 hex digits."""
        return f"{prefix}{self._objects.getrandbits(128):032x}"

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, of which there is at least one."""
        return self._objects.choice(choices)

    def request_id(self) -> str:
        """A new `x-request-id`: `req_` and 32 hex digits."""
        return f"req_{self._answers.getrandbits(128):032x}"

    def processing_ms(self) -> int:
        """A plausible `openai-processing-ms`; nobody waits for it."""
        return self._answers.randint(18, 95)
