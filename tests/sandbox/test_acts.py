from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.sandbox.acts import (
    ACTS_MAX,
    VERBS,
    Act,
    ActError,
    Begin,
    Call,
    Cut,
    Expire,
    Fail,
    Incomplete,
    Pace,
    Refuse,
    Say,
    Search,
    Stall,
    Think,
    Wait,
    Wanted,
    in_words,
    read,
)

BEGIN = Begin(begin=True)
KEYS = st.sampled_from(list(VERBS)) | st.text(max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(list(VERBS)) | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("told", "acts"),
    [
        ("say Hello there", (Say("Hello there"),)),
        ("say [1]", (Say("[1]"),)),
        ("fail server_error", (BEGIN, Fail("server_error"))),
        ("incomplete max_prompt_tokens", (BEGIN, Incomplete("max_prompt_tokens"))),
        ("expire", (BEGIN, Expire(expire=True))),
        ("cut", (BEGIN, Cut(cut=True))),
        ("stall", (Stall(stall=True),)),
        ("think", (Think(think=True),)),
        ("refuse 429", (Refuse(429),)),
        ("wait_s 1.5", (Wait(1.5),)),
        ("pace_s 2", (Pace(2),)),
        ("search", (Search(),)),
        ("search cake", (Search("cake"),)),
        ('{"say": "a"}', (Say("a"),)),
        ('[{"wait_s": 1}, {"say": "a", "pace_s": 0.5}]', (Wait(1), Say("a", 0.5))),
        ('[{"call": [{"name": "f", "arguments": {"a": 1}}]}]', (Call((Wanted("f", {"a": 1}),)),)),
        ("[]", ()),
    ],
)
def test_acts_are_told_in_words_or_as_json(told: str, acts: tuple[Act, ...]) -> None:
    assert in_words(told, "metadata.sandbox") == acts


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ("explode", r"m\[0\] is no act; an act is a table with one of the keys say, refusal, call"),
        ("", r"m\[0\] is no act"),
        ("say ", r"m\[0\]"),
        ("fail", r"m\[0\]: Expected"),
        ("fail everything", r"m\[0\]: Invalid enum value 'everything'"),
        ("wait_s long", r"m\[0\]: Expected"),
        ("wait_s ²", r"m\[0\]: Expected"),
        ("refuse 200", r"m\[0\]: Expected `int` >= 400"),
        ("[1]", r"m\[0\] is no act"),
        ('[{"say": "a"}, {"say": "a", "loud": true}]', r"m\[1\] is no act"),
        ('[{"wait_s": 601}]', r"m\[0\]: Expected `float` <= 600"),
        ('{"call": []}', r"m\[0\]: Expected `array` of length >= 1"),
        ("[", "m is no JSON"),
        ("[" * 5_000, "m is no JSON"),
    ],
)
def test_what_is_no_act_is_named_with_its_place(told: str, complaint: str) -> None:
    with pytest.raises(ActError, match=complaint):
        in_words(told, "m")


def test_a_run_has_a_bounded_number_of_acts() -> None:
    with pytest.raises(ActError, match=f"has {ACTS_MAX + 1} acts; at most {ACTS_MAX} are played"):
        read([{"say": "a"}] * (ACTS_MAX + 1), "m")


@given(JSON)
def test_anything_is_an_act_or_refused(told: Any) -> None:
    try:
        acts = read(told, "m")
    except ActError:
        return
    assert all(isinstance(act, tuple(VERBS.values())) for act in acts)


@given(st.text() | st.sampled_from(list(VERBS)).flatmap(lambda verb: st.text().map(lambda rest: f"{verb} {rest}")))
def test_any_words_are_acts_or_refused(told: str) -> None:
    try:
        assert in_words(told, "m")
    except ActError:
        return
