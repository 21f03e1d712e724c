from __future__ import annotations

import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.schemas import PATTERNS
from wiretape.sandbox.schema.budget import Budget, Exhausted, Unknown
from wiretape.sandbox.schema.formats import FORMATS
from wiretape.sandbox.schema.languages import both, matches, spelled
from wiretape.sandbox.schema.patterns import PATTERN_MAX, language

ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", r"\d", r"\w", r"\S", r"[^\s]", "-"])


def _wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join).map("(?:{})".format),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{2,}", "*?"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
        st.tuples(st.sampled_from(["(?={})", "(?!{})", "(?!{}$)", "^{}", "{}$"]), inner).map(
            lambda two: two[0].format(two[1])
        ),
    )


DRAWN = st.recursive(ATOMS, _wider, max_leaves=6)


@given(DRAWN, st.text("abc-1 \n", max_size=6))
def test_a_pattern_is_found_where_re_finds_it(pattern: str, text: str) -> None:
    try:
        found = matches(language(pattern), text, Budget())
    except Unknown:
        return
    expected = re.search(pattern.replace("$", r"\Z"), text, re.ASCII) is not None
    assert found == expected


@given(DRAWN, st.integers(0, 6))
def test_every_text_spelled_is_one_of_the_pattern(pattern: str, least: int) -> None:
    try:
        texts = list(islice(spelled(language(pattern), least, least + 4, Budget(steps=5_000)), 5))
    except (Unknown, Exhausted):
        return
    assert all(re.search(pattern, text, re.ASCII) and least <= len(text) <= least + 4 for text in texts)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_common_patterns_are_spelled(pattern: str) -> None:
    texts = list(islice(spelled(language(pattern), 0, 40, Budget()), 3))
    assert all(re.search(pattern, text) for text in texts)
    assert texts


@pytest.mark.parametrize("name", FORMATS)
def test_the_example_of_a_format_is_one_of_its_pattern(name: str) -> None:
    assert re.search(FORMATS[name].pattern, FORMATS[name].example)


def test_two_patterns_are_satisfied_at_once() -> None:
    asked = both(language("^[a-m]+$"), language("^[g-z]{3}$"))
    assert next(spelled(asked, 0, 9, Budget())) == "ghi"


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", r"(?<=a)b", r"\bx", "(?i)a", r"\p{L}", "(", "a" * (PATTERN_MAX + 1), "(" * 900]
)
def test_what_is_not_understood_is_said(pattern: str) -> None:
    with pytest.raises(Unknown):
        language(pattern)


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"^(a|aa)+$", r"^(a*)*b?$", r"(x+x+)+y|^a+"])
def test_a_pattern_that_hangs_a_backtracking_matcher_takes_few_steps(pattern: str) -> None:
    assert matches(language(pattern), "a" * 100 + "!", Budget(steps=5_000)) == pattern.endswith("^a+")


@pytest.mark.parametrize("pattern", [r"^(.*a.{20})b$", r"((a{100}){100}){100}", r"^(.*[ab]){30}(.*[bc]){30}z$"])
def test_a_pattern_that_asks_for_too_much_exhausts_its_budget(pattern: str) -> None:
    with pytest.raises(Exhausted):
        list(spelled(language(pattern), 0, 200, Budget(steps=5_000)))


@pytest.mark.parametrize("way", ["(ab|cd)", "(ab|c)", "(abc|[d-f])"])
def test_many_alternatives_one_behind_the_other_cost_no_more_than_their_number(way: str) -> None:
    pattern = f"^{way * 60}x$"
    assert re.search(pattern, next(spelled(language(pattern), 0, 200, Budget())))


def test_a_class_of_many_ranges_costs_as_many_steps() -> None:
    many = "".join(chr(0x4E00 + 2 * one) for one in range(900))
    with pytest.raises(Exhausted):
        next(spelled(language(f"^[{many}]{{50}}$"), 0, 50, Budget(steps=20_000)))
