import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.fault_words import KINDS, parse
from wiretape.cassette.faults import Answer, Cut, Stall
from wiretape.errors import ConfigError


def test_a_fault_is_a_name_and_its_options() -> None:
    assert parse("cut:after=3:inside=json") == Cut(word="cut:after=3:inside=json", after=3, inside="json")
    assert parse("stall:for_s=0.5:on=/runs:times=2") == Stall(
        word="stall:for_s=0.5:on=/runs:times=2", for_s=0.5, on="/runs", times=2
    )
    assert parse("answer") == Answer(word="answer", status=429, times=1)


@pytest.mark.parametrize("name", KINDS)
def test_every_fault_is_one_without_options(name: str) -> None:
    assert isinstance(parse(name), KINDS[name])


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("cutt", "there is no fault 'cutt'; known are answer, cut, drop, duplicate, end, recut, stall"),
        ("", "there is no fault ''; known are answer, cut"),
        ("cut:before=3", "fault cut: there is no option 'before=3'; it takes after=…, inside=…, on=…, times=…"),
        ("cut:after", "fault cut: there is no option 'after'; it takes after=…"),
        ("cut:word=x", "fault cut: there is no option 'word=x'"),
        ("cut:after=x", "fault cut: after is a whole number from 0; got 'x'"),
        ("cut:after=-1", "fault cut: after is a whole number from 0; got '-1'"),
        ("cut:after=1:after=2", "fault cut:after=1:after=2: an option is given twice"),
        ("cut:inside=word", "fault cut: inside is one of character, json; got 'word'"),
        ("end:by=crash", "fault end: by is one of error, failed, expired, incomplete; got 'crash'"),
        ("answer:status=200", "fault answer: status is a whole number from 400 to 599; got '200'"),
        ("stall:for_s=nan", "fault stall: for_s is a number of seconds that is not negative; got 'nan'"),
        ("stall:for_s=soon", "fault stall: for_s is a number of seconds that is not negative; got 'soon'"),
        ("drop:on=", "fault drop: on is a part of a path; got ''"),
    ],
)
def test_wrong_words_are_told_in_one_sentence_that_names_the_right_ones(word: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        parse(word)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_any_text_is_a_fault_or_one_sentence(name: str, option: str, value: str) -> None:
    for word in (name, f"cut:{option}={value}", f"recut:{option}={value}", f"stall:for_s={value}"):
        try:
            assert parse(word).word == word
        except ConfigError as error:
            assert str(error)  # noqa: PT017  either is right
