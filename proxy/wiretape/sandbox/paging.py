"""Lists in pages, as the API cuts them: `limit`, `order`, `after`, `before` (reference chapter 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from wiretape.sandbox.refusals import invalid

LIMIT_DEFAULT = 20
LIMIT_MAX = 100


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


def _ordered(oldest_first: Sequence[T], order: str) -> Sequence[T]:
    match order:
        case "asc":
            return oldest_first
        case "desc":
            return oldest_first[::-1]
        case _:
            raise invalid("order", f"expected 'asc' or 'desc', but got '{order}' instead.")


def _bounds(ids: list[str], query: Mapping[str, str]) -> tuple[int, int]:
    start = _index(ids, "after", query["after"]) + 1 if "after" in query else 0
    end = _index(ids, "before", query["before"]) if "before" in query else len(ids)
    return start, max(start, end)


def _index(ids: list[str], param: str, cursor: str) -> int:
    try:
        return ids.index(cursor)
    except ValueError:
        raise invalid(param, f"no object of this list has the id '{cursor}'.") from None


def _limit(given: str, most: int) -> int:
    if not (given.isascii() and given.isdigit()):
        raise invalid("limit", f"expected an integer, but got '{given[:40]}' instead.", "invalid_type")
    if len(given) > len(str(most)) or int(given) > most:
        why = f"integer above maximum value. Expected a value <= {most}, but got {given[:40]} instead."
        raise invalid("limit", why, "integer_above_max_value")
    if int(given) < 1:
        raise invalid(
            "limit", "integer below minimum value. Expected a value >= 1, but got 0 instead.", "integer_below_min_value"
        )
    return int(given)
