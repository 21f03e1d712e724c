"""Arguments for a function call, made from its JSON Schema and from what the message offers.

Known keywords: type, enum, const, default, properties, required, items, minItems, minimum and maximum (also
exclusive), multipleOf, minLength, maxLength, format (date, date-time, email, uri, uuid), anyOf, oneOf, allOf
and local $ref. `pattern` is not: a value for it is a guess. A schema that makes no sense gives some value,
never an error.
"""

from __future__ import annotations

import math

import msgspec

from wiretape.sandbox.content import Json
from wiretape.sandbox.objects import JsonObject
from wiretape.sandbox.words import Hints

DEPTH_MAX = 16
ITEMS_MAX = 16
VALUES_MAX = 1_000
"""A recursive schema asks for more values than there are atoms; beyond this many each is a plain text."""
NUMBER_MAX = 1e15
NUMBER_MIN = 1e-9
"""Bounds of other sizes are not heeded."""

_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T09:30:00Z",
    "time": "09:30:00Z",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uuid": "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
}


def arguments(schema: JsonObject, hints: Hints) -> str:
    """Compact JSON text of an object that the schema allows; `{}` where it asks for nothing."""
    made = _Maker(schema, hints).value({"type": "object", **schema}, "", 0)
    return msgspec.json.encode(made if isinstance(made, dict) else {}).decode()


class _Maker:
    """Makes one object; each name of the message is used once before any is used again."""

    def __init__(self, root: JsonObject, hints: Hints) -> None:
        self._root = root
        self._hints = hints
        self._names = 0
        self._numbers = 0
        self._values = 0

    def value(self, schema: Json, name: str, depth: int) -> Json:
        """A value for a schema met under this name."""
        self._values += 1
        if not isinstance(schema, dict) or depth > DEPTH_MAX or self._values > VALUES_MAX:
            return self._text({}, name)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._choice(schema["enum"])
        if (instead := self._instead(schema)) is not None:
            return self.value(instead, name, depth + 1)
        return self._typed(schema, name, depth)

    def _choice(self, choices: list[Json]) -> Json:
        """The choice the message mentions, else the first."""
        return next((one for one in choices if str(one).casefold() in self._hints.words), choices[0])

    def _instead(self, schema: JsonObject) -> Json:
        """The schema that stands behind a reference or a combination, or None."""
        if isinstance(schema.get("$ref"), str):
            return self._referred(schema["$ref"])
        for keyword in ("anyOf", "oneOf"):
            if isinstance(schema.get(keyword), list) and schema[keyword]:
                return schema[keyword][0]
        if isinstance(schema.get("allOf"), list) and schema["allOf"]:
            return _merged(schema)
        return None

    def _referred(self, reference: str) -> Json:
        found: Json = self._root
        for key in reference.removeprefix("#").strip("/").split("/"):
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def _typed(self, schema: JsonObject, name: str, depth: int) -> Json:
        made: Json
        match _type(schema):
            case "object":
                made = self._object(schema, depth)
            case "array":
                made = self._array(schema, name, depth)
            case "integer":
                made = math.floor(self._number(schema, 1))
            case "number":
                made = self._number(schema, 0)
            case "boolean":
                made = True
            case "null":
                made = None
            case _:
                made = self._text(schema, name)
        return made

    def _object(self, schema: JsonObject, depth: int) -> JsonObject:
        """What is required; all properties where nothing says which are."""
        properties = schema.get("properties")
        known: JsonObject = properties if isinstance(properties, dict) else {}
        required = schema.get("required")
        names = [one for one in required if isinstance(one, str)] if isinstance(required, list) else list(known)
        return {name: self.value(known.get(name), name, depth + 1) for name in names}

    def _array(self, schema: JsonObject, name: str, depth: int) -> list[Json]:
        least = _number_at(schema, "minItems") or 0
        count = max(1, min(int(least), ITEMS_MAX)) if schema.get("maxItems") != 0 else 0
        return [self.value(schema.get("items"), name, depth + 1) for _ in range(count)]

    def _number(self, schema: JsonObject, unit: int) -> float:
        """The message's next number if it fits, else the least that does, else 1; `unit` is 1 for integers."""
        fits = [one for one in self._hints.numbers[self._numbers :] if _fits(one, schema, unit)]
        self._numbers += 1
        return fits[0] if fits else _least(schema, unit)

    def _text(self, schema: JsonObject, name: str) -> str:
        if (form := _FORMATS.get(str(schema.get("format")))) is not None:
            return form
        names = self._hints.names
        chosen = names[self._names % len(names)] if names else str(schema.get("default") or name or "something")
        self._names += 1
        return _sized(chosen, schema)


def _type(schema: JsonObject) -> Json:
    given = schema.get("type")
    if isinstance(given, list):
        return next((one for one in given if one != "null"), "null")
    if given is None:
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return given


def _merged(schema: JsonObject) -> JsonObject:
    """A schema with all its `allOf` parts laid over each other; properties and required are joined."""
    whole: JsonObject = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        for key, value in part.items() if isinstance(part, dict) else ():
            whole[key] = _joined(whole.get(key), value)
    return whole


def _joined(one: Json, other: Json) -> Json:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **other}
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    return other


def _number_at(schema: JsonObject, keyword: str) -> float | None:
    found = schema.get(keyword)
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    return found if found == 0 or NUMBER_MIN <= abs(found) <= NUMBER_MAX else None


def _fits(number: float, schema: JsonObject, unit: int) -> bool:
    low, high = _number_at(schema, "minimum"), _number_at(schema, "maximum")
    above, below = _number_at(schema, "exclusiveMinimum"), _number_at(schema, "exclusiveMaximum")
    step = _number_at(schema, "multipleOf") or unit
    return (
        (low is None or number >= low)
        and (high is None or number <= high)
        and (above is None or number > above)
        and (below is None or number < below)
        and (not step or number % step == 0)
    )


def _least(schema: JsonObject, unit: int) -> float:
    """The first of some likely numbers that fits; the lower bound where none does."""
    step = _number_at(schema, "multipleOf") or unit or 0.5
    low = _number_at(schema, "minimum") or _number_at(schema, "exclusiveMinimum") or 0
    high = _number_at(schema, "maximum") or _number_at(schema, "exclusiveMaximum") or 0
    up, down = math.ceil(low / step) * step, math.floor(high / step) * step
    likely = (step, 1, 0, up, up + step, down, down - step, (low + high) / 2)
    return next((one for one in likely if _fits(one, schema, unit)), low)


def _sized(text: str, schema: JsonObject) -> str:
    least, most = _number_at(schema, "minLength"), _number_at(schema, "maxLength")
    padded = text.ljust(min(int(least), 1_000), "x") if least is not None else text
    return padded[: max(0, int(most))] if most is not None else padded
