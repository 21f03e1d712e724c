"""What a recording or a session has seen of secrets, and the placeholders that stand for them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TypeVar

from msgspec import Struct

from wiretape.cassette.glance import NO_SECRETS, Glance
from wiretape.cassette.places import credentials
from wiretape.cassette.redact_rules import NO_RULES, RedactOptions, RedactRules
from wiretape.cassette.spelling import PLACEHOLDER, Known, is_telling, known
from wiretape.exchange import Headers

__all__ = ["PLACEHOLDER", "Memory", "Secrets", "unnumbered"]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

Replaced = tuple[int, str, bytes]
"""A field that its name tells: its place, the secret's type, and its value."""
Asked = tuple[str, str, str]
"""Session, method and target: a client polls with the same."""
_HEADS_KEPT = _LINES_KEPT = 64
_LINE_BYTES_MAX = 4 << 10
"""Longer lines are made each time: 64 of each of 64 heads are remembered."""
_LATE_FACTOR = 8
_PATIENCE = 50
"""Glances without a change, before the automaton is made anew."""
_IDENTITIES = frozenset({"org", "project"})
"""Who, not a credential: redacted in its header, but a slug such as `acme` is not looked for elsewhere."""


class Memory:
    """The secrets that are looked for, by the value each was learned from; bounded to the `size` last seen."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._learned: dict[tuple[str, bytes], tuple[Known, ...]] = {}
        self.known: tuple[Known, ...] = ()
        """All of them; another tuple whenever that changes."""

    @property
    def is_full(self) -> bool:
        """Whether the next one pushes one out."""
        return len(self._learned) >= self._size

    def seen(self, kind: str, value: bytes) -> tuple[Known, ...] | None:
        """What a value is made of, where it was seen lately; it is the last seen then."""
        learned = self._learned.pop((kind, value), None)
        if learned is not None:
            self._learned[kind, value] = learned
        return learned

    def keep(self, kind: str, value: bytes, learned: tuple[Known, ...]) -> None:
        """Remember what a value is made of."""
        self._learned[kind, value] = learned
        _bound(self._learned, self._size)
        self.known = tuple(chain.from_iterable(self._learned.values()))

    def take(self, other: Memory) -> None:
        """Know all that another knows."""
        self._learned |= other._learned
        self.known = tuple(chain.from_iterable(self._learned.values()))


class StoredHead(Struct, frozen=True):
    """How the fields of a request's head are stored, as long as the same is looked for."""

    known: tuple[Known, ...]
    replaced: tuple[Replaced, ...]
    stored: Headers
    lines: dict[Asked, bytes]
    """What follows the number in the lines of requests without a body, where nothing is redacted in the target."""

    def keep(self, asked: Asked, line: bytes) -> None:
        """Remember the rest of a line, unless it is long; bounded to the last."""
        if len(line) <= _LINE_BYTES_MAX:
            self.lines[asked] = line
            _bound(self.lines, _LINES_KEPT)


class Secrets:
    """The placeholders of a recording or a session, and what lasts in it: the keys that its requests came with.

    Bounded to the `secrets_max` last seen. A secret that was pushed out is still redacted where it stands, and in
    its own exchange; seen again it gets a new number.

    A secret may have been written down before it was known to be one. Such are kept for the sealing: `late` for all
    exchanges, `late_in` for one, bounded to eight times as many. `begun` says that exchanges were written before.
    """

    def __init__(self, secrets_max: int = 32, rules: RedactOptions = NO_RULES, *, begun: bool = False) -> None:
        self.secrets_max = secrets_max
        self.rules = RedactRules(rules)
        self.lasting = Memory(secrets_max)
        self.late = Memory(secrets_max * _LATE_FACTOR)
        self.late_in: dict[int, tuple[Known, ...]] = {}
        self.begun = begun
        self.lookbacks_passed = 0
        """Times a bound let go what might have begun a secret (`withheld`)."""
        self.heads: dict[Headers, StoredHead] = {}
        """By the fields as they came: clients repeat theirs."""
        self._glance = NO_SECRETS
        self._glance_of: tuple[Known, ...] = ()
        self._glances = 0
        self._counts: dict[str, int] = {}
        self._placeholders: dict[bytes, bytes] = {}

    def keep_head(self, headers: Headers, head: StoredHead) -> None:
        """Remember a head; bounded to the last, each no longer than a head may be."""
        self.heads.pop(headers, None)
        self.heads[headers] = head
        _bound(self.heads, _HEADS_KEPT)

    def settle(self) -> None:
        """Nothing more is recorded: what made that quicker goes."""
        self.heads.clear()
        self._glance, self._glance_of = NO_SECRETS, ()

    def glance(self) -> Glance:
        """What looks for all that lasts at once; made when that has not changed for some glances, as it takes long."""
        if self._glance_of is not self.lasting.known:
            self._glance_of, self._glance, self._glances = self.lasting.known, NO_SECRETS, 0
        self._glances += 1
        if self._glances == _PATIENCE and self._glance_of:
            self._glance = Glance(self._glance_of)
        return self._glance

    def go_on(self, before: Secrets) -> None:
        """Begin with what another knew at its end, and with its placeholders: the next part of one recording does."""
        self.lasting.take(before.lasting)
        self._counts |= before._counts
        self._placeholders |= before._placeholders

    def placeholder(self, kind: str, value: bytes) -> bytes:
        """What stands for this secret; the kind it was first seen as counts."""
        stored = self._placeholders.pop(value, None)
        if stored is None:
            kind = kind.removeprefix("set")
            self._counts[kind] = count = self._counts.get(kind, 0) + 1
            stored = f"{{{{secret:{kind}#{count}}}}}".encode()
        self._placeholders[value] = stored
        _bound(self._placeholders, self.secrets_max * _LATE_FACTOR)
        return stored

    def learned_late(self, index: int, known: tuple[Known, ...]) -> None:
        """Keep what an exchange learned after some of it was written."""
        self.late_in[index] = known
        _bound(self.late_in, self.secrets_max * _LATE_FACTOR)

    def learn(self, kind: str, value: bytes, *memories: Memory) -> None:
        """Look from now on, as long as these memories last, for what a place's value is made of."""
        if PLACEHOLDER.search(value) is not None:
            return
        learned = None
        for memory in memories:
            known_here = memory.seen(kind, value)
            if known_here is None:
                learned = tuple(self._made(kind, value)) if learned is None else learned
                memory.keep(kind, value, learned)
                if memory is self.lasting and self.begun:
                    self.late.keep(kind, value, learned)
            else:
                learned = known_here

    def _made(self, kind: str, value: bytes) -> Iterator[Known]:
        parts = dict.fromkeys(credentials(kind, value)) if kind not in _IDENTITIES else {}
        return (known(part, self.placeholder(kind, part)) for part in parts if is_telling(part))


def unnumbered(data: bytes) -> bytes:
    """Placeholders without type and number, for keys: both depend on where and when a secret was seen first."""
    return PLACEHOLDER.sub(b"{{secret}}", data)


def _bound(table: dict[_Key, _Value], size: int) -> None:
    while len(table) > size:
        del table[next(iter(table))]
