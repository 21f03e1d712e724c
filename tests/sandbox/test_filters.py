from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wiretape.sandbox.filters import DEPTH_MAX, PARTS_MAX, Filter, check, matches
from wiretape.sandbox.refusals import Refused

FILE = {"year": 2024, "lang": "en", "draft": False}


def _filter(sent: Any) -> Filter:
    return msgspec.convert(sent, Filter)


def _compare(comparison: str, key: str, value: Any) -> dict[str, Any]:
    return {"type": comparison, "key": key, "value": value}


@pytest.mark.parametrize(
    ("comparison", "key", "value", "passes"),
    [
        ("eq", "lang", "en", True),
        ("ne", "lang", "en", False),
        ("gt", "year", 2024, False),
        ("gte", "year", 2024, True),
        ("lt", "year", 2024.5, True),
        ("lte", "year", 2023, False),
        ("in", "lang", ["de", "en"], True),
        ("nin", "lang", ["de", "en"], False),
        ("eq", "draft", False, True),
        ("gt", "lang", 3, False),
        ("eq", "absent", "x", False),
        ("ne", "absent", "x", True),
        ("nin", "absent", ["x"], True),
    ],
)
def test_a_comparison_looks_at_one_attribute(comparison: str, key: str, value: Any, passes: bool) -> None:
    sent = _filter(_compare(comparison, key, value))
    check(sent)
    assert matches(sent, FILE) is passes


def test_filters_are_joined() -> None:
    yes, no = _compare("eq", "lang", "en"), _compare("eq", "lang", "de")
    assert matches(_filter({"type": "or", "filters": [no, {"type": "and", "filters": [yes, yes]}]}), FILE)
    assert not matches(_filter({"type": "and", "filters": [yes, no]}), FILE)


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ({"type": "and"}, "filters.filters"),
        ({"type": "eq", "value": 1}, "filters.key"),
        (_compare("in", "lang", "en"), "filters.value"),
        (_compare("eq", "lang", ["en"]), "filters.value"),
    ],
)
def test_a_filter_that_lacks_a_part_is_refused(sent: Any, param: str) -> None:
    with pytest.raises(Refused) as caught:
        check(_filter({"type": "or", "filters": [sent]}))
    assert caught.value.body.error.param == param


def test_a_filter_may_not_be_nested_without_end() -> None:
    sent: dict[str, Any] = _compare("eq", "lang", "en")
    for _ in range(DEPTH_MAX - 1):
        sent = {"type": "and", "filters": [sent]}
    check(_filter(sent))
    with pytest.raises(Refused, match="nested more than 16 deep"):
        check(_filter({"type": "and", "filters": [sent]}))


@pytest.mark.parametrize("joined", [True, False])
def test_a_filter_may_not_have_parts_without_end(joined: bool) -> None:
    def with_parts(parts: int) -> Filter:
        one = _compare("eq", "lang", "en")
        many = (
            {"type": "or", "filters": [one] * (parts - 1)} if joined else _compare("in", "lang", ["en"] * (parts - 1))
        )
        return _filter(many)

    check(with_parts(PARTS_MAX))
    with pytest.raises(Refused, match="more than 1000 filters and values"):
        check(with_parts(PARTS_MAX + 1))
