"""Which properties an object is to have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wiretape.sandbox.content import Json
from wiretape.sandbox.schema.offer import Offer
from wiretape.sandbox.schema.parts import Parts, most, objects_at, required

PROPERTIES_MAX = 1_000
"""Properties of an object; a budget of values ends it sooner."""

_DEPENDENCIES = ("dependentRequired", "dependencies")


def plans(parts: Parts, offer: Offer, *, whole: bool) -> Iterator[tuple[str, ...]]:
    """Sets of names, likely ones first: what is required and what the message speaks of, only that, all.

    All are likely where nothing says which are required, and where the object is to be whole.
    """
    known = {name: schema for one in objects_at(parts, "properties") for name, schema in one.items()}
    must = closed(parts, required(parts))
    optional = [name for name in known if name not in must]
    chosen = any(isinstance(part.get("required"), list) for part in parts) and not whole
    wished = [name for name in optional if not chosen or offer.mentions(name, known[name])]
    room = most(parts, "maxProperties", PROPERTIES_MAX) - len(must)
    sets = (closed(parts, (*must, *some[: max(room, 0)])) for some in (wished, [], optional))
    order = {name: index for index, name in enumerate(dict.fromkeys((*known, *must)))}
    met = set()
    for one in sets:
        names = tuple(sorted(one, key=lambda name: order.get(name, len(order))))
        if names not in met:
            met.add(names)
            yield names


def closed(parts: Parts, names: Iterable[str]) -> list[str]:
    """The names with all that must come with them."""
    found = dict.fromkeys(names)
    tables = [part[keyword] for part in parts for keyword in _DEPENDENCIES if keyword in part]
    waiting = list(found) if tables else []
    while waiting:
        name = waiting.pop()
        new = [one for one in _following(tables, name) if one not in found]
        found.update(dict.fromkeys(new))
        waiting.extend(new)
    return list(found)


def _following(tables: Iterable[Json], name: str) -> Iterator[str]:
    for one in tables:
        following = one.get(name) if isinstance(one, dict) else None
        yield from (text for text in following if isinstance(text, str)) if isinstance(following, list) else ()


def dependents(parts: Parts, names: Iterable[str]) -> list[Json]:
    """The schemas that come to hold since these names are there."""
    keywords = ("dependentSchemas", "dependencies")
    tables = [one for keyword in keywords for one in objects_at(parts, keyword)]
    return [one[name] for name in names for one in tables if isinstance(one.get(name), dict | bool)]
