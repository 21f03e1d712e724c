"""The ways to satisfy a schema: references followed, one way chosen of each `anyOf`, all of each `allOf`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from wiretape.sandbox.content import Json
from wiretape.sandbox.objects import JsonObject
from wiretape.sandbox.schema.budget import Budget
from wiretape.sandbox.schema.parts import Parts, referred

NESTING_MAX = 32
"""References and combinations within each other; a reference to itself comes to an end here."""

_COMBINATIONS = frozenset({"$ref", "allOf", "anyOf", "oneOf", "if"})


class Branch(NamedTuple):
    """One way: the schemas that hold at once, and the references that led to them."""

    parts: Parts
    references: frozenset[str]


_NOTHING_ASKED = Branch((), frozenset())


class Branches:
    """Finds the ways, likely ones first. `oneOf` and `if` may yield a way too many: what comes of it is checked."""

    def __init__(self, root: Json, budget: Budget) -> None:
        self._root = root
        self._budget = budget

    def of(self, schemas: Sequence[Json], open_references: frozenset[str]) -> Iterator[Branch]:
        """All ways to satisfy all the schemas; those that lead back to an open reference last. Raises Exhausted."""
        if len(schemas) == 1:
            return self._single(schemas[0], open_references, 0)
        return self._demands([(schema,) for schema in schemas], open_references, 0)

    def _demands(self, demands: list[tuple[Json, ...]], opened: frozenset[str], nesting: int) -> Iterator[Branch]:
        """One way for each demand, which is met by any of its options."""
        if not demands:
            yield _NOTHING_ASKED
            return
        for option in demands[0]:
            for first in self._single(option, opened, nesting):
                for rest in self._demands(demands[1:], opened, nesting):
                    yield Branch((*first.parts, *rest.parts), first.references | rest.references)

    def _single(self, schema: Json, opened: frozenset[str], nesting: int) -> Iterator[Branch]:
        self._budget.step()
        if schema is False or nesting > NESTING_MAX:
            return
        if not isinstance(schema, dict):
            yield _NOTHING_ASKED
        elif _COMBINATIONS.isdisjoint(schema):
            yield Branch((schema,), frozenset())
        else:
            yield from self._combined(schema, opened, nesting)

    def _combined(self, schema: JsonObject, opened: frozenset[str], nesting: int) -> Iterator[Branch]:
        reference = schema.get("$ref")
        passed = frozenset({reference}) if isinstance(reference, str) else frozenset[str]()
        for one in self._demands(list(self._demanded(schema, opened)), opened, nesting + 1):
            yield Branch((schema, *one.parts), one.references | passed)

    def _demanded(self, schema: JsonObject, opened: frozenset[str]) -> Iterator[tuple[Json, ...]]:
        if isinstance(schema.get("$ref"), str):
            yield (referred(self._root, schema["$ref"]),)
        if isinstance(schema.get("allOf"), list):
            yield from ((one,) for one in schema["allOf"])
        for keyword in ("anyOf", "oneOf"):
            if isinstance(schema.get(keyword), list) and schema[keyword]:
                yield tuple(sorted(schema[keyword], key=lambda one: _reluctance(one, opened)))
        if "if" in schema:
            met = {"allOf": [schema["if"], schema.get("then", True)]}
            unmet = {"allOf": [{"not": schema["if"]}, schema.get("else", True)]}
            yield (met, unmet)


def _reluctance(option: Json, opened: frozenset[str]) -> int:
    """Null only if nothing else will do, and going round only if not even null will."""
    if not isinstance(option, dict):
        return 0
    if option.get("$ref") in opened:
        return 2
    return 1 if option.get("type") == "null" or option.get("const", 0) is None else 0
