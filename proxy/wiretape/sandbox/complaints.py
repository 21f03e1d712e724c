"""What is wrong with a body, in the hosted service's words: a second look, taken when reading it has failed.

The kinds of `bodies` say all the rules; this walks one kind beside the JSON that was sent. Of several things wrong
the first is named: in an object what is missing before what is unknown, and both before the values, which come in
the kind's order (that the service looks in this order is measured, see the tests).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import NoneType as NullType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from msgspec import inspect
from msgspec.inspect import (
    AnyType,
    BoolType,
    DictType,
    FloatType,
    IntType,
    ListType,
    LiteralType,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
)

from wiretape.sandbox import refusals
from wiretape.sandbox.content import Json
from wiretape.sandbox.refusals import Refused

Choices = Mapping[frozenset[str], Sequence[str]]
"""The values of enumerations in the order in which they are declared; msgspec sorts them."""

_PREFIX = re.compile(r"\^(\w+)")
"""A pattern that is a mere prefix: that of an id."""

_SORTS = {
    NullType: "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    str: "a string",
    list: "an array",
    dict: "an object",
}
"""What was sent, by what JSON is decoded to."""
_TAKEN: Mapping[type[Type], Sequence[type]] = {
    NoneType: (NullType,),
    BoolType: (bool,),
    IntType: (int,),
    FloatType: (int, float),
    StrType: (str,),
    LiteralType: (str,),
    ListType: (list,),
    DictType: (dict,),
    StructType: (dict,),
}
"""What JSON is decoded to, by the kinds that can take it."""
_NAMES: Mapping[type[Type], str] = {
    BoolType: "boolean",
    IntType: "integer",
    FloatType: "decimal",
    StrType: "string",
}
_ARTICLES = {"boolean": "a ", "integer": "an ", "decimal": "a ", "string": "a ", "array": "an ", "object": "an "}


def complaint(sent: Json, kind: type) -> Refused | None:
    """The first thing that is wrong with what was sent as this kind; None when nothing is."""
    return next(_faults("", sent, inspect.type_info(kind), {}), None)


def _faults(path: str, sent: Json, kind: Type, choices: Choices) -> Iterator[Refused]:
    """All that is wrong, first things first."""
    fitting = [one for one in _alternatives(kind) if _fits(sent, one)]
    structs = [one for one in fitting if isinstance(one, StructType)]
    if not fitting:
        yield refusals.wrong_type(path, _expected(kind, choices), _got(sent))
    elif structs and structs[0].tag_field is not None:
        yield from _in_tagged(path, sent, structs)
    elif structs:
        yield from _in_fields(path, sent, structs[0])
    else:
        yield from _in_value(path, sent, fitting[0], choices)


def _in_value(path: str, sent: Json, kind: Type, choices: Choices) -> Iterator[Refused]:
    match kind:
        case StrType():
            yield from _in_string(path, sent, kind)
        case LiteralType() if sent not in kind.values:
            yield refusals.unsupported(path, sent, _values(kind, choices))
        case IntType():
            yield from _in_number(path, sent, kind, "integer")
        case FloatType():
            yield from _in_number(path, sent, kind, "decimal")
        case ListType():
            yield from _in_list(path, sent, kind, choices)
        case DictType():
            yield from _in_mapping(path, sent, kind, choices)
        case _:
            return


def _in_string(path: str, sent: str, kind: StrType) -> Iterator[Refused]:
    if kind.max_length is not None and len(sent) > kind.max_length:
        yield refusals.too_long(path, "string", len(sent), kind.max_length)
    if kind.min_length and not sent:
        yield refusals.empty(path, "string")
    if kind.pattern is not None and not re.search(kind.pattern, sent):
        prefix = _PREFIX.fullmatch(kind.pattern)
        yield refusals.misnamed(path, sent, prefix[1]) if prefix else refusals.mismatch(path, kind.pattern)


def _in_number(path: str, sent: float, kind: IntType | FloatType, number: str) -> Iterator[Refused]:
    if kind.ge is not None and sent < kind.ge:
        yield refusals.out_of_range(path, sent, kind.ge, number=number)
    if kind.le is not None and sent > kind.le:
        yield refusals.out_of_range(path, sent, kind.le, number=number)


def _in_list(path: str, sent: list[Json], kind: ListType, choices: Choices) -> Iterator[Refused]:
    if kind.max_length is not None and len(sent) > kind.max_length:
        yield refusals.too_long(path, "array", len(sent), kind.max_length)
    if kind.min_length and not sent:
        yield refusals.empty(path, "array")
    for index, item in enumerate(sent):
        yield from _faults(f"{path}[{index}]", item, kind.item_type, choices)


def _in_mapping(path: str, sent: dict[str, Json], kind: DictType, choices: Choices) -> Iterator[Refused]:
    if kind.max_length is not None and len(sent) > kind.max_length:
        yield refusals.too_many(path, len(sent), kind.max_length)
    longest = kind.key_type.max_length if isinstance(kind.key_type, StrType) else None
    for name, value in sent.items():
        if longest is not None and len(name) > longest:
            yield refusals.long_name(path, name, longest)
        yield from _faults(_at(path, name), value, kind.value_type, choices)


def _in_tagged(path: str, sent: dict[str, Json], kinds: Sequence[StructType]) -> Iterator[Refused]:
    """An object that its field `type` tells apart from others."""
    name = str(kinds[0].tag_field)
    by_tag = {str(one.tag): one for one in kinds}
    match sent.get(name, ...):
        case str(tag) if tag in by_tag:
            yield from _in_fields(path, sent, by_tag[tag])
        case str(tag):
            yield refusals.unsupported(_at(path, name), tag, list(by_tag))
        case tag if tag is ...:
            yield refusals.missing(_at(path, name))
        case tag:
            yield refusals.wrong_type(_at(path, name), _one_of(list(by_tag)), _got(tag))


def _in_fields(path: str, sent: dict[str, Json], kind: StructType) -> Iterator[Refused]:
    for field in kind.fields:
        if field.required and field.encode_name not in sent:
            yield refusals.missing(_at(path, field.encode_name))
    known = {kind.tag_field, *(field.encode_name for field in kind.fields)}
    for name in sent:
        if kind.forbid_unknown_fields and name not in known:
            yield refusals.unexpected(_at(path, refusals.elided(name)))
    choices = _choices(kind.cls)
    for field in kind.fields:
        if field.encode_name in sent:
            yield from _faults(_at(path, field.encode_name), sent[field.encode_name], field.type, choices)


@cache
def _choices(struct: type) -> Choices:
    """The enumerations among a struct's fields."""
    found: dict[frozenset[str], Sequence[str]] = {}
    hints: list[Any] = list(get_type_hints(struct).values())
    while hints:
        hint = hints.pop()
        if get_origin(hint) is Literal:
            found[frozenset(get_args(hint))] = get_args(hint)
        else:
            hints += get_args(hint)
    return found


