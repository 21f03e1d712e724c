from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.sandbox.objects import Deleted
from wiretape.sandbox.paging import LIMIT_DEFAULT, page
from wiretape.sandbox.refusals import Refused

ITEMS = [Deleted(id=f"i{number}", object="x") for number in range(30)]


def _ids(query: dict[str, str], count: int = 30) -> list[str]:
    return [item.id for item in page(ITEMS[:count], query).data]


def test_the_youngest_come_first_unless_asked_otherwise() -> None:
    assert _ids({}) == [f"i{number}" for number in range(29, 29 - LIMIT_DEFAULT, -1)]
    assert _ids({"order": "asc", "limit": "3"}) == ["i0", "i1", "i2"]


def test_cursors_are_exclusive_and_before_ends_the_page() -> None:
    assert _ids({"order": "asc", "after": "i3", "limit": "2"}) == ["i4", "i5"]
    assert _ids({"order": "asc", "before": "i3", "limit": "2"}) == ["i1", "i2"]
    assert _ids({"order": "asc", "after": "i3", "before": "i6"}) == ["i4", "i5"]
    assert _ids({"order": "asc", "after": "i6", "before": "i3"}) == []


def test_an_empty_page_has_no_ends() -> None:
    empty = page(ITEMS[:0], {})
    assert (empty.first_id, empty.last_id, empty.has_more) == (None, None, False)


@given(st.integers(0, 30), st.integers(1, 100), st.sampled_from(["asc", "desc"]))
def test_following_after_visits_each_item_once(count: int, limit: int, order: str) -> None:
    query, seen = {"limit": str(limit), "order": order}, []
    while True:
        one = page(ITEMS[:count], query)
        seen += [item.id for item in one.data]
        assert len(one.data) <= limit
        if not one.has_more:
            break
        query["after"] = str(one.last_id)
    assert seen == [item.id for item in (ITEMS[:count] if order == "asc" else ITEMS[:count][::-1])]


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ({"limit": "0"}, "limit", "integer_below_min_value"),
        ({"limit": "101"}, "limit", "integer_above_max_value"),
        ({"limit": "9" * 40}, "limit", "integer_above_max_value"),
        ({"limit": "-1"}, "limit", "integer_below_min_value"),
        ({"limit": "9" * 5000}, "limit", "invalid_type"),
        ({"limit": "x"}, "limit", "invalid_type"),
        ({"limit": "\N{SUPERSCRIPT TWO}"}, "limit", "invalid_type"),
        ({"order": "up"}, "order", "invalid_value"),
        ({"after": "nobody"}, "after", "invalid_value"),
    ],
)
def test_a_query_that_cannot_be_is_refused(query: dict[str, str], param: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        page(ITEMS, query)
    assert (caught.value.status, caught.value.body.error.param, caught.value.body.error.code) == (400, param, code)
