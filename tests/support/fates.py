"""Runs drawn from a seed: an assistant, a question, settings, acts that a script would tell, and a client's whims."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec import Struct

from support.assistants import TIME, WEATHER
from wiretape.sandbox.acts import Act, read

CODE = {"type": "code_interpreter"}
SEARCH = {"type": "file_search"}
QUESTIONS = (
    "Hello",
    "The weather in Paris and the time in Rome?",
    "What is the sum of 1, 2 and 3?",
    "Plot the numbers 4 and 5, and save them as a file",
    "Time!",
    "Who likes cake?",
)
GOES_ON = (
    {"say": "A few words, and then some more."},
    {"say": ""},
    {"say": "See here.", "refer": True},
    {"refusal": "I would rather not."},
    {"code": "print(1)\r\nprint(2)", "logs": "1\n2\n", "image": True, "file": "a.csv", "content": "1"},
    {"code": "pass"},
    {"search": "cake"},
    {"call": [{"name": "get_weather"}]},
    {"call": [{"name": "get_weather"}, {"name": "local_time"}, {"name": "other", "arguments": "{no json"}]},
    {"call": [{"name": "local_time", "arguments": {"place": "Rome", "deep": [{"a": None}]}}]},
    {"think": True},
    {"reply": True},
    {"begin": True},
    {"wait_s": 5},
    {"pace_s": 0.3},
    {"use": {"prompt": 3_000, "completion": 20, "cached": 1_024, "reasoning": 8}},
)
ENDINGS = (
    {"fail": "server_error"},
    {"fail": "invalid_prompt", "message": "No."},
    {"incomplete": "max_completion_tokens"},
    {"expire": True},
    {"stall": True},
    {"error": "It broke."},
    {"error": "It broke.", "wrapped": True},
)
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {},
    {"max_completion_tokens": 6},
    {"max_prompt_tokens": 256},
    {"parallel_tool_calls": False},
    {"tool_choice": "none"},
    {"tool_choice": "required"},
    {"tool_choice": {"type": "code_interpreter"}},
    {"truncation_strategy": {"type": "last_messages", "last_messages": 1}},
    {"response_format": {"type": "json_object"}},
    {"reasoning_effort": "high"},
)


class Fate(Struct, frozen=True):
    """One run to be."""

    tools: list[dict[str, Any]]
    question: str
    settings: dict[str, Any]
    acts: tuple[Act, ...] | None
    """None leaves it to the sandbox's mind."""
    cancel_after_s: float | None
    opens_thread: bool


def drawn(seed: int) -> Fate:
    """The run of a seed: a third of them think for themselves, a tenth are cancelled."""
    chance = Random(seed)  # noqa: S311  repeatable on purpose
    acts = None
    if seed % 3:
        told = chance.choices(GOES_ON, k=chance.randint(0, 5)) + chance.choices(ENDINGS, k=chance.random() < 0.4)
        acts = read(told, "acts")
    return Fate(
        tools=chance.sample([WEATHER, TIME, CODE, SEARCH], k=chance.randint(0, 4)),
        question=chance.choice(QUESTIONS),
        settings=chance.choice(SETTINGS),
        acts=acts,
        cancel_after_s=chance.uniform(0, 3) if chance.random() < 0.1 else None,
        opens_thread=chance.random() < 0.5,
    )
