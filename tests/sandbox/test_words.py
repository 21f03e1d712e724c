from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.sandbox.words import hints, name_words, subjects


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("What's the weather in Paris?", ("Paris",)),
        ("Weather in São Paulo, please.", ("São Paulo", "Weather")),
        ("Paris!", ("Paris",)),
        ("Is it hot?", ()),
        ("Play \N{LEFT DOUBLE QUOTATION MARK}Take Five\N{RIGHT DOUBLE QUOTATION MARK}", ("Take Five", "Play")),
        ("From Rome to Rome", ("Rome",)),
    ],
)
def test_names_are_found_quoted_first_and_a_sentences_first_word_last(said: str, names: tuple[str, ...]) -> None:
    assert hints(said).names == names


@pytest.mark.parametrize("name", ["get_weather_report", "getWeatherReport", "GetWeatherReport", "get-weather-report"])
def test_a_functions_name_is_taken_apart(name: str) -> None:
    assert name_words(name) == ["weather", "report"]


def test_subjects_leave_dull_words_and_plurals_out() -> None:
    assert subjects("Show me the tides at the ports, Miss") == {"tide", "port", "miss"}


def test_numbers_are_found_but_not_inside_words() -> None:
    assert hints("from -3 to 4.5 in B12, 2026-01").numbers[:2] == (-3.0, 4.5)


@given(st.text())
def test_no_name_is_empty_or_has_space_around_it(said: str) -> None:
    assert all(name == name.strip() != "" for name in hints(said).names)