def _values(kind: LiteralType, choices: Choices) -> list[str]:
    return list(choices[frozenset(map(str, kind.values))])


def _alternatives(kind: Type) -> tuple[Type, ...]:
    return kind.types if isinstance(kind, UnionType) else (kind,)


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _fits(sent: Json, kind: Type) -> bool:
    """Whether JSON of this sort can be of this kind at all."""
    return isinstance(kind, AnyType) or type(sent) in _TAKEN[type(kind)]


def _got(sent: Json) -> str:
    return _SORTS[type(sent)]


def _expected(kind: Type, choices: Choices) -> str:
    """`a string`, or `one of a string or array of objects`: only the first has its article, as in the service."""
    kinds = [one for one in _alternatives(kind) if not isinstance(one, NoneType)]
    names = list(dict.fromkeys(_called(one, choices) for one in kinds))
    first, *others = names or ["null"]
    article = _ARTICLES.get(first.partition(" ")[0], "")
    return f"one of {article}{' or '.join([first, *others])}" if others else f"{article}{first}"


def _called(kind: Type, choices: Choices) -> str:
    match kind:
        case LiteralType():
            return _one_of(_values(kind, choices))
        case ListType():
            return f"array of {'strings' if isinstance(kind.item_type, StrType) else 'objects'}"
        case _:
            return _NAMES.get(type(kind), "object")


def _one_of(values: Sequence[str]) -> str:
    return f"one of {refusals.listed(values, 'or')}" if len(values) > 1 else refusals.listed(values, "or")
