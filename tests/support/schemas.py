"""JSON Schemas: drawn around a value they allow, and drawn wildly; and their judge."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from hypothesis import reject
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

Schema = dict[str, Any]

NAMES = st.text("abcdefgh", min_size=1, max_size=6)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)

FORMATS = {
    "date": "2024-02-29",
    "date-time": "2024-02-29T23:59:59.123Z",
    "time": "23:59:59Z",
    "duration": "P1DT12H",
    "email": "grace.hopper@navy.example",
    "hostname": "mail.example.org",
    "ipv4": "203.0.113.254",
    "ipv6": "2001:db8::1",
    "uri": "https://docs.example.org/a/b?c=d",
    "uuid": "9b2f4c1e-6a3d-4e5f-8a9b-0c1d2e3f4a5b",
}
PATTERNS = {
    r"^[A-Z]{3}-\d{4}$": "XYZ-1234",
    r"^\+?[1-9]\d{1,14}$": "+4930123456",
    r"^#(?:[0-9a-fA-F]{3}){1,2}$": "#a1b2c3",
    r"^(?=.*[A-Z])(?=.*\d).{8,}$": "Passw0rdXY",
    r"(foo|ba[rz])+": "a foobar",
    r"^[^\s@]+@[^\s@]+\.[a-z]+$": "x@y.zz",
    r"^(?!admin)[a-z_]+$": "someone",
    r"^\w+( \w+)*$": "so it is",
    r"\d$": "ends in 7",
    "^[äöü]+$": "äöü",
}
"""Patterns and a text each."""


def _is(read: Callable[[str], object], shape: str = "") -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if not isinstance(value, str):
            return True
        read(value)
        return re.search(shape, value) is not None

    return check


def _judge() -> FormatChecker:
    checker = FormatChecker(())
    checks = {
        "date": _is(dt.date.fromisoformat, r"^\d{4}-\d\d-\d\d$"),
        "date-time": _is(dt.datetime.fromisoformat, r"T.*(Z|[+-]\d\d:\d\d)$"),
        "time": _is(dt.time.fromisoformat, r"(Z|[+-]\d\d:\d\d)$"),
        "duration": _is(str, r"^P(?!$)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$"),
        "email": _is(str, r"^[\w.+-]+@([a-z0-9-]+\.)+[a-z]+$"),
        "hostname": _is(str, r"^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]+$"),
        "ipv4": _is(ipaddress.IPv4Address),
        "ipv6": _is(ipaddress.IPv6Address),
        "uri": _is(urlsplit, r"^https?://[a-z0-9.-]+(/[!-~]*)?(\?[!-~]*)?$"),
        "uuid": _is(uuid.UUID, r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"),
    }
    for name, check in checks.items():
        checker.checks(name, raises=ValueError)(check)
    return checker


_FORMAT_JUDGE = _judge()


def allows(schema: Any, value: Any) -> bool:
    """Whether the schema allows the value, by a validator that is not ours."""
    try:
        return bool(Draft202012Validator(schema, format_checker=_FORMAT_JUDGE).is_valid(value))
    except RecursionError:
        reject()  # a reference that goes round at one place: the judge does not end, and the standard says nothing


TEXTS = st.sampled_from([*FORMATS.values(), *PATTERNS.values()]) | st.text("ab 🙂é", max_size=12)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-1000, 1000)
    | st.integers(-4000, 4000).map(lambda quarters: quarters / 4)
    | TEXTS
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
_IMPOSSIBLE: list[Any] = [
    False,
    {"type": "string", "minLength": 3, "maxLength": 2},
    {"minimum": 2, "maximum": 1} | {"type": "integer"},
]


@st.composite
def satisfiable(draw: st.DrawFn, values: st.SearchStrategy[Any] = VALUES) -> Schema:
    """A schema drawn around a value, which it allows; what it uses, the sandbox is to master."""
    definitions: Schema = {}
    schema = _around(draw, draw(values), definitions)
    return {**schema, "$defs": definitions}


def _around(draw: st.DrawFn, value: Any, definitions: Schema) -> Schema:  # noqa: PLR0911  one line for each shape
    match draw(st.sampled_from(["plain"] * 6 + ["enum", "const", "anyOf", "oneOf", "allOf", "$ref", "nullable", "if"])):
        case "enum":
            others = [one for one in draw(st.lists(LEAVES, max_size=3)) if one != value]
            return {"enum": draw(st.permutations([value, *others]))}
        case "const":
            return {"const": value}
        case "anyOf":
            options = [*draw(st.lists(st.sampled_from(_IMPOSSIBLE), max_size=2)), _around(draw, value, definitions)]
            return {"anyOf": draw(st.permutations(options))}
        case "oneOf":
            return {"oneOf": [draw(st.sampled_from(_IMPOSSIBLE)), _plain(draw, value, definitions)]}
        case "allOf":
            return {"allOf": [_plain(draw, value, definitions), _plain(draw, value, definitions)]}
        case "$ref":
            name = f"d/{len(definitions)}~"
            definitions[name] = {}
            definitions[name] = _around(draw, value, definitions)
            return {"$ref": f"#/$defs/{name.replace('~', '~0').replace('/', '~1')}", "description": "x"}
        case "nullable":
            return {"anyOf": [{"type": "null"}, _plain(draw, value, definitions)]}
        case "if":
            return {"if": False, "then": False, "else": _plain(draw, value, definitions)}
        case _:
            return _plain(draw, value, definitions)


def _plain(draw: st.DrawFn, value: Any, definitions: Schema) -> Schema:
    match value:
        case None | True | False:
            return {"type": "null" if value is None else draw(st.sampled_from(["boolean", ["boolean", "null"]]))}
        case int() | float():
            return _number(draw, value)
        case str():
            return _text(draw, value)
        case list():
            return _array(draw, value, definitions)
        case _:
            return _object(draw, value, definitions)


def _some(draw: st.DrawFn, keywords: Schema) -> Schema:
    return {name: draw(strategy) for name, strategy in keywords.items() if draw(st.booleans())}


def _number(draw: st.DrawFn, value: float) -> Schema:
    steps = [step for step in (0.25, 0.5, 1, 2, 3, 5, 7, 10, 1.5) if value % step == 0]
    above = st.integers(0, 40).map(lambda quarters: quarters / 4)
    kinds = ["number", ["null", "number"], *(["integer", ["string", "integer"]] if value == int(value) else [])]
    return {"type": draw(st.sampled_from(kinds))} | _some(
        draw,
        {
            "minimum": above.map(lambda by: value - by),
            "maximum": above.map(lambda by: value + by),
            "exclusiveMinimum": above.map(lambda by: value - by - 0.25),
            "exclusiveMaximum": above.map(lambda by: value + by + 0.25),
            **({"multipleOf": st.sampled_from(steps)} if steps else {}),
        },
    )


def _text(draw: st.DrawFn, value: str) -> Schema:
    patterns = [pattern for pattern in PATTERNS if re.search(pattern, value, re.ASCII)]
    formats = [name for name, text in FORMATS.items() if text == value]
    lengths = st.integers(0, 30)
    return {"type": draw(st.sampled_from(["string", ["string"], ["null", "string"]]))} | _some(
        draw,
        {
            "minLength": lengths.map(lambda by: max(0, len(value) - by)),
            "maxLength": lengths.map(lambda by: len(value) + by),
            **({"pattern": st.sampled_from(patterns)} if patterns else {}),
            **({"format": st.sampled_from(formats)} if formats else {}),
        },
    )


def _array(draw: st.DrawFn, value: list[Any], definitions: Schema) -> Schema:
    items = [_around(draw, one, definitions) for one in value]
    few = st.integers(0, 3)
    schema = {"type": "array"} | _some(
        draw, {"minItems": few.map(lambda by: max(0, len(value) - by)), "maxItems": few.map(lambda by: len(value) + by)}
    )
    if draw(st.booleans()):
        return schema | {"prefixItems": items} | _some(draw, {"items": st.just(value=False)})
    return schema | {"items": {"anyOf": items} if items else draw(st.sampled_from([True, False, {}]))}


def _object(draw: st.DrawFn, value: Schema, definitions: Schema) -> Schema:
    known = {name: _around(draw, one, definitions) for name, one in value.items()}
    extra = {
        name: draw(st.sampled_from([True, {"type": "null"}, *_IMPOSSIBLE])) for name in draw(st.sets(NAMES, max_size=2))
    }
    few = st.integers(0, 3)
    names = st.lists(st.sampled_from(sorted(value)), unique=True) if value else st.just([])
    schema = {"type": "object", "properties": {**extra, **known}} | _some(
        draw,
        {
            "required": names,
            "additionalProperties": st.sampled_from([False, True, {"type": "boolean"}]),
            "minProperties": few.map(lambda by: max(0, len(value) - by)),
            "maxProperties": few.map(lambda by: len(value) + by),
            "patternProperties": st.sampled_from([{"^z": False}, {".": True}]),
        },
    )
    pairs = st.dictionaries(st.sampled_from(sorted(value)), names) if value else st.just({})
    return schema | _some(draw, {"dependentRequired": pairs})


_NUMERIC = ("minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_LENGTHS = ("minLength", "maxLength", "minProperties", "maxProperties", "minContains", "maxContains")
_SHAPES = ("properties", "patternProperties", "additionalProperties", "propertyNames", "dependentSchemas", "$defs")
_COMBINED = (
    "type",
    "required",
    "items",
    "prefixItems",
    "contains",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "$ref",
)
KEYWORDS = st.sampled_from(
    [*_NUMERIC, *_LENGTHS, *_SHAPES, *_COMBINED, "else", "enum", "const", "default", "pattern", "format", "uniqueItems"]
)
WILD = st.dictionaries(KEYWORDS, st.dictionaries(KEYWORDS, JSON, max_size=4) | JSON, max_size=8)
"""Objects that use the keywords without sense."""

TYPES = st.sampled_from(["string", "integer", "number", "object", "array", "boolean", "null"])
_NARROW: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.fixed_dictionaries({"type": TYPES}),
    st.fixed_dictionaries({"const": LEAVES}),
    st.fixed_dictionaries({"enum": st.lists(LEAVES, max_size=3)}),
    st.fixed_dictionaries({"minimum": st.integers(-3, 3) | st.just(0.3)}),
    st.fixed_dictionaries({"maxLength": st.integers(0, 3)}),
    st.fixed_dictionaries({"pattern": st.sampled_from(sorted(PATTERNS))}),
    st.fixed_dictionaries({"required": st.lists(NAMES, max_size=2)}),
    st.fixed_dictionaries({"multipleOf": st.sampled_from([0.01, 0.1, 3, 0.5])}),
)


def _wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    keywords = {
        **dict.fromkeys(
            ("not", "if", "then", "else", "items", "contains", "additionalProperties", "propertyNames"), inner
        ),
        **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), some),
        **dict.fromkeys(("properties", "dependentSchemas"), st.dictionaries(NAMES, inner, max_size=3)),
        "type": TYPES,
        "uniqueItems": st.booleans(),
        "minItems": st.integers(0, 3),
        "maxContains": st.integers(0, 3),
        "minProperties": st.integers(0, 3),
        "$ref": st.just("#"),
    }
    return st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({name: keywords[name] for name in chosen})
    )


TANGLED = st.recursive(_NARROW, _wider, max_leaves=8)
"""Valid schemas whose keywords meet in any way; many of them allow nothing."""
