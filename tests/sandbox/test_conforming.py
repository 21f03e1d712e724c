from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from support.recorded_schemas import recorded
from support.schemas import JSON, TANGLED, VALUES, allows, satisfiable
from wiretape.sandbox.arguments import arguments, conforming, formatted
from wiretape.sandbox.schema.budget import Budget, Exhausted, Unknown
from wiretape.sandbox.schema.conformance import Conformance
from wiretape.sandbox.schema.offer import Offer
from wiretape.sandbox.schema.values import Maker, Place
from wiretape.sandbox.words import hints


@given(satisfiable(), st.text(max_size=60))
def test_a_conforming_value_is_found_for_every_schema_around_one(schema: dict[str, Any], said: str) -> None:
    made = conforming(schema, hints(said))
    assert made is not None
    assert allows(schema, msgspec.json.decode(made)), made


@given(TANGLED)
def test_what_is_said_to_conform_does(schema: Any) -> None:
    if (made := conforming(schema, hints(""))) is None:
        return
    try:
        allowed = allows(schema, msgspec.json.decode(made))
    except RecursionError:  # the other validator does not end where a reference goes round
        return
    assert allowed, made


@given(TANGLED, VALUES | st.sampled_from([0.3, 0.07, 1.1, 1e16, 1.0]))
def test_our_check_judges_as_another_validator_does(schema: Any, value: Any) -> None:
    assume(msgspec.json.encode(value).isascii())  # beyond ASCII dialects of patterns differ
    assume("$ref" not in repr(schema))  # the other one does not end where a reference goes round
    try:
        found = Conformance(schema, Budget()).allows(schema, value)
    except (Unknown, Exhausted):
        return
    assert found == allows(schema, value)


@pytest.mark.parametrize(("value", "step"), [(0.5, 3), (4, 1.5), (7, 2), (0.3, 0.1), (1e300, 7), (0.25, 0.1)])
def test_what_is_no_multiple_by_digits_or_by_doubles_is_none(value: float, step: float) -> None:
    assert not Conformance({}, Budget()).allows({"multipleOf": step}, value)


@given(JSON)
def test_any_json_at_all_may_stand_as_a_schema(schema: Any) -> None:
    conforming(schema, hints(""))


def test_the_schemas_of_recorded_tools_and_answers_are_all_satisfied() -> None:
    found = list(recorded())
    failed = [
        (name, schema)
        for name, schema in found
        if (made := conforming(schema, hints("Ada in Rome, 3 days"))) is None
        or not allows(schema, msgspec.json.decode(made))
    ]
    assert len(found) > 20
    assert failed == []


NODE = {
    "type": "object",
    "properties": {
        "value": {"type": "integer"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
        "parent": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
    },
    "required": ["value", "children", "parent"],
    "additionalProperties": False,
}
SHAPES = {
    "oneOf": [{"$ref": "#/$defs/Circle"}, {"$ref": "#/$defs/Square"}],
    "discriminator": {"propertyName": "kind", "mapping": {"circle": "#/$defs/Circle", "square": "#/$defs/Square"}},
}
SHAPE_DEFINITIONS = {
    name: {
        "type": "object",
        "title": name,
        "properties": {
            "kind": {"const": name.lower(), "type": "string"},
            "size": {"type": "number", "exclusiveMinimum": 0},
        },
        "required": ["kind", "size"],
    }
    for name in ("Circle", "Square")
}
ZOD_EMAIL = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"
ZOD_UUID = (
    "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
    "|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$"
)
REAL_LIFE: dict[str, Any] = {
    "pydantic, a tree": {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}},
    "the documentation's recursive interface": {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["div", "button"]},
            "children": {"type": "array", "items": {"$ref": "#"}},
            "attributes": {
                "type": "array",
                "items": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
            },
        },
        "required": ["type", "children", "attributes"],
        "additionalProperties": False,
    },
    "a list that links to itself": {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["next"],
    },
    "pydantic, a discriminated union": {
        "type": "object",
        "properties": {"shapes": {"type": "array", "items": SHAPES, "minItems": 2, "uniqueItems": True}},
        "required": ["shapes"],
        "$defs": SHAPE_DEFINITIONS,
    },
    "pydantic, a decimal": {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\d*\.?\d*$"}]},
    "pydantic, an optional integer enum": {
        "anyOf": [{"enum": [3, 5], "type": "integer"}, {"type": "null"}],
        "default": None,
    },
    "pydantic, a tuple": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "string"}],
        "minItems": 2,
        "maxItems": 2,
    },
    "pydantic, an enum by reference": {
        "allOf": [{"$ref": "#/$defs/E"}],
        "$defs": {"E": {"enum": [1, 2, 3], "type": "integer"}},
    },
    "draft 7, a tuple": {"type": "array", "minItems": 3, "maxItems": 3, "items": {"type": "array", "minItems": 1}},
    "zod, an e-mail address": {"type": "string", "format": "email", "pattern": ZOD_EMAIL},
    "zod, a UUID": {"type": "string", "format": "uuid", "pattern": ZOD_UUID},
    "zod, a record": {
        "type": "object",
        "propertyNames": {"type": "string", "pattern": "^[a-z]+$"},
        "additionalProperties": {"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991},
        "minProperties": 2,
    },
    "zod, an intersection": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string", "minLength": 3}}, "required": ["a"]},
            {
                "type": "object",
                "properties": {"a": {"type": "string", "maxLength": 5}, "b": {"const": 1}},
                "required": ["b"],
            },
        ]
    },
    "zod, a money amount": {"type": "number", "exclusiveMinimum": 0.1, "multipleOf": 0.01, "maximum": 0.5},
    "twenty different days": {
        "type": "array",
        "minItems": 20,
        "uniqueItems": True,
        "items": {"format": "date", "type": "string"},
    },
    "all of an enum": {"type": "array", "minItems": 3, "uniqueItems": True, "items": {"enum": [True, 1, "1"]}},
    "exactly one of two that overlap": {"oneOf": [{"type": "number"}, {"type": "integer"}]},
    "no string, and not true": {"not": {"anyOf": [{"type": "string"}, {"const": True}, {"type": "object"}]}},
    "one thing if another": {
        "type": "object",
        "properties": {"country": {"enum": ["US", "DE"]}, "code": {"type": "string"}},
        "required": ["country", "code"],
        "if": {"properties": {"country": {"const": "US"}}},
        "then": {"properties": {"code": {"pattern": "^[0-9]{5}$"}}},
        "else": {"properties": {"code": {"pattern": "^D-[0-9]{5}$"}}},
    },
    "a list that contains": {"type": "array", "contains": {"const": 7}, "minContains": 2, "items": {"type": "integer"}},
    "patterns of names": {
        "type": "object",
        "patternProperties": {"^x-[a-z]{3}$": {"type": "boolean"}},
        "additionalProperties": False,
        "minProperties": 3,
    },
    "two patterns at once": {
        "type": "string",
        "allOf": [{"pattern": "^[a-f]+"}, {"pattern": "[0-9]{2}$"}],
        "minLength": 9,
    },
}


