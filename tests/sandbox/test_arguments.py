from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.schemas import SCHEMAS, allows
from wiretape.sandbox.arguments import VALUES_MAX, arguments
from wiretape.sandbox.words import hints

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_NUMERIC = ("minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_SHAPES = ("type", "properties", "required", "items", "anyOf", "oneOf", "allOf", "$ref")
KEYWORDS = st.sampled_from([*_NUMERIC, *_SHAPES, "enum", "const", "default", "minLength", "maxLength", "format"])


def _made(schema: dict[str, Any], said: str = "") -> Any:
    return msgspec.json.decode(arguments(schema, hints(said)))


@given(SCHEMAS, st.text(max_size=60))
def test_the_arguments_are_what_the_schema_allows(schema: dict[str, Any], said: str) -> None:
    made = _made(schema, said)
    assert allows(schema, made), made


@given(st.dictionaries(KEYWORDS, st.dictionaries(KEYWORDS, JSON, max_size=4) | JSON, max_size=8), st.text(max_size=60))
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


def test_a_recursive_schema_comes_to_an_end() -> None:
    schema = {"type": "object", "properties": {name: {"$ref": "#"} for name in "abcdefgh"}}
    assert len(arguments(schema, hints(""))) < 100 * VALUES_MAX
