from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.schemas import NAMES, VALUES, WILD, allows, satisfiable
from wiretape.sandbox.arguments import arguments
from wiretape.sandbox.schema.budget import LETTERS_MAX, VALUES_MAX, WHOLE_MAX
from wiretape.sandbox.words import hints


def _made(schema: dict[str, Any], said: str = "") -> Any:
    return msgspec.json.decode(arguments(schema, hints(said)))


OBJECTS = satisfiable(st.dictionaries(NAMES, VALUES, max_size=4))


@given(OBJECTS, st.text(max_size=60), st.booleans())
def test_the_arguments_are_what_the_schema_allows(schema: dict[str, Any], said: str, strict: bool) -> None:
    made = msgspec.json.decode(arguments(schema, hints(said), strict=strict))
    assert allows(schema, made), made


@given(WILD, st.text(max_size=60))
def test_a_schema_without_sense_still_gives_an_object(schema: dict[str, Any], said: str) -> None:
    assert isinstance(_made(schema, said), dict)


@pytest.mark.parametrize(
    ("properties", "said", "expected"),
    [
        ({"city": {"type": "string"}}, "What is the weather in New York today?", {"city": "New York"}),
        ({"a": {"type": "string"}, "b": {"type": "string"}}, "From Rome to Oslo", {"a": "Rome", "b": "Oslo"}),
        ({"city": {"type": "string"}}, "how is it going", {"city": "city"}),
        ({"title": {"type": "string"}}, 'please play "so what" now', {"title": "so what"}),
        ({"unit": {"enum": ["celsius", "fahrenheit"]}}, "in Fahrenheit please", {"unit": "fahrenheit"}),
        ({"days": {"type": "integer"}}, "the next 5 days", {"days": 5}),
        ({"days": {"type": "integer", "maximum": 3}}, "the next 5 days", {"days": 1}),
        ({"degrees": {"type": "number"}}, "heat it to 21.5", {"degrees": 21.5}),
        ({"x": {"$ref": "#/$defs/x"}}, "", {"x": "x"}),
        ({"x": True}, "", {"x": "x"}),
        ({"on": {"type": "boolean"}}, "", {"on": True}),
        ({"day": {"type": "string", "format": "date"}}, "", {"day": "2026-01-15"}),
        ({"x": {"type": ["null", "boolean"]}, "y": {"type": ["null"]}}, "", {"x": True, "y": None}),
        (
            {
                "both": {
                    "properties": {"a": {"type": "null"}},
                    "required": ["a"],
                    "allOf": [{"properties": {"b": {"type": "null"}}, "required": ["b"]}, True],
                }
            },
            "",
            {"both": {"a": None, "b": None}},
        ),
    ],
)
def test_the_arguments_take_what_the_message_offers(
    properties: dict[str, Any], said: str, expected: dict[str, Any]
) -> None:
    schema = {"type": "object", "properties": properties, "$defs": {"x": {"const": "x"}}}
    assert _made(schema, said) == expected


def test_properties_beyond_the_required_are_left_out() -> None:
    schema = {"properties": {"a": {"type": "null"}, "b": {"type": "null"}}, "required": ["b"]}
    assert _made(schema) == {"b": None}


SAYING = "Order ORD-1234 for ada@navy.mil before 2026-03-31, see https://navy.mil/orders."
FORMED = {
    "order": {"type": "string", "pattern": "^ORD-[0-9]+$"},
    "to": {"type": "string", "format": "email"},
    "by": {"type": "string", "format": "date"},
    "at": {"type": "string", "format": "uri"},
}


def test_a_text_of_a_certain_form_is_taken_from_the_message() -> None:
    expected = {"order": "ORD-1234", "to": "ada@navy.mil", "by": "2026-03-31", "at": "https://navy.mil/orders"}
    assert _made({"properties": FORMED}, SAYING) == expected


def test_an_optional_property_is_given_when_the_message_speaks_of_it() -> None:
    properties = {"city": {"type": "string"}, "unit": {"enum": ["metric", "imperial"]}, "max_days": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": ["city"]}
    assert _made(schema, "Rome for max 3 days, imperial") == {"city": "Rome", "unit": "imperial", "max_days": 3}
    assert _made(schema, "Rome") == {"city": "Rome"}


def test_a_strict_function_gets_all_its_properties() -> None:
    schema = {"properties": {"a": {"type": "null"}, "b": {"type": "null"}}, "required": ["b"]}
    assert arguments(schema, hints(""), strict=True) == '{"a":null,"b":null}'


def test_a_recursive_schema_comes_to_an_end() -> None:
    schema = {"type": "object", "properties": {name: {"$ref": "#"} for name in "abcdefgh"}}
    assert len(arguments(schema, hints(""))) < 100 * VALUES_MAX


def test_arguments_keep_what_can_be_made_beside_what_cannot() -> None:
    properties = {"city": {"type": "string"}, "odd": {"type": "string", "pattern": "(?<=a)b"}}
    schema = {"properties": properties, "required": ["city", "odd"]}
    assert _made(schema, "in Rome") == {"city": "Rome", "odd": "odd"}


def test_calls_that_are_made_at_once_share_the_effort_of_a_few() -> None:
    names = [f"p{one}" for one in range(15)]
    schema = {"type": "object", "properties": {one: {"type": "string", "minLength": 4_096} for one in names}}
    alone, among = (arguments(schema, hints(""), among=calls) for calls in (WHOLE_MAX, 128))
    assert len(alone) > LETTERS_MAX * 0.9
    assert 128 * len(among) < 2 * WHOLE_MAX * LETTERS_MAX
