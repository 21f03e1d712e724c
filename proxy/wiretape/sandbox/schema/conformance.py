"""Whether a value satisfies a JSON Schema: what was made is checked before it is said to conform.

Keywords as in draft 2020-12 and, where it differs, draft 7; `format` says nothing here, `unevaluated…` is not
understood. Patterns match in time that is counted, unlike `re`'s.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sized

from wiretape.sandbox.content import Json
from wiretape.sandbox.objects import JsonObject
from wiretape.sandbox.schema import languages
from wiretape.sandbox.schema.budget import Budget, Exhausted, Unknown
from wiretape.sandbox.schema.parts import (
    KINDS,
    is_number,
    item_schemas,
    least,
    most,
    number,
    property_schemas,
    referred,
)
from wiretape.sandbox.schema.patterns import language

DEPTH_MAX = 64
"""Schemas within schemas; references that go round come to an end here."""


class Conformance:
    """Checks values against the schemas of one document."""

    def __init__(self, root: Json, budget: Budget) -> None:
        self.root = root
        self.budget = budget
        self._depth = 0

    def allows(self, schema: Json, value: Json) -> bool:
        """Whether the schema allows the value; what is no schema allows anything. Raises Unknown and Exhausted."""
        if not isinstance(schema, dict):
            return schema is not False
        self.budget.step()
        if self._depth > DEPTH_MAX:
            raise Exhausted
        self._depth += 1
        try:
            return self._checked(schema, value)
        finally:
            self._depth -= 1

    def _checked(self, schema: JsonObject, value: Json) -> bool:
        for keyword, given in schema.items():
            check = _CHECKS.get(keyword)
            if check is not None and not check(self, given, schema, value):
                return False
        return True


_PROPERTIES = ("properties", "patternProperties", "additionalProperties")
_PYTHON = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}

Check = Callable[[Conformance, Json, JsonObject, Json], bool]


def is_kind(value: Json, kind: str) -> bool:
    """Whether a value is of a JSON type; 1.0 is an integer too."""
    if kind in {"integer", "number"}:
        counts = isinstance(value, int | float) and not isinstance(value, bool)
        return counts and (kind == "number" or value == math.floor(value))
    return isinstance(value, _PYTHON[kind])


def same(one: Json, other: Json) -> bool:
    """Equality of JSON: 1 is 1.0 and is not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def is_multiple(value: Json, step: Json) -> bool:
    """Whether a number is a multiple, as its decimal digits say and as a division of doubles finds it."""
    if type(value) is int and type(step) is int and step > 0:  # neither is a boolean
        return value % step == 0
    exact, by = number(value), number(step)
    if exact is None or by is None or by <= 0:
        return True
    if exact % by:
        return False
    return not isinstance(step, float) or _divided(value, step).is_integer()


def _divided(value: float, step: float) -> float:
    try:
        return value / step
    except OverflowError:
        return math.inf


def _type(_: Conformance, given: Json, __: JsonObject, value: Json) -> bool:
    if isinstance(given, str):
        return given not in KINDS or is_kind(value, given)
    several = given if isinstance(given, list) else [given]
    named = [one for one in several if isinstance(one, str) and one in KINDS]
    return not named or any(is_kind(value, one) for one in named)


def _enum(self: Conformance, given: Json, _: JsonObject, value: Json) -> bool:
    self.budget.step(len(given) if isinstance(given, list) else 0)
    return not isinstance(given, list) or any(same(one, value) for one in given)


def _const(_: Conformance, given: Json, __: JsonObject, value: Json) -> bool:
    return same(given, value)


def _ref(self: Conformance, given: Json, _: JsonObject, value: Json) -> bool:
    if not isinstance(given, str):
        return True
    if (target := referred(self.root, given)) is None:
        raise Unknown(given)
    return self.allows(target, value)


def _all_of(self: Conformance, given: Json, _: JsonObject, value: Json) -> bool:
    return not isinstance(given, list) or all(self.allows(one, value) for one in given)


def _any_of(self: Conformance, given: Json, _: JsonObject, value: Json) -> bool:
    return not isinstance(given, list) or not given or any(self.allows(one, value) for one in given)


def _one_of(self: Conformance, given: Json, _: JsonObject, value: Json) -> bool:
    return not isinstance(given, list) or not given or sum(self.allows(one, value) for one in given) == 1


def _not(self: Conformance, given: Json, _: JsonObject, value: Json) -> bool:
    return not isinstance(given, dict | bool) or not self.allows(given, value)


def _if(self: Conformance, given: Json, schema: JsonObject, value: Json) -> bool:
    return self.allows(schema.get("then" if self.allows(given, value) else "else", True), value)


