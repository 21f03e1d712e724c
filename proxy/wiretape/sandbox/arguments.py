"""Arguments for a function call and answers in JSON, made from a JSON Schema and from what the message offers.

Whatever is said to conform has been checked. Known keywords: type, enum, const, default, examples; properties,
required, additionalProperties, patternProperties, propertyNames, min- and maxProperties, dependentRequired,
dependentSchemas; items, prefixItems, min- and maxItems, uniqueItems, contains; minimum and maximum (also
exclusive), multipleOf; min- and maxLength, pattern, format (the module `schema.formats` lists them); anyOf,
oneOf, allOf, not, if; and local $ref. A schema that makes no sense gives some value, never an error.
"""

from __future__ import annotations

from itertools import islice

import msgspec
from msgspec.structs import replace

from wiretape.sandbox.content import Json
from wiretape.sandbox.objects import JsonObject
from wiretape.sandbox.schema.budget import STEPS_MAX, Budget, Exhausted, Unknown, shared
from wiretape.sandbox.schema.offer import Offer
from wiretape.sandbox.schema.values import MISSING, TRIED_MAX, Maker, Place
from wiretape.sandbox.words import Hints, hints

QUOTED_MAX = 80
"""Code points of a question that an answer repeats."""

_OBJECT = {"type": "object"}


def arguments(schema: JsonObject, offered: Hints, *, strict: bool = False, among: int = 1) -> str:
    """Compact JSON text of an object that the schema allows; a likely one where none can be made.

    Optional properties are left out unless the message speaks of them; all are given if none is said to be
    required, and if the function is strict. The effort is that of one among so many calls.
    """
    asked = [schema] if schema.get("type") == "object" else [_OBJECT, schema]
    made = _made(Maker(schema, Offer(offered), shared(among), strict=strict), asked)
    return _text(_guessed(schema, offered, among) if made is MISSING else made)


def conforming(schema: Json, offered: Hints, *, strict: bool = False) -> str | None:
    """Compact JSON text of a value that the schema allows; None where none can be made within bounds."""
    made = _made(Maker(schema, Offer(offered), Budget(), strict=strict), [schema])
    return None if made is MISSING else _text(made)


def formatted(response_format: Json, question: str) -> str | None:
    """The answer to a question in a run's `response_format`, as JSON text; None where no JSON can be made of it.

    `json_object` gives an object, `json_schema` a value of its schema; other formats ask for no JSON.
    """
    said = " ".join(question.split())[:QUOTED_MAX]
    offered = replace(hints(question), sentence=f"The sandbox's scripted answer to “{said}”")
    match response_format:
        case {"type": "json_object"}:
            return _text({"question": said, "answer": offered.sentence})
        case {"type": "json_schema", "json_schema": {"schema": schema, **wanted}}:
            return conforming(schema, offered, strict=wanted.get("strict") is True)
        case {"type": "json_schema"}:
            return _text({"answer": offered.sentence})
        case _:
            return None


def _made(maker: Maker, schemas: list[Json]) -> Json:
    """A value that is known to satisfy the schemas, or MISSING."""
    try:
        candidates = islice(maker.values(schemas, Place()), TRIED_MAX)
        return next((one for one in candidates if maker.conforms(schemas, one)), MISSING)
    except (Exhausted, RecursionError):
        return MISSING


def _guessed(schema: JsonObject, offered: Hints, among: int) -> Json:
    """An object near the schema: where no value conforms there stands a name."""
    maker = Maker(schema, Offer(offered), shared(among, STEPS_MAX // 10), lenient=True)
    try:
        found: Json = next(maker.values([_OBJECT, schema], Place()), {})
    except (Exhausted, Unknown, RecursionError):
        found = {}
    return found if isinstance(found, dict) else {}


def _text(value: Json) -> str:
    return msgspec.json.encode(value).decode()
