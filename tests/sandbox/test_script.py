from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.assistants import FAST, TIME, WEATHER, Talk, check, path_of, talking, text_of
from wiretape.errors import ConfigError
from wiretape.sandbox.script import Script, load, script
from wiretape.sandbox.state import Sandbox
from wiretape.testing import StepClock

TOLD = """
[[run]]
when = { says = "WEATHER", assistant = "Ada", metadata = { city = "Bonn" } }
acts = [{ say = "Rain in Bonn." }]

[[run]]
when = { model = "slow" }
acts = [{ pace_s = 2 }, { say = "So slow." }]

[[refuse]]
path = "/v1/threads/*/runs"
method = "POST"
status = 429
after = 1
times = 2
type = "requests"
error_code = "rate_limit_exceeded"
message = "Too fast."
retry_after_s = 3
"""


def scripted(tmp_path: Path, text: str, name: str = "script.toml") -> Script:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return load(path)


async def _said(talk: Talk, question: str, name: str, **fields: Any) -> str:
    assistant_id = await talk.assistant(name=name)
    return text_of(await talk.run(assistant_id, question, stream=True, **fields))


async def test_the_first_rule_that_fits_in_all_it_says_gives_the_acts(tmp_path: Path) -> None:
    async with talking(Sandbox(FAST, StepClock(0), scripted(tmp_path, TOLD))) as talk:
        assert await _said(talk, "How is the weather?", "Ada", metadata={"city": "Bonn"}) == "Rain in Bonn."
        assert await _said(talk, "How is the weather?", "Bob", metadata={"city": "Bonn"}) != "Rain in Bonn."
        assert await _said(talk, "How is the weather?", "Ada", metadata={"city": "Rome"}) != "Rain in Bonn."
        assert await _said(talk, "How are you?", "Ada", metadata={"city": "Bonn"}) != "Rain in Bonn."
        assert await _said(talk, "How are you?", "Ada", model="slow") == "So slow."


async def test_metadata_comes_before_the_script(tmp_path: Path) -> None:
    async with talking(Sandbox(FAST, StepClock(0), scripted(tmp_path, TOLD))) as talk:
        metadata = {"city": "Bonn", "sandbox": "say Sun."}
        assert await _said(talk, "The weather?", "Ada", metadata=metadata) == "Sun."


async def test_a_pace_is_kept_between_deltas(tmp_path: Path) -> None:
    async with talking(Sandbox(FAST, StepClock(0), scripted(tmp_path, TOLD))) as talk:
        run = dict(await talk.run(await talk.assistant(model="slow"), "Hi", stream=True))["thread.run.completed"]
    assert run["completed_at"] - run["started_at"] == 2 * len(["So", "slow."])


