"""How many items an array is to have, and what it must contain."""

from __future__ import annotations

from collections.abc import Iterator

from wiretape.sandbox.content import Json
from wiretape.sandbox.schema.parts import Parts, item_schemas, least, most, prefix_length

ITEMS_MAX = 256
"""Items of an array; a schema that asks for more gets none."""


def counts(parts: Parts) -> Iterator[int]:
    """Numbers of items the schemas allow, likely ones first: one, or as many as have a place of their own."""
    low, high = least(parts, "minItems"), min(most(parts, "maxItems", ITEMS_MAX), ITEMS_MAX)
    wish = max(1, prefix_length(parts), len(contained(parts)), low)
    some = (min(wish, high), low, wish + 1, wish + 2)
    yield from dict.fromkeys(count for count in some if low <= count <= high)


def contained(parts: Parts) -> list[Json]:
    """The schemas of items that must be there, each as often as it must."""
    found: list[Json] = []
    for part in parts:
        if "contains" in part:
            times = least((part,), "minContains", 1)
            found.extend([part["contains"]] * min(times, ITEMS_MAX))
    return found


def schemas_at(parts: Parts, index: int) -> list[Json]:
    """Every schema that the item at an index must satisfy; the first items are those the array must contain."""
    return [*item_schemas(parts, index), *contained(parts)[index : index + 1]]
