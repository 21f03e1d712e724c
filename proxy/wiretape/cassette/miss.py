"""Why replay has no answer: the nearest recorded requests, and the first thing in which they differ.

Everything here is made of redacted forms, so a message may be shown to anybody who may see the cassette.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest

from msgspec import UNSET, Struct

from wiretape.cassette.format import Interaction
from wiretape.cassette.key import meaning, pairs
from wiretape.cassette.secrets import unnumbered
from wiretape.cassette.shelf import Entry
from wiretape.exchange import Headers

_NEAREST_MAX = 3
COMPARED_MAX = 32
"""Bodies are compared with so many recordings only: those with the most similar method and path."""
_DIFFERENCES_MAX = 20
_SHOWN_MAX = 80
_LISTED_MAX = 5


class Asked(Struct, frozen=True):
    """A request as the recorder would have stored it."""

    method: str
    target: str
    headers: Headers
    body: bytes


class Difference(Struct, frozen=True):
    """Where a request and a recording differ: `method`, `path`, `query`, `body` or a JSON path; both as shown."""

    where: str
    recorded: str
    asked: str


class Near(Struct, frozen=True):
    """A recorded request like the one asked."""

    index: int
    method: str
    target: str
    differences: tuple[Difference, ...]


class Miss(Struct, frozen=True, kw_only=True):
    """Replay knows no answer. `message` is one paragraph for a person; the rest are its parts."""

    message: str
    nearest: tuple[Near, ...]
    times_recorded: int
    """How many equal requests were recorded; all of them were played."""
    unplayed: tuple[str, ...]
    replayed_id: str | None = None
    """An id the request names that a replayed answer has introduced; no upstream knows it."""


def explain(
    asked: Asked,
    interactions: Sequence[Interaction],
    times_recorded: int,
    unplayed: Sequence[Interaction | Entry],
    replayed_id: str | None,
) -> Miss:
    """The miss of this request."""
    nearest = () if times_recorded else _nearest(asked, interactions)
    left = tuple(f"#{one.index} {one.method} {_short(one.target)}" for one in unplayed)
    parts = [f"No recorded answer for {asked.method} {_short(asked.target)}."]
    parts += _consumed(times_recorded) + [_told(near) for near in nearest[:1]] + _also(nearest[1:])
    parts.append(f"Not played yet: {_listed(left)}." if left else "Everything recorded was played.")
    message = " ".join(parts)
    return Miss(message=message, nearest=nearest, times_recorded=times_recorded, unplayed=left, replayed_id=replayed_id)


def differences(recorded: object, asked: object) -> Iterator[Difference]:
    """Where two JSON values differ, in document order, by JSON path. Deep values are walked, not recursed into."""
    pending: list[tuple[str, object, object]] = [("$", recorded, asked)]
    while pending:
        path, left, right = pending.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            names = list(left) + [name for name in right if name not in left]
            inner = [(f"{path}.{name}", left.get(name, UNSET), right.get(name, UNSET)) for name in names]
            pending.extend(reversed(inner))
        elif isinstance(left, list) and isinstance(right, list):
            pairs = zip_longest(left, right, fillvalue=UNSET)
            pending.extend(reversed([(f"{path}[{place}]", one, other) for place, (one, other) in enumerate(pairs)]))
        elif type(left) is not type(right) or left != right:
            yield Difference(path, _shown(left), _shown(right))


def _nearest(asked: Asked, interactions: Sequence[Interaction]) -> tuple[Near, ...]:
    likely = sorted(interactions, key=lambda one: distance(asked, one))[:COMPARED_MAX]
    compared = [(distance(asked, one), _near(asked, one)) for one in likely]
    compared.sort(key=lambda pair: (pair[0], len(pair[1].differences), pair[1].index))
    return tuple(near for _, near in compared[:_NEAREST_MAX])


def distance(asked: Asked, one: Interaction | Entry) -> int:
    """How unlike method and path are: a different method counts as much as a segment and a half."""
    ours, theirs = asked.target.partition("?")[0].split("/"), one.path.split("/")
    unlike = [left for left, right in zip_longest(ours, theirs) if left != right]
    return 2 * len(unlike) + (0 if asked.method == one.method else 3)


def _near(asked: Asked, one: Interaction) -> Near:
    found = islice(_compared(asked, one), _DIFFERENCES_MAX)
    return Near(one.index, one.method, one.target, tuple(found))


def _compared(asked: Asked, one: Interaction) -> Iterator[Difference]:
    path, _, query = asked.target.partition("?")
    if asked.method != one.method:
        yield Difference("method", one.method, asked.method)
    if path != one.path:
        yield Difference("path", one.path, path)
    recorded_query = one.target.partition("?")[2]
    if pairs(unnumbered(recorded_query.encode())) != pairs(unnumbered(query.encode())):
        yield Difference("query", recorded_query or "none", query or "none")
    yield from _bodies(asked, one)


def _bodies(asked: Asked, one: Interaction) -> Iterator[Difference]:
    recorded, ours = meaning(one.request_headers, one.request_body), meaning(asked.headers, asked.body)
    if recorded.kind == ours.kind == "json":
        yield from differences(recorded.value, ours.value)
    elif recorded != ours:
        yield Difference("body", _body(recorded.kind, one.request_body), _body(ours.kind, asked.body))


def _body(kind: str, body: bytes) -> str:
    return f"{kind}, {len(body)} bytes"


def _told(near: Near) -> str:
    parts = [f"; it differs at {one.where}: recorded {one.recorded}, asked {one.asked}" for one in near.differences[:1]]
    more = len(near.differences) - 1
    others = f", and in {more} more place{'s' if more > 1 else ''}" if more > 0 else ""
    return f"The nearest recording is #{near.index} {near.method} {_short(near.target)}{''.join(parts)}{others}."


def _also(others: Sequence[Near]) -> list[str]:
    names = tuple(f"#{near.index} {near.method} {_short(near.target)}" for near in others)
    return [f"Then come {_listed(names)}."] if names else []


def _consumed(times_recorded: int) -> list[str]:
    times = "once, and has" if times_recorded == 1 else f"{times_recorded} times, and all have"
    return [f"An equal request was recorded {times} been played already."] if times_recorded else []


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED_MAX
    return ", ".join(names[:_LISTED_MAX]) + (f" and {more} more" if more > 0 else "")


def _shown(value: object) -> str:
    if value is UNSET:
        return "nothing"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    return _short(json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"