async def test_requests_are_refused_so_many_times_and_then_let_through(tmp_path: Path) -> None:
    async with talking(Sandbox(FAST, StepClock(0), scripted(tmp_path, TOLD))) as talk:
        assistant_id = await talk.assistant()
        thread = await talk.ask("POST", "/v1/threads", {"messages": [{"role": "user", "content": "Hi"}]})
        seen = []
        for _ in range(4):
            run = await talk.ask("POST", f"/v1/threads/{thread['id']}/runs", {"assistant_id": assistant_id})
            seen.append((talk.status, dict(talk.answers[-1][1]).get("Retry-After")))
            if talk.status == 200:
                await talk.ask("GET", path_of(run))
    assert seen == [(200, None), (429, "3"), (429, "3"), (200, None)]
    refusal = msgspec.json.decode(talk.answers[-3][2])
    assert refusal == {
        "error": {"message": "Too fast.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
    }


async def test_a_refusal_that_is_told_a_status_alone_has_words_of_its_own(tmp_path: Path) -> None:
    script = scripted(tmp_path, "[[refuse]]\nstatus = 429")
    async with talking(Sandbox(FAST, StepClock(0), script)) as talk:
        refused = await talk.ask("GET", "/v1/assistants")
    assert talk.status == 429
    assert refused["error"]["message"] == "The sandbox was told to refuse this."
    assert refused["error"]["type"] == "invalid_request_error"


async def test_each_rule_counts_all_that_fit_it_and_what_it_has_refused() -> None:
    rules = [{"status": 401, "after": 1, "times": 1}, {"status": 402, "times": 2}, {"status": 403, "after": 3}]
    async with talking(Sandbox(FAST, StepClock(0), script({"refuse": rules}))) as talk:
        seen = []
        for _ in range(5):
            await talk.ask("GET", "/v1/assistants")
            seen.append(talk.status)
    assert seen == [402, 401, 402, 403, 403]


async def test_metadata_refuses_a_run_with_any_status() -> None:
    told = '{"refuse": 503, "message": "Busy.", "type": "server_error", "retry_after_s": 1}'
    async with talking() as talk:
        refused = await talk.run(await talk.assistant(), "Hi", metadata={"sandbox": told})
        assert (talk.status, refused["error"]["message"], refused["error"]["type"]) == (503, "Busy.", "server_error")
        assert not talk.sandbox.conversations


async def test_a_rule_refuses_a_run_before_anything_is_made_for_it() -> None:
    rules = script({"run": [{"when": {"says": "busy"}, "acts": [{"refuse": 429, "retry_after_s": 2}]}]})
    async with talking(Sandbox(FAST, StepClock(0), rules)) as talk:
        assistant_id = await talk.assistant()
        await talk.run(assistant_id, "Are you busy?")
        assert (talk.status, dict(talk.answers[-1][1])["Retry-After"]) == (429, "2")
        assert not talk.sandbox.conversations
        thread = await talk.ask("POST", "/v1/threads", {"messages": [{"role": "user", "content": "Busy?"}]})
        more = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "busy"}]
        sent = {"assistant_id": assistant_id}
        refused = await talk.ask("POST", f"/v1/threads/{thread['id']}/runs", sent)
        assert (talk.status, refused["error"]["message"]) == (429, "The sandbox was told to refuse this.")
        await talk.ask("POST", f"/v1/threads/{thread['id']}/runs", {**sent, "additional_messages": more})
        assert talk.status == 200


async def test_acts_go_on_after_the_outputs() -> None:
    told = [{"call": [{"name": "get_weather"}]}, {"call": [{"name": "local_time"}]}, {"say": "Both are known."}]
    async with talking() as talk:
        assistant_id = await talk.assistant(tools=[WEATHER, TIME])
        metadata = {"sandbox": msgspec.json.encode(told).decode()}
        events = await talk.run(assistant_id, "Rome?", stream=True, metadata=metadata)
        names = []
        while events[-2][0] == "thread.run.requires_action":
            check(events)
            paused = events[-2][1]
            calls = paused["required_action"]["submit_tool_outputs"]["tool_calls"]
            names.append([call["function"]["name"] for call in calls])
            sent = {"tool_outputs": [{"tool_call_id": call["id"], "output": "1"} for call in calls], "stream": True}
            events = await talk.ask("POST", f"{path_of(paused)}/submit_tool_outputs", sent)
    check(events)
    assert (names, text_of(events)) == ([["get_weather"], ["local_time"]], "Both are known.")


def test_json_and_toml_say_the_same(tmp_path: Path) -> None:
    told = {"run": [{"when": {"says": "a"}, "acts": [{"say": "b"}]}], "refuse": [{"status": 500}]}
    as_toml = '[[run]]\nwhen = { says = "a" }\nacts = [{ say = "b" }]\n[[refuse]]\nstatus = 500\n'
    as_json = msgspec.json.encode(told).decode()
    assert scripted(tmp_path, as_json, "s.json") == scripted(tmp_path, as_toml) == script(told)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[run]]\nacts = [{ shout = 1 }]", r"script.toml: run\[0\].acts\[0\] is no act"),
        ("[[run]]\nwhen = { says = 1 }", r"run\[0\].when: Expected `str \| null`"),
        ("[[run]]\nwhat = 1", r"run\[0\] has the unknown key what; known are when, acts"),
        ("[[run]]\nwhen = { mood = 'x' }", r"run\[0\].when: .*unknown field `mood`"),
        ("[[refuse]]\nstatus = 200", r">= 400 - at `\$.refuse\[0\].status`"),
        ("runs = 1", "unknown field `runs`"),
        ("[[run", "script.toml: "),
    ],
)
def test_a_mistake_in_a_script_is_named_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        scripted(tmp_path, text)


def test_a_script_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the script .*none.toml: No such file"):
        load(tmp_path / "none.toml")


def test_a_script_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"s.json: "):
        load(tmp_path / "s.json")
