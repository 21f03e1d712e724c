"""A session's ids: which recorded id each of the client's stands for. They are bound one to one, never erased.

So thread A is never given thread B's answer. An id of the client's that is a recorded one stands for that; any other
is bound on first use, to one that no recorded response has introduced: it came from outside then, as it does now.
An answer is rendered with the client's own ids; those that the client has never named are the recorded ones, or
with fresh ids new ones of the same length, which depend on the session's name and the id's alias alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from wiretape.cassette.edits import fitted
from wiretape.cassette.format import Interaction
from wiretape.cassette.ids import kind, replaced
from wiretape.exchange import Headers

_DIGITS, _LETTERS, _HEX_LETTERS = "0123456789", "abcdefghijklmnopqrstuvwxyz", "abcdef"
_HEX_TAIL = re.compile(r"[0-9a-f-]+")
_ATTEMPTS_MAX = 100
"""For an id that is not taken yet; one whose tail is so short that all are keeps its own."""


class Recorded(Protocol):
    """The ids of a library."""

    @property
    def introduced(self) -> Mapping[str, str]:
        """Those that a response introduced, with their alias."""
        ...

    def names(self, identity: str) -> bool:
        """Whether it stands in a request or was introduced by a response."""
        ...


class Bindings:
    """The ids of one session."""

    def __init__(self, ids: Recorded, session: str, *, fresh: bool = False) -> None:
        self._ids = ids
        self._session = session
        self._fresh = fresh
        self._recorded: dict[str, str] = {}
        self._clients: dict[str, str] = {}
        self._renamed = False

    def recorded(self, client: str) -> str:
        """The recorded id that the client's stands for; where it can stand for none, what is equal to none."""
        bound = self._recorded.get(client)
        if bound is None and client in self._clients:
            return f"{client}(here {self._clients[client]})"
        return bound or client

    def recorded_text(self, text: str) -> str:
        """A text of the client's with the recorded ids in it."""
        return replaced(text.encode(), self.recorded)[0].decode() if self._renamed else text

    def is_free(self, client: str) -> bool:
        """Whether it is not bound yet."""
        return client not in self._recorded

    def bound(self, clients: Iterable[str], recorded: Iterable[str]) -> dict[str, str] | None:
        """The bindings that would make these ids the same, pair by pair; None where that cannot be."""
        made: dict[str, str] = {}
        for client, one in zip(clients, recorded, strict=True):
            if made.setdefault(client, one) != one or not self._may_bind(client, one):
                return None
        return made if len(set(made.values())) == len(made) else None

    def may_stand(self, asked: Sequence[str], recorded: Sequence[str]) -> bool:
        """Whether ids, such as `recorded` gives them, are these recorded ones or may yet be bound to them."""
        unlike = {one: other for one, other in zip(asked, recorded, strict=True) if one != other}
        made = self.bound(unlike, unlike.values())
        pairs = zip(asked, recorded, strict=True)
        return made is not None and all(unlike.get(one, one) == other for one, other in pairs)

    def bind(self, pairs: Mapping[str, str]) -> None:
        """Bind the client's ids to recorded ones; `pairs` are such as `bound` gives."""
        for client, recorded in pairs.items():
            self._recorded[client], self._clients[recorded] = recorded, client
            self._renamed = self._renamed or client != recorded

    def client(self, recorded: str) -> str:
        """What the client calls a recorded id."""
        bound = self._clients.get(recorded)
        if bound is None:
            bound = self._new(recorded)
            if bound != recorded:
                self.bind({bound: recorded})
        return bound

    def rendered(self, interaction: Interaction) -> Interaction:
        """An interaction's answer with the client's ids; pieces and frames end where they did."""
        if not (self._renamed or self._fresh):
            return interaction
        body, changes = replaced(interaction.body, self.client)
        named = replace(interaction, headers=self._headers(interaction.headers), body=body)
        if not changes:
            return named
        sizes = fitted([size for _, size in interaction.chunks], changes)
        chunks = tuple((gap, size) for (gap, _), size in zip(interaction.chunks, sizes, strict=True))
        return replace(named, chunks=chunks, frames=tuple(fitted(interaction.frames, changes)))

    def _headers(self, headers: Headers) -> Headers:
        return tuple((name, replaced(value, self.client)[0]) for name, value in headers)

    def _may_bind(self, client: str, recorded: str) -> bool:
        bound = self._recorded.get(client)
        if bound is not None or recorded in self._clients:
            return bound == recorded
        return client == recorded or not (recorded in self._ids.introduced or self._ids.names(client))

    def _new(self, recorded: str) -> str:
        if not self._fresh:
            return recorded
        alias = self._ids.introduced.get(recorded, recorded)
        made = (_like(recorded, f"{self._session}\x00{alias}\x00{attempt}") for attempt in range(_ATTEMPTS_MAX))
        return next((one for one in made if self._is_untaken(one)), recorded)

    def _is_untaken(self, made: str) -> bool:
        return made not in self._recorded and made not in self._clients


def _like(identity: str, seed: str) -> str:
    """An id of the same kind, length and alphabet, of which nothing but the seed decides."""
    border = len(kind(identity)) + 1
    head, tail = identity[:border], identity[border:]
    letters = _HEX_LETTERS if _HEX_TAIL.fullmatch(tail) else _LETTERS
    drawn = hashlib.shake_128(seed.encode()).digest(len(tail))
    return head + "".join(_char(char, byte, letters) for char, byte in zip(tail, drawn, strict=True))


def _char(char: str, byte: int, letters: str) -> str:
    if char.isdigit():
        return _DIGITS[byte % len(_DIGITS)]
    if char.isalpha():
        drawn = letters[byte % len(letters)]
        return drawn.upper() if char.isupper() else drawn
    return char
