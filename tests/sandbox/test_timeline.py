from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.assistants import TIME, WEATHER, check, parsed, summed, talking
from wiretape.sandbox.stage import pieces
from wiretape.sandbox.state import Sandbox, SandboxOptions
from wiretape.sandbox.work import Usage, tokens
from wiretape.testing import StepClock

QUESTIONS = ("Hello", "The weather in Paris and the time in Rome?", "What is new?", "Time!")


@pytest.mark.parametrize("seed", range(24))
async def test_every_seed_keeps_the_grammar_and_the_sums(seed: int) -> None:
    clock = StepClock(step_s=0.003 * (seed % 3))
    async with talking(Sandbox(SandboxOptions(seed=seed, pace_s=0.001 * (seed % 2), queue_s=0.1), clock)) as talk:
        assistant_id = await talk.assistant(tools=[WEATHER, TIME])
        events = await talk.run(assistant_id, QUESTIONS[seed % 4], stream=True)
        check(events)
        name, last = events[-2]
        if name == "thread.run.requires_action":
            calls = last["required_action"]["submit_tool_outputs"]["tool_calls"]
            sent = {"tool_outputs": [{"tool_call_id": call["id"], "output": "ok"} for call in calls], "stream": True}
            path = f"/v1/threads/{last['thread_id']}/runs/{last['id']}/submit_tool_outputs"
            events = await talk.ask("POST", path, sent)
            check(events)
    used = [data["usage"] for name, data in events if name == "thread.run.step.completed"]
    assert events[-2][1]["usage"] == summed(used)


@given(st.text())
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_usages_add_up_in_every_field() -> None:
    assert tokens(1_200, 5, 1_152) + tokens(10, 2) == tokens(1_210, 7, 1_152)
    assert Usage() + Usage() == Usage()


async def test_a_long_prompt_is_cached_in_blocks() -> None:
    async with talking() as talk:
        events = await talk.run(await talk.assistant(instructions="a" * 4_800), "Hello", stream=True)
    assert dict(events)["thread.run.completed"]["usage"]["prompt_token_details"] == {"cached_tokens": 1_152}


def test_parsed_takes_only_the_plain_form_of_an_event() -> None:
    with pytest.raises((AssertionError, AttributeError)):
        parsed(b"data: {}\n\n")
