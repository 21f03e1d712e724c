"""The shape of an answer: which JSON types stand where, which events come in which order; and how two differ.

Values do not count, and neither does how often something repeats: the elements of an array are taken together, so
are the events of one name, and an order of events is told without its immediate repeats. `null` and an empty array
say nothing of what else might stand there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from msgspec import UNSET, Struct

from wiretape.cassette.forms import read_json
from wiretape.exchange import Headers
from wiretape.wire.headers import is_event_stream, media_type
from wiretape.wire.sse import Framer

_FRAME_BYTES_MAX = 1 << 31
_NOTHING = "nothing"
_NULL = "null"
_TYPES: dict[type, str] = {
    dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number", type(None): _NULL,
}  # fmt: skip

Types = dict[str, set[str]]
"""The JSON types by path; `$.data[].id` stands for the ids of all elements."""


class Answered(Struct, frozen=True):
    """An answer, decoded."""

    status: int
    headers: Headers
    body: bytes


class Drift(Struct, frozen=True):
    """Where a live answer differs from the recorded one, and what stands there in each."""

    where: str
    recorded: str
    live: str


def drift(recorded: Answered, live: Answered) -> Iterator[Drift]:
    """The differences; of bodies only where the statuses and the media types are the same."""
    if recorded.status != live.status:
        yield Drift("status", str(recorded.status), str(live.status))
        return
    before, now = (media_type(one.headers) or _NOTHING for one in (recorded, live))
    if before != now:
        yield Drift("content-type", before, now)
        return
    yield from _streams(recorded, live) if is_event_stream(recorded.headers) else _bodies(recorded, live)


def pairs(recorded: Answered, live: Answered) -> Iterator[tuple[str, str]]:
    """The strings that stand at the same place in both, of events the n-th with the n-th of its name."""
    before, now = ([*_values(one)] for one in (recorded, live))
    for name in dict.fromkeys(name for name, _ in before):
        of_name = ([value for other, value in values if other == name] for values in (before, now))
        for one, other in zip(*of_name, strict=False):
            yield from _paired(one, other)


def _values(answer: Answered) -> Iterator[tuple[str, object]]:
    if is_event_stream(answer.headers):
        yield from ((name, read_json(data)) for name, data in _events(answer.body))
    else:
        yield "", read_json(answer.body)


def _paired(left: object, right: object) -> Iterator[tuple[str, str]]:
    pending = [(left, right)]
    while pending:
        one, other = pending.pop()
        if isinstance(one, str) and isinstance(other, str):
            yield one, other
        elif isinstance(one, dict) and isinstance(other, dict):
            pending += [(one[name], other[name]) for name in one if name in other]
        elif isinstance(one, list) and isinstance(other, list):
            pending += zip(one, other, strict=False)


def _streams(recorded: Answered, live: Answered) -> Iterator[Drift]:
    before, now = ([*_events(one.body)] for one in (recorded, live))
    yield from _orders(_collapsed(before), _collapsed(now))
    for name in dict.fromkeys(name for name, _ in before):
        of_name = (_types(read_json(data) for other, data in events if other == name) for events in (before, now))
        yield from _differences(f"{name or 'unnamed event'} ", *of_name)


def _orders(before: list[str], now: list[str]) -> Iterator[Drift]:
    """The first place at which two orders of events part."""
    if before != now:
        place = next((at for at, (one, other) in enumerate(zip(before, now, strict=False)) if one != other), None)
        at = min(len(before), len(now)) if place is None else place
        yield Drift(f"event {at + 1}", *((names[at : at + 1] or [_NOTHING])[0] for names in (before, now)))


def _collapsed(events: Iterable[tuple[str, bytes]]) -> list[str]:
    return [name for name, _ in groupby(events, lambda event: event[0])]


def _events(body: bytes) -> Iterator[tuple[str, bytes]]:
    framer = Framer(_FRAME_BYTES_MAX)
    frames = framer.feed(body) + framer.finish()
    return ((frame.event, frame.data) for frame in frames if frame.data is not None)


def _bodies(recorded: Answered, live: Answered) -> Iterator[Drift]:
    before, now = read_json(recorded.body), read_json(live.body)
    kinds = [_NOTHING if not one.body else "no JSON" if value is UNSET else "JSON"
             for one, value in ((recorded, before), (live, now))]  # fmt: skip
    if kinds[0] != kinds[1]:
        yield Drift("body", *kinds)
    yield from _differences("", _types([before]), _types([now]))


def _types(values: Iterable[object]) -> Types:
    """Deep values are walked, not recursed into."""
    found: Types = {}
    pending = [("$", value) for value in values if value is not UNSET]
    while pending:
        path, value = pending.pop()
        found.setdefault(path, set()).add(_TYPES[type(value)])
        if isinstance(value, dict):
            pending += [(f"{path}.{name}", one) for name, one in value.items()]
        elif isinstance(value, list):
            pending += [(f"{path}[]", one) for one in value]
    return found


def _differences(before_path: str, recorded: Types, live: Types) -> Iterator[Drift]:
    for path in sorted(recorded.keys() | live.keys()):
        before, now = recorded.get(path), live.get(path)
        if before is None or now is None:
            if _is_missing(path, recorded, live):
                yield Drift(before_path + path, _named(before), _named(now))
        elif before - {_NULL} and now - before - {_NULL}:
            yield Drift(before_path + path, _named(before), _named(now))


def _is_missing(path: str, recorded: Types, live: Types) -> bool:
    """Whether a key is not there although the object around it is; what is below a missing key is not told."""
    around, _, _ = path.rpartition(".")
    return not path.endswith("[]") and all("object" in types.get(around, ()) for types in (recorded, live))


def _named(types: set[str] | None) -> str:
    return " or ".join(sorted(types)) if types else _NOTHING
