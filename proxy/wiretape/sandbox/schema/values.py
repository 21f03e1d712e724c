"""Values for schemas: streams of candidates, likely ones first, each made to satisfy all schemas of its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from wiretape.sandbox.content import Json
from wiretape.sandbox.objects import JsonObject
from wiretape.sandbox.schema.branches import Branches
from wiretape.sandbox.schema.budget import Budget, Exhausted, Unknown
from wiretape.sandbox.schema.conformance import Conformance, same
from wiretape.sandbox.schema.lists import counts, schemas_at
from wiretape.sandbox.schema.numbers import numbers
from wiretape.sandbox.schema.offer import Offer
from wiretape.sandbox.schema.parts import Parts, choices, kinds, least, objects_at, property_schemas, required
from wiretape.sandbox.schema.records import closed, dependents, plans
from wiretape.sandbox.schema.texts import texts

DEPTH_MAX = 32
"""Values within values."""
TRIED_MAX = 256
"""Candidates tried for each way to satisfy a schema."""
VARIED_MAX = 8
"""Other values tried for each property and each item of a candidate."""
NAMES_MAX = 64
"""Names tried for properties that have none of their own, for each pattern they may follow."""
MISSING = object()
"""Stands where no value can be made."""

_CHECKED = frozenset(
    {"oneOf", "not", "if", "contains", "uniqueItems", "propertyNames", "enum", "const"}
    | {"dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems"}
)
"""With these a candidate is made in hope, and checked."""


class Place(NamedTuple):
    """Where a value is to stand."""

    name: str = ""
    depth: int = 0
    open_references: frozenset[str] = frozenset({"#"})

    def within(self, references: frozenset[str]) -> Place:
        """The same place, reached by references."""
        return self._replace(open_references=self.open_references | references) if references else self

    def below(self, name: str) -> Place:
        """A place in the value that stands here."""
        return Place(name, self.depth + 1, self.open_references)


class Maker:
    """Makes values for the schemas of one document; a lenient one guesses where nothing conforms."""

    def __init__(
        self, root: Json, offer: Offer, budget: Budget, *, strict: bool = False, lenient: bool = False
    ) -> None:
        self.offer = offer
        self.budget = budget
        self.strict = strict
        self.branches = Branches(root, budget)
        self.conformance = Conformance(root, budget)
        self._lenient = lenient

    def values(self, schemas: Sequence[Json], place: Place, *, needed: bool = True) -> Iterator[Json]:
        """Candidates for a place; none that only go round where nothing is needed. Raises Exhausted."""
        self.budget.value()
        if place.depth > DEPTH_MAX:
            return
        for parts, references in self.branches.of(schemas, place.open_references):
            if needed or references.isdisjoint(place.open_references):
                yield from self._checked(parts, place.within(references))

    def first(self, values: Iterator[Json], place: Place, *, needed: bool) -> Json:
        """The first of the candidates; MISSING, or the guess of a lenient maker, where there is none."""
        try:
            found = next(values, MISSING)
        except Exhausted:
            if not self._lenient:
                raise
            found = MISSING
        return place.name or "something" if found is MISSING and self._lenient and needed else found

    def _checked(self, parts: Parts, place: Place) -> Iterator[Json]:
        """The candidates, up to where a schema is not understood."""
        trusted = self._lenient or all(map(_CHECKED.isdisjoint, parts))
        try:
            for value in islice(self._plain(parts, place), TRIED_MAX):
                if trusted or self.conforms(parts, value):
                    yield value
        except Unknown:
            return

    def conforms(self, schemas: Sequence[Json], value: Json) -> bool:
        """Whether a value is known to satisfy all the schemas. Raises Exhausted."""
        try:
            return all(self.conformance.allows(one, value) for one in schemas)
        except Unknown:
            return False

    def _plain(self, parts: Parts, place: Place) -> Iterator[Json]:
        if (offered := choices(parts)) is not None:
            return iter(self.offer.liked(offered))
        return chain.from_iterable(self._typed(kind, parts, place) for kind in kinds(parts))

    def _typed(self, kind: str, parts: Parts, place: Place) -> Iterator[Json]:
        match kind:
            case "object":
                return self._objects(parts, place)
            case "array":
                return self._arrays(parts, place)
            case "integer" | "number":
                offered = (*self.offer.numbers(), *(part["default"] for part in parts if "default" in part))
                return numbers(parts, offered, whole=kind == "integer")
            case "string":
                return texts(parts, place.name, self.offer, self.budget)
            case "boolean":
                proposed = next((part["default"] for part in parts if part.get("default") in (True, False)), True)
                return iter((bool(proposed), not proposed))
            case _:
                return iter((None,))

    def _objects(self, parts: Parts, place: Place) -> Iterator[JsonObject]:
        for names in plans(parts, self.offer, whole=self.strict):
            for following, _ in self.branches.of(dependents(parts, names), place.open_references):
                whole = (*parts, *following)
                yield from self._filled(whole, closed(whole, (*names, *required(following))), place)

    def _filled(self, parts: Parts, names: Sequence[str], place: Place) -> Iterator[JsonObject]:
        """An object with these properties and, if they are too few, others; then variations of it."""
        must = set(closed(parts, required(parts)))
        made: JsonObject = {}
        others: dict[str, Iterator[Json]] = {}
        for name in names:
            at, needed = place.below(name), name in must
            values = self._property(parts, at, needed=needed)
            value = self.first(values, at, needed=needed)
            if value is not MISSING:
                made[name], others[name] = value, values
            elif needed:
                return
        self._grow(made, parts, place)
        if len(made) >= least(parts, "minProperties") or self._lenient:
            yield made
            for name, values in others.items():
                yield from ({**made, name: other} for other in islice(values, VARIED_MAX))

    def _property(self, parts: Parts, at: Place, *, needed: bool) -> Iterator[Json]:
        return self.values(list(property_schemas(parts, at.name, self.budget)), at, needed=needed)

    def _grow(self, made: JsonObject, parts: Parts, place: Place) -> None:
        """Add properties until there are enough, or no more can be made."""
        fewest = least(parts, "minProperties")
        for name in self._names(parts, place) if len(made) < fewest else ():
            if name not in made:
                at = place.below(name)
                value = self.first(self._property(parts, at, needed=True), at, needed=False)
                made.update({} if value is MISSING else {name: value})
            if len(made) >= fewest:
                return

    def _names(self, parts: Parts, place: Place) -> Iterator[str]:
        """Names that an object may take: those it knows, those of its patterns, and any other."""
        for known in objects_at(parts, "properties"):
            yield from known
        text = [{"type": "string"}, *(part["propertyNames"] for part in parts if "propertyNames" in part)]
        patterns = [{"pattern": one} for known in objects_at(parts, "patternProperties") for one in known]
        for pattern in (*patterns, True):
            yield from islice(self.values([*text, pattern], place.below("entry")), NAMES_MAX)

    def _arrays(self, parts: Parts, place: Place) -> Iterator[list[Json]]:
        for count in counts(parts):
            yield from self._listed(parts, count, place)

    def _listed(self, parts: Parts, count: int, place: Place) -> Iterator[list[Json]]:
        """An array with so many items, or with fewer if fewer can be made; then variations of it."""
        unique = any(part.get("uniqueItems") is True for part in parts)
        fewest = least(parts, "minItems")
        made: list[Json] = []
        others: list[Iterator[Json]] = []
        before: list[Json] = []
        for index in range(count):
            at, needed, asked = place.below(place.name), index < fewest, schemas_at(parts, index)
            if not (unique and asked == before and others):  # else the stream goes on to what is not there yet
                values = self.values(asked, at, needed=needed)
            before = asked
            value = self.first(self._new(values, made) if unique else values, at, needed=needed)
            if value is MISSING:
                break
            made.append(value)
            others.append(values)
        if len(made) >= fewest:
            yield made
            for index, values in enumerate(others):
                yield from ([*made[:index], other, *made[index + 1 :]] for other in islice(values, VARIED_MAX))

    def _new(self, values: Iterator[Json], made: Sequence[Json]) -> Iterator[Json]:
        """The candidates that are not there yet."""
        for value in values:
            self.budget.step(len(made) + 1)
            if not any(same(value, one) for one in made):
                yield value
