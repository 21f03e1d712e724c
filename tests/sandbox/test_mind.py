from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.assistants import TIME, WEATHER
from wiretape.sandbox import mind
from wiretape.sandbox.chance import Chance
from wiretape.sandbox.work import CalledFunction, Run

BARE = {"type": "function", "function": {"name": "ping"}}


def _run(*tools: Any, **fields: Any) -> Run:
    known = {
        "id": "run_1",
        "created_at": 0,
        "assistant_id": "a",
        "thread_id": "t",
        "expires_at": 600,
        "model": "m",
        "instructions": None,
        "tools": [{"type": "code_interpreter"}, *tools],
        "tool_resources": {},
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "reasoning_effort": None,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "truncation_strategy": {"type": "auto"},
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }
    return msgspec.convert({**known, **fields}, Run)


@pytest.mark.parametrize(
    ("question", "fields", "expected"),
    [
        ("Will the weather hold?", {}, ["get_weather"]),
        ("What does the clock say?", {}, ["local_time"]),
        ("Weather and time in Rome, please", {}, ["get_weather", "local_time"]),
        ("Weather and time", {"parallel_tool_calls": False}, ["get_weather"]),
        ("Tell me a joke", {}, []),
        ("Tell me a joke", {"tool_choice": "required"}, ["get_weather"]),
        ("Weather?", {"tool_choice": "none"}, []),
        ("Hi", {"tool_choice": {"type": "function", "function": {"name": "local_time"}}}, ["local_time"]),
        ("Hi", {"tool_choice": {"type": "function", "function": {"name": "other"}}}, []),
        ("Hi", {"tool_choice": {"type": "file_search"}}, []),
    ],
)
def test_functions_are_called_where_the_words_or_the_choice_ask_for_them(
    question: str, fields: dict[str, Any], expected: list[str]
) -> None:
    assert [call.name for call in mind.wanted(_run(WEATHER, TIME, BARE, **fields), question)] == expected


def test_a_function_without_parameters_is_called_with_none() -> None:
    assert [call.arguments for call in mind.wanted(_run(BARE), "ping it")] == ["{}"]


@pytest.mark.parametrize(
    ("output", "spoken"),
    [
        ('{"sky": "clear", "wind_speed": 3}', "sky clear, wind speed 3"),
        ('{"city": "Bonn", "temperature_c": 21, "celsius": 9}', "temperature 21 °C, 9 °C"),
        ('["rain", 2]', "rain, 2"),
        ("21.5", "21.5"),
        ("  sunny. ", "sunny"),
        ("[" * 5_000, "[" * 399 + "\N{HORIZONTAL ELLIPSIS}"),
        ("", "no answer"),
        (None, "no answer"),
    ],
)
def test_an_answer_tells_what_the_tool_said(output: str | None, spoken: str) -> None:
    call = CalledFunction("get_weather", '{"city":"Bonn","unit":"celsius"}', output)
    assert f"Weather for Bonn: {spoken}." in mind.answer_from([call])


def test_an_answer_names_a_function_that_has_only_dull_words() -> None:
    assert "Get: 1." in mind.answer_from([CalledFunction("get", "[]", "1")])


@pytest.mark.parametrize("question", ["", "a" * 500, "{question}", "{0!r}", "Why?\nWhy?"])
def test_any_question_gets_an_answer_of_readable_length(question: str) -> None:
    assert 0 < len(mind.answer(question, Chance(1))) < 300


def test_a_greeting_is_greeted() -> None:
    assert mind.answer("Oh, hello!", Chance(1)) == mind.HELLO
