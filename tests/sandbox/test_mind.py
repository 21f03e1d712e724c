from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.assistants import TIME, WEATHER
from wiretape.sandbox import mind
from wiretape.sandbox.acts import Call
from wiretape.sandbox.calls import CalledFunction, Result
from wiretape.sandbox.chance import Chance
from wiretape.sandbox.plot import Stored
from wiretape.sandbox.words import hints
from wiretape.sandbox.work import Run

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
        "tools": list(tools),
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


CODE = {"type": "code_interpreter"}
SEARCH = {"type": "file_search"}


class Folder:
    """Files with a text each; or none."""

    def __init__(self, *names: str) -> None:
        self.searchable = bool(names)
        self.readable = [Stored(f"file-{name}", name) for name in names]

    def search(self, query: str, results_max: int, threshold: float, at_s: float) -> list[Result]:
        raise NotImplementedError

    def keep(self, content: bytes, name: str, at_s: float) -> str:
        raise NotImplementedError

    def text(self, file_id: str) -> str:
        return "1\n2\n3"


def _decided(question: str, *tools: Any, shelf: Folder | None = None, **fields: Any) -> list[str]:
    """The tools that are used, one word for each step."""
    told = []
    for act in mind.decide(_run(*tools, **fields), question, shelf or Folder()):
        names = [one.name for one in act.call] if isinstance(act, Call) else [type(act).__name__]
        told.append("+".join(names))
    return told


@pytest.mark.parametrize(
    ("question", "fields", "expected"),
    [
        ("Will the weather hold?", {}, ["get_weather", "Reply"]),
        ("What does the clock say?", {}, ["local_time", "Reply"]),
        ("Weather and time in Rome, please", {}, ["get_weather+local_time", "Reply"]),
        ("Weather and time", {"parallel_tool_calls": False}, ["get_weather", "local_time", "Reply"]),
        ("Tell me a joke", {}, ["Reply"]),
        ("Tell me a joke", {"tool_choice": "required"}, ["get_weather", "Reply"]),
        ("Weather?", {"tool_choice": "none"}, ["Reply"]),
        ("Hi", {"tool_choice": {"type": "function", "function": {"name": "local_time"}}}, ["local_time", "Reply"]),
        ("Hi", {"tool_choice": {"type": "function", "function": {"name": "other"}}}, ["Reply"]),
        ("Hi", {"tool_choice": {"type": "file_search"}}, ["Reply"]),
        ("The weather, and the sum of 1 and 2", {}, ["Code", "get_weather", "Reply"]),
        ("Hi", {"tool_choice": {"type": "code_interpreter"}}, ["Code", "Reply"]),
    ],
)
def test_functions_are_called_where_the_words_or_the_choice_ask_for_them(
    question: str, fields: dict[str, Any], expected: list[str]
) -> None:
    assert _decided(question, WEATHER, TIME, BARE, CODE, **fields) == expected


@pytest.mark.parametrize(
    ("question", "tools", "fields", "expected"),
    [
        ("Who likes cake?", [SEARCH], {}, ["Search", "Reply"]),
        ("Hello", [SEARCH], {}, ["Reply"]),
        ("Plot the file", [SEARCH, CODE], {}, ["Search", "Code", "Reply"]),
        ("Save it", [CODE], {}, ["Code", "Reply"]),
        ("Hello", [SEARCH, CODE], {"tool_choice": "required"}, ["Search", "Reply"]),
        ("Hello", [CODE], {"tool_choice": "required"}, ["Code", "Reply"]),
        ("Hello", [], {"tool_choice": "required"}, ["Reply"]),
        ("Hello", [SEARCH], {"tool_choice": {"type": "file_search"}}, ["Search", "Reply"]),
    ],
)
def test_hosted_tools_are_used_where_there_is_something_to_use_them_on(
    question: str, tools: list[Any], fields: dict[str, Any], expected: list[str]
) -> None:
    assert _decided(question, *tools, shelf=Folder("numbers.csv"), **fields) == expected


def test_a_function_without_parameters_is_called_with_none() -> None:
    assert mind.made_arguments(_run(BARE), "ping", hints("ping it")) == "{}"


def test_a_function_that_the_run_does_not_have_is_called_with_none() -> None:
    assert mind.made_arguments(_run(BARE), "pong", hints("pong it")) == "{}"


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
    assert 0 < len(mind.answer(question, Chance("1"))) < 300


def test_a_greeting_is_greeted() -> None:
    assert mind.answer("Oh, hello!", Chance("1")) == mind.HELLO
