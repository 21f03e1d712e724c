"""Why replay has no answer: what was recorded that is like the request, what differs, and a rule that overlooks it.

Everything here is made of redacted forms, so a message may be shown to anybody who may see the cassette.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from msgspec import Struct

from wiretape.cassette.nearest import Asked, Difference, Near, short, toml
from wiretape.cassette.shelf import Entry

__all__ = ["Asked", "Difference", "Known", "Miss", "Misses", "Near", "explain"]

_LISTED_MAX = 5


class Miss(Struct, frozen=True, kw_only=True):
    """Replay knows no answer. `message` is for a person; the rest are its parts."""

    message: str
    nearest: tuple[Near, ...]
    times_recorded: int
    """How many equal requests were recorded; none of them may be played now."""
    unplayed: tuple[str, ...]
    """The first five of what was not played."""
    replayed_id: str | None = None
    """An id the request names that a replayed answer has introduced; no upstream knows it."""
    asked: str = ""
    """Method and target."""
    rule: str | None = None
    """A table for wiretape.toml under which the nearest recording would have matched."""


class Known(Struct, frozen=True, kw_only=True):
    """What a cursor knows about a request that it cannot answer."""

    times_recorded: int
    why_not: str | None
    """Why an equal request is not played, where it was not played already."""
    nearest: tuple[Near, ...]
    """None, where an equal request was recorded."""
    unplayed: Sequence[Entry]
    """The first of them."""
    unplayed_count: int
    replayed_id: str | None


def explain(asked: Asked, known: Known) -> Miss:
    """The miss of this request."""
    names = tuple(map(_name, known.unplayed))
    nearest = known.nearest
    rule = next((toml(near.rule) for near in nearest[:1] if near.rule is not None), None)
    parts = [f"No recorded answer for {asked.method} {short(asked.target)}."]
    parts += _equal(known) + [_told(near) for near in nearest[:1]] + _also(nearest[1:])
    parts.append(_left(names, known.unplayed_count))
    return Miss(
        message=" ".join(parts) + _pasted(rule),
        nearest=nearest,
        times_recorded=known.times_recorded,
        unplayed=names,
        replayed_id=known.replayed_id,
        asked=f"{asked.method} {short(asked.target)}",
        rule=rule,
    )


class Misses:
    """What a session asked in vain: all are counted, the last `kept_max` are kept."""

    def __init__(self, kept_max: int) -> None:
        self.count = 0
        self._kept: deque[Miss] = deque(maxlen=kept_max)

    def add(self, miss: Miss) -> None:
        """One more."""
        self.count += 1
        self._kept.append(miss)

    def forgive(self, miss: Miss) -> None:
        """One less: it was passed on to an upstream, which answered."""
        self.count -= 1
        if miss in self._kept:
            self._kept.remove(miss)

    def __iter__(self) -> Iterator[Miss]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def text(self) -> str:
        """A report for a person; empty where nothing was asked in vain."""
        if not self.count:
            return ""
        earlier = self.count - len(self._kept)
        head = f"{self.count} request{'s' if self.count > 1 else ''} without a recorded answer"
        return "\n\n".join([head + (f", the first {earlier} not shown" if earlier else "") + ":", *self._messages()])

    def _messages(self) -> Iterator[str]:
        return (f"{number}. {miss.message}" for number, miss in enumerate(self._kept, self.count - len(self._kept) + 1))


def _equal(known: Known) -> list[str]:
    times = "once" if known.times_recorded == 1 else f"{known.times_recorded} times"
    if not known.times_recorded:
        return []
    if known.why_not is not None:
        return [f"An equal request was recorded {times}, {known.why_not}."]
    have = "has" if known.times_recorded == 1 else "all have"
    return [f"An equal request was recorded {times}, and {have} been played already."]


def _told(near: Near) -> str:
    parts = [f"; it differs at {one.where}: recorded {one.recorded}, asked {one.asked}" for one in near.differences[:1]]
    more = len(near.differences) - 1
    others = f", and in {more} more place{'s' if more > 1 else ''}" if more > 0 else ""
    return f"The nearest recording is {_name(near)}{''.join(parts)}{others}."


def _also(others: Sequence[Near]) -> list[str]:
    return [f"Then come {', '.join(map(_name, others))}."] if others else []


def _left(names: Sequence[str], count: int) -> str:
    if not count:
        return "Everything recorded was played."
    more = count - len(names)
    return f"Not played yet: {', '.join(names)}" + (f" and {more} more." if more else ".")


def _pasted(rule: str | None) -> str:
    return "" if rule is None else f" To overlook what differs, put this into wiretape.toml:\n\n{rule}\n"


def _name(one: Near | Entry) -> str:
    return f"#{one.index} {one.method} {short(one.target)}"