@pytest.mark.parametrize("name", REAL_LIFE)
def test_a_schema_as_libraries_make_them_is_satisfied(name: str) -> None:
    made = conforming(REAL_LIFE[name], hints("Ada, in Rome"))
    assert made is not None
    assert allows(REAL_LIFE[name], msgspec.json.decode(made)), made


IMPOSSIBLE: dict[str, Any] = {
    "nothing": False,
    "bounds that cross": {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
    "a required property that must not be": {"required": ["a"], "properties": {"a": False}, "type": "object"},
    "no end": {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]},
    "no beginning": {"$ref": "#"},
    "another's schema": {"$ref": "https://example.com/schema.json"},
    "a pattern that looks back": {"type": "string", "pattern": "(?<=a)b"},
    "a text too long": {"type": "string", "minLength": 1 << 20},
    "a list too long": {"type": "array", "minItems": 1 << 20},
    "too many texts": {"type": "array", "minItems": 200, "items": {"type": "string", "minLength": 4000}},
    "a number beyond all doubles": {"type": "number", "minimum": 10**400},
    "three of two": {"type": "array", "minItems": 3, "uniqueItems": True, "items": {"type": "boolean"}},
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_where_nothing_can_be_made_that_is_said(name: str) -> None:
    assert conforming(IMPOSSIBLE[name], hints("Ada")) is None


HOSTILE = {
    "alternatives without end": {"anyOf": [{"anyOf": [{"anyOf": [{"$ref": "#"}] * 9}] * 9}] * 9},
    "a product of alternatives": {
        "allOf": [{"anyOf": [{"minLength": one}, {"pattern": "x"}]} for one in range(40)] + [False]
    },
    "patterns by the hundred": {
        "type": "object",
        "properties": {f"p{one}": {"pattern": f"^(.*a.{{20}}){{{one}}}c$", "type": "string"} for one in range(200)},
    },
    "trees of trees": {
        "type": "object",
        "properties": {f"p{one}": {"$ref": "#"} for one in range(9)},
        "minProperties": 9,
    },
    "an enum that is compared": {"type": "array", "uniqueItems": True, "minItems": 200, "items": {"enum": [0] * 5000}},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_schema_costs_no_more_than_its_budget(name: str) -> None:
    maker = Maker(HOSTILE[name], Offer(hints("Ada")), Budget(values=50, steps=2_000))
    with pytest.raises(Exhausted):
        list(maker.values([HOSTILE[name]], Place()))
    assert isinstance(msgspec.json.decode(arguments(HOSTILE[name], hints("Ada"))), dict)


WEATHER = {"type": "object", "properties": {"city": {"type": "string"}, "summary": {"type": "string"}}}


def test_an_answer_in_json_says_what_it_is() -> None:
    made = formatted({"type": "json_object"}, "What is the  weather in Rome?")
    assert made is not None
    expected = {"question": "What is the weather in Rome?", "answer": SCRIPTED}
    assert msgspec.json.decode(made) == expected


SCRIPTED = "The sandbox's scripted answer to “What is the weather in Rome?”"


def test_an_answer_to_a_schema_uses_the_names_of_the_question() -> None:
    made = formatted(
        {"type": "json_schema", "json_schema": {"name": "w", "schema": WEATHER}}, "What is the weather in Rome?"
    )
    assert made is not None
    assert msgspec.json.decode(made) == {"city": "Rome", "summary": SCRIPTED}


@pytest.mark.parametrize(
    ("response_format", "expected"),
    [
        ("auto", None),
        ({"type": "text"}, None),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": False}}, None),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": {"enum": [7]}}}, "7"),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, '{"answer":"The sandbox\'s scripted answer to “Hi”"}'),
    ],
)
def test_an_answer_is_what_its_format_asks_for(response_format: Any, expected: str | None) -> None:
    assert formatted(response_format, "Hi") == expected
