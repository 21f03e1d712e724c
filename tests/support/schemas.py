"""JSON Schemas as hypothesis draws them, and a check of a value against one, written apart from the code it tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.text("abcdefgh", min_size=1, max_size=6)


def _numbers(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    low = st.integers(-1000, 1000)
    return st.one_of(
        st.just({"type": kind}),
        low.map(lambda at: {"type": kind, "minimum": at}),
        low.map(lambda at: {"type": kind, "maximum": at}),
        low.map(lambda at: {"type": kind, "exclusiveMinimum": at}),
        low.map(lambda at: {"type": kind, "exclusiveMaximum": at}),
        st.tuples(low, st.integers(0, 50)).map(lambda pair: {"type": kind, "minimum": pair[0], "maximum": sum(pair)}),
        st.integers(1, 20).map(lambda step: {"type": kind, "multipleOf": step}),
    )


_TEXTS = st.one_of(
    st.just({"type": "string"}),
    st.integers(0, 40).map(lambda least: {"type": "string", "minLength": least}),
    st.integers(0, 40).map(lambda most: {"type": "string", "maxLength": most}),
    st.just({"type": "string", "format": "date"}),
)
_LEAVES = st.one_of(
    _TEXTS,
    _numbers("integer"),
    _numbers("number"),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": ["null", "string"]}),
    st.lists(st.one_of(NAMES, st.integers()), min_size=1, max_size=4).map(lambda choices: {"enum": choices}),
    st.one_of(NAMES, st.integers()).map(lambda value: {"const": value}),
)


def _objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(NAMES, inner, max_size=4).flatmap(
        lambda properties: st.sets(st.sampled_from(sorted(properties)) if properties else st.nothing()).map(
            lambda required: {"type": "object", "properties": properties, "required": sorted(required)}
        )
    )


def _wider(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        _objects(inner),
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.map(lambda items: {"type": "array", "items": items, "minItems": 2}),
        inner.map(lambda items: {"type": "array", "items": items, "maxItems": 0}),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"anyOf": some}),
        st.lists(_objects(inner), min_size=1, max_size=1).map(lambda some: {"allOf": some}),
    )


SCHEMAS = _objects(st.recursive(_LEAVES, _wider, max_leaves=6))


def allows(schema: dict[str, Any], value: Any) -> bool:  # noqa: PLR0911  one line for each keyword
    """Whether the schema allows the value, for the keywords drawn above."""
    if "enum" in schema:
        return value in schema["enum"]
    if "const" in schema:
        return bool(value == schema["const"])
    if "anyOf" in schema:
        return any(allows(one, value) for one in schema["anyOf"])
    if "allOf" in schema:
        return all(allows(one, value) for one in schema["allOf"])
    match schema["type"]:
        case "object":
            known = schema["properties"]
            return set(schema["required"]) <= set(value) and all(allows(known[name], value[name]) for name in value)
        case "array":
            fits = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 1000)
            return fits and all(allows(schema["items"], one) for one in value)
        case "string" | ["null", "string"]:
            return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1000)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case kind:
            return (kind == "number" or isinstance(value, int)) and _in_bounds(schema, value)


def _in_bounds(schema: dict[str, Any], value: float) -> bool:
    return bool(
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and value > schema.get("exclusiveMinimum", value - 1)
        and value < schema.get("exclusiveMaximum", value + 1)
        and value % schema.get("multipleOf", value or 1) == 0
    )
