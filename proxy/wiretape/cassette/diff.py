"""How two recordings of one conversation differ, by what they say (`said`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import SequenceMatcher

from msgspec import UNSET, Struct

from wiretape.cassette.format import Tape
from wiretape.cassette.said import Said, said

SHOWN_MAX = 80
"""Characters of a value that are shown."""
_COMPARED = ("request", "status", "how", "headers", "answer")


class Change(Struct, frozen=True):
    """A place where the two say something else, as a JSON path; both values as shown, or `nothing`."""

    where: str
    first: str
    second: str


class Pair(Struct, frozen=True):
    """Two interactions that belong together and differ."""

    label: str
    first: int
    """Its number in the first file; `second` in the second."""
    second: int
    changes: tuple[Change, ...]


class Alone(Struct, frozen=True):
    """An interaction that only one of the two has."""

    label: str
    index: int


class Diff(Struct, frozen=True):
    """All differences; none where the two say the same."""

    compared: int
    """Interactions that both have, reads that follow each other taken as one."""
    changed: tuple[Pair, ...]
    only_first: tuple[Alone, ...]
    only_second: tuple[Alone, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the two say the same."""
        return not (self.changed or self.only_first or self.only_second)


def diff(first: Tape, second: Tape) -> Diff:
    """How the second differs from the first. Interactions are paired by what they ask, in their order."""
    left, right = said(first), said(second)
    blocks = SequenceMatcher(None, [one.label for one in left], [one.label for one in right], autojunk=False)
    pairs = [
        (left[block.a + at], right[block.b + at]) for block in blocks.get_matching_blocks() for at in range(block.size)
    ]
    matched_left, matched_right = {one.index for one, _ in pairs}, {one.index for _, one in pairs}
    return Diff(
        compared=len(pairs),
        changed=tuple(pair for pair in (_pair(*both) for both in pairs) if pair.changes),
        only_first=tuple(Alone(one.label, one.index) for one in left if one.index not in matched_left),
        only_second=tuple(Alone(one.label, one.index) for one in right if one.index not in matched_right),
    )


def _pair(first: Said, second: Said) -> Pair:
    changes = [change for part in _COMPARED for change in _changes(part, getattr(first, part), getattr(second, part))]
    return Pair(first.label, first.index, second.index, tuple(changes))


def _changes(where: str, first: object, second: object) -> Iterator[Change]:
    """Depth first, in the order of the first; what only one of them has is told whole."""
    match first, second:
        case {"event": str(one)}, {"event": str(other)} if one != other:
            yield Change(f"{where}.event", _shown(one), _shown(other))
        case dict(), dict():
            for name in dict.fromkeys([*first, *second]):
                yield from _changes(f"{where}.{name}", first.get(name, UNSET), second.get(name, UNSET))
        case list(), list():
            for at in range(max(len(first), len(second))):
                yield from _changes(f"{where}[{at}]", *(one[at] if at < len(one) else UNSET for one in (first, second)))
        case _ if type(first) is not type(second) or first != second:
            yield Change(where, _shown(first), _shown(second))
        case _:
            pass


def _shown(value: object) -> str:
    text = "nothing" if value is UNSET else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"
