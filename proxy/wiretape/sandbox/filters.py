"""Filters of a search: which attributes a file must have."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from wiretape.sandbox.refusals import invalid, missing

DEPTH_MAX = 16
"""Filters within filters."""
PARTS_MAX = 1_000
"""Filters and listed values of one search, all together: each is held against each file."""

Scalar = str | int | float | bool
Attributes = Mapping[str, Scalar]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda attribute, values: attribute in values,
    "nin": lambda attribute, values: attribute not in values,
}


class Filter(Struct, frozen=True, kw_only=True):
    """A comparison of one attribute, or several filters joined by `and` or `or`."""

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "and", "or"]
    key: str | None = None
    value: Scalar | list[str | int | float] | None = None
    filters: list[Filter] | None = None


def check(sent: Filter) -> None:
    """Raise Refused for a filter that lacks a part, is nested too deep, or has too many parts."""
    _check(sent, 1)
    if _parts(sent) > PARTS_MAX:
        raise invalid("filters", f"more than {PARTS_MAX} filters and values.")


def _parts(sent: Filter) -> int:
    values = len(sent.value) if isinstance(sent.value, list) else 0
    return 1 + values + sum(map(_parts, sent.filters or ()))


def _check(sent: Filter, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise invalid("filters", f"nested more than {DEPTH_MAX} deep.")
    if sent.type not in _COMPARISONS:
        if sent.filters is None:
            raise missing("filters.filters")
        for inner in sent.filters:
            _check(inner, depth + 1)
    elif sent.key is None:
        raise missing("filters.key")
    elif isinstance(sent.value, list) is not (sent.type in {"in", "nin"}):
        raise invalid("filters.value", f"'{sent.type}' does not compare with a value of this type.", "invalid_type")


def matches(sent: Filter, attributes: Attributes) -> bool:
    """Whether a file with these attributes passes; one without the attribute, or with another type, does not."""
    match sent.type:
        case "and":
            return all(matches(inner, attributes) for inner in sent.filters or ())
        case "or":
            return any(matches(inner, attributes) for inner in sent.filters or ())
        case comparison:
            return _compares(comparison, attributes.get(sent.key or ""), sent.value)


def _compares(comparison: str, attribute: Scalar | None, value: object) -> bool:
    if attribute is None:
        return comparison in {"ne", "nin"}
    try:
        return _COMPARISONS[comparison](attribute, value)
    except TypeError:  # text and number have no order
        return False