def _properties(self: Conformance, given: Json, schema: JsonObject, value: Json) -> bool:
    """All three keywords, at the first of them."""
    first = next(schema[keyword] for keyword in _PROPERTIES if keyword in schema)
    if given is not first or not isinstance(value, dict):
        return True
    return all(
        self.allows(one, value[name]) for name in value for one in property_schemas((schema,), name, self.budget)
    )


def _required(_: Conformance, given: Json, __: JsonObject, value: Json) -> bool:
    return not isinstance(value, dict) or not isinstance(given, list) or all(_has(value, name) for name in given)


def _has(value: JsonObject, name: Json) -> bool:
    return not isinstance(name, str) or name in value


def _property_names(self: Conformance, given: Json, _: JsonObject, value: Json) -> bool:
    return not isinstance(value, dict) or all(self.allows(given, name) for name in value)


def _dependent(self: Conformance, given: Json, schema: JsonObject, value: Json) -> bool:
    """dependentRequired, dependentSchemas and draft 7's dependencies, which were both."""
    if not isinstance(given, dict) or not isinstance(value, dict):
        return True
    asked = [wanted for name, wanted in given.items() if name in value]
    lists = (_required(self, one, schema, value) for one in asked if isinstance(one, list))
    return all(lists) and all(self.allows(one, value) for one in asked if not isinstance(one, list))


def _items(self: Conformance, _: Json, schema: JsonObject, value: Json) -> bool:
    if not isinstance(value, list):
        return True
    return all(self.allows(one, item) for index, item in enumerate(value) for one in item_schemas((schema,), index))


def _contains(self: Conformance, given: Json, schema: JsonObject, value: Json) -> bool:
    if not isinstance(value, list):
        return True
    found = sum(self.allows(given, item) for item in value)
    return found >= least((schema,), "minContains", 1) and found <= most((schema,), "maxContains", len(value))


def _unique(self: Conformance, given: Json, _: JsonObject, value: Json) -> bool:
    if given is not True or not isinstance(value, list):
        return True
    self.budget.step(len(value) ** 2)
    return not any(same(one, other) for index, one in enumerate(value) for other in value[:index])


def _pattern(self: Conformance, given: Json, _: JsonObject, value: Json) -> bool:
    if not isinstance(given, str) or not isinstance(value, str):
        return True
    return languages.matches(language(given), value, self.budget)


def _multiple(_: Conformance, given: Json, __: JsonObject, value: Json) -> bool:
    return is_multiple(value, given)


def _unevaluated(_: Conformance, given: Json, __: JsonObject, value: Json) -> bool:
    if given is True or not value or not isinstance(value, dict | list):
        return True
    raise Unknown


def _dynamic(_: Conformance, given: Json, __: JsonObject, ___: Json) -> bool:
    raise Unknown(given)


def _bound(measure: Callable[[Json], float | None], compare: Callable[[float, float], bool]) -> Check:
    """A check of a size; integers and doubles compare exactly."""

    def check(_: Conformance, given: Json, __: JsonObject, value: Json) -> bool:
        size = measure(value)
        return size is None or not is_number(given) or compare(size, given)

    return check


def _itself(value: Json) -> float | None:
    return value if is_number(value) else None


def _size(kind: type[Sized]) -> Callable[[Json], int | None]:
    return lambda value: len(value) if isinstance(value, kind) else None


def _bounds() -> Iterator[tuple[str, Check]]:
    for name, kind in (("Length", str), ("Items", list), ("Properties", dict)):
        yield f"min{name}", _bound(_size(kind), operator.ge)
        yield f"max{name}", _bound(_size(kind), operator.le)
    yield "minimum", _bound(_itself, operator.ge)
    yield "maximum", _bound(_itself, operator.le)
    yield "exclusiveMinimum", _bound(_itself, operator.gt)
    yield "exclusiveMaximum", _bound(_itself, operator.lt)


_CHECKS: dict[str, Check] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "$ref": _ref,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "properties": _properties,
    "patternProperties": _properties,
    "additionalProperties": _properties,
    "required": _required,
    "propertyNames": _property_names,
    "dependentRequired": _dependent,
    "dependentSchemas": _dependent,
    "dependencies": _dependent,
    "items": _items,
    "prefixItems": _items,
    "additionalItems": _items,
    "contains": _contains,
    "uniqueItems": _unique,
    "pattern": _pattern,
    "multipleOf": _multiple,
    "unevaluatedProperties": _unevaluated,
    "unevaluatedItems": _unevaluated,
    "$dynamicRef": _dynamic,
    "$recursiveRef": _dynamic,
    **dict(_bounds()),
}
