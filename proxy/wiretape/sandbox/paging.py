"""Queries (reference 2): lists in pages, cut by `limit`, `order`, `after` and `before`; and `include[]`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from wiretape.sandbox.refusals import NAMED_MAX, elided, invalid, out_of_range, unsupported, wrong_type

LIMIT_DEFAULT = 20
LIMIT_MAX = 100
_INTEGER = re.compile(rf"-?[0-9]{{1,{NAMED_MAX}}}")
INCLUDABLE = ("step_details.tool_calls[*].file_search.results[*].content",)


class Identified(Protocol):
    """Anything a cursor can name."""

    @property
    def id(self) -> str:
        """Its id."""


T = TypeVar("T", bound=Identified)


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """One page; the ids are those of its ends, null where it is empty."""

    object: str = "list"
    data: Sequence[T]
    first_id: str | None
    last_id: str | None
    has_more: bool


def page(
    oldest_first: Sequence[T],
    query: Mapping[str, str],
    limit_default: int = LIMIT_DEFAULT,
    limit_max: int = LIMIT_MAX,
) -> Page[T]:
    """The page the query asks for; raises Refused where it asks for what cannot be."""
    ordered = _ordered(oldest_first, query.get("order", "desc"))
    start, end = _bounds([item.id for item in ordered], query)
    limit = _limit(query.get("limit", str(limit_default)), limit_max)
    backwards = "before" in query and "after" not in query  # the page that ends at the cursor
    cut = ordered[max(start, end - limit) : end] if backwards else ordered[start : min(end, start + limit)]
    ids = [item.id for item in cut]
    return Page(
        data=cut,
        first_id=ids[0] if ids else None,
        last_id=ids[-1] if ids else None,
        has_more=len(cut) < end - start,
    )


def check_include(query: Mapping[str, str]) -> None:
    """Raise Refused where `include[]` asks for what cannot be included; a name may come several times."""
    asked = [value for name, value in query.items() if name == "include[]"]
    for index, value in enumerate(asked):
        if value not in INCLUDABLE:
            raise unsupported(f"include[{index}]", value, INCLUDABLE)


def _ordered(oldest_first: Sequence[T], order: str) -> Sequence[T]:
    match order:
        case "asc":
            return oldest_first
        case "desc":
            return oldest_first[::-1]
        case _:
            raise unsupported("order", order, ("asc", "desc"))


def _bounds(ids: list[str], query: Mapping[str, str]) -> tuple[int, int]:
    start = _index(ids, "after", query["after"]) + 1 if "after" in query else 0
    end = _index(ids, "before", query["before"]) if "before" in query else len(ids)
    return start, max(start, end)


def _index(ids: list[str], param: str, cursor: str) -> int:
    try:
        return ids.index(cursor)
    except ValueError:
        raise invalid(param, f"no object of this list has the id '{elided(cursor)}'.") from None


def _limit(given: str, most: int) -> int:
    if not _INTEGER.fullmatch(given):
        raise wrong_type("limit", "an integer", "a string")
    limit = int(given)
    for bound, is_passed in ((1, limit < 1), (most, limit > most)):
        if is_passed:
            raise out_of_range("limit", limit, bound, number="integer")
    return limit
