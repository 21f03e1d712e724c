"""An open run as plain data, so that another process can go on with it: all that its report is made of.

It holds no head and no body of any request. Its times are those of the process that took it, with one reading of both
clocks (`Origin.at_ns`, `Origin.wall_ns`): whoever goes on with it moves them to its own monotonic clock by the
difference of the wall clocks. So a length that spans the two processes is as exact as the wall clock between them.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from wiretape.errors import DecodeFailed
from wiretape.runs.facts import RunFacts
from wiretape.runs.options import RunOptions
from wiretape.runs.sketch import Sketch
from wiretape.runs.tracker import Key, Origin, Run

VERSION: Final = 1
"""Of the form. One that adds a field with a default need not change it."""
_TIMES: Final = frozenset({"statuses", "answered"})
"""Fields that hold times by another name, each by a word of its own."""
Facts = TypeVar("Facts", bound=Struct)


class Snapshot(Struct, frozen=True, kw_only=True):
    """One run. `facts` are still the run's own: encode it before anything more is seen."""

    version: int = VERSION
    upstream: str
    run_id: str
    origin: Origin
    assistant_name: str | None
    facts: RunFacts

    @property
    def key(self) -> Key:
        """The run's."""
        return self.upstream, self.run_id


class _Form(Struct):
    version: int


def taken(run: Run, assistant_name: str | None) -> Snapshot:
    """The run as it stands."""
    upstream, run_id = run.key
    return Snapshot(upstream=upstream, run_id=run_id, origin=run.origin, assistant_name=assistant_name, facts=run.facts)


def encode(snapshot: Snapshot) -> bytes:
    """As bytes: JSON, as the other forms that msgspec knows have no integers of 128 bits."""
    return msgspec.json.encode(snapshot)


def decode(data: bytes) -> Snapshot:
    """The snapshot that `encode` gave these bytes of; raises DecodeFailed for others, and for a newer form."""
    try:
        form = msgspec.json.decode(data, type=_Form)
        if form.version > VERSION:
            raise DecodeFailed(f"the snapshot has form {form.version}, this Wiretape knows {VERSION}")
        return msgspec.json.decode(data, type=Snapshot)
    except msgspec.DecodeError as error:
        raise DecodeFailed(f"the snapshot cannot be read: {error}") from error


def restored(snapshot: Snapshot, options: RunOptions, now_ns: int, wall_ns: int) -> Run:
    """The run again, now that our clocks tell these two times: monotonic, and ns since the Unix epoch.

    A wall clock that is behind the run's last sign of life was set back: it is taken to stand there.
    """
    origin, facts = snapshot.origin, snapshot.facts
    lived_ns = max(wall_ns - origin.wall_ns, facts.last_seen_ns - origin.at_ns)
    by_ns = now_ns - lived_ns - origin.at_ns
    return Run(snapshot.key, moved(origin, by_ns, fixed="wall_ns"), options, moved(facts, by_ns))


def moved(facts: Facts, by_ns: int, fixed: str = "") -> Facts:
    """The same with all its monotonic times `by_ns` later, but for one field that is none."""
    names = [name for name in facts.__struct_fields__ if name != fixed]
    return replace(facts, **{name: _moved(name, getattr(facts, name), by_ns) for name in names})


def _moved(name: str, value: Any, by_ns: int) -> Any:  # noqa: ANN401  whatever a field of the facts holds
    """A field that ends in `_ns` is a time, and so is the first of a pair (`facts.Told`)."""
    match value:
        case Struct():
            return value if isinstance(value, Sketch) else moved(value, by_ns)
        case tuple((int(at_ns), *rest)):
            return (at_ns + by_ns, *rest)
        case dict():
            return {key: _moved(name, one, by_ns) for key, one in value.items()}
        case list():
            return [_moved(name, one, by_ns) for one in value]
        case int() if name.endswith("_ns") or name in _TIMES:
            return value + by_ns
    return value
