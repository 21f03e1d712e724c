"""What a run has still to do, and what it knows by now: carried from each of its legs to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from wiretape.sandbox.acts import Act, Spent
from wiretape.sandbox.calls import CalledFunction, Result

CHARACTERS_PER_TOKEN = 4


class Stored(Struct, frozen=True):
    """A file that a run can name."""

    id: str
    name: str


class Known(Struct, frozen=True):
    """What tools have given since the run's last message."""

    told: tuple[CalledFunction, ...] = ()
    logs: tuple[str, ...] = ()
    results: tuple[Result, ...] = ()
    searched: bool = False
    images: tuple[str, ...] = ()
    files: tuple[Stored, ...] = ()


class Plot(Struct, frozen=True, kw_only=True):
    """The acts to come, and what they need."""

    acts: tuple[Act, ...]
    question: str
    """The thread's last user message, as far as the run reads the thread."""
    context: int
    """Tokens that the next step reads: the prompt and all that the run has made or been told."""
    pace_s: float
    known: Known = Known()
    use: Spent | None = None
    """What the next step is to say of its tokens, where a script has said so."""


class Shelf(Protocol):
    """The files that a run can reach, and where it puts its own."""

    def search(self, query: str, results_max: int, threshold: float, at_s: float) -> Sequence[Result]:
        """What the run's vector stores hold about this, best first. Raises Refused after too many searches."""

    def keep(self, content: bytes, name: str, at_s: float) -> str:
        """Keep a file that the run has made; gives its id. Raises Refused when there is no room."""

    def store(self, size_bytes: int) -> None:
        """Count bytes of text as kept in the run's thread. Raises Refused when there is no room."""

    @property
    def searchable(self) -> bool:
        """Whether there is anything to search in."""

    @property
    def readable(self) -> Sequence[Stored]:
        """The files that code can open."""

    def text(self, file_id: str) -> str:
        """What is in a file, as far as it is text."""


def count(text: str) -> int:
    """How many tokens a text counts for: four characters each."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)
