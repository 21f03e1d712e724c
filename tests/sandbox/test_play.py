"""What each act makes of a run: its stream, its steps and messages, its tokens."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp import ClientPayloadError

from support.assistants import FAST, HEADERS, Events, Talk, check, path_of, summed, talking, text_of
from support.orders import START, findings
from wiretape.sandbox.acts import Call, Say, Wanted
from wiretape.sandbox.script import RunRule, Script, When
from wiretape.sandbox.stage import PIECES_MAX
from wiretape.sandbox.state import Sandbox, SandboxOptions
from wiretape.testing import ManualClock, StepClock

CODE = {"type": "code_interpreter"}
SEARCH = {"type": "file_search", "file_search": {"ranking_options": {"score_threshold": 0.5}}}


async def _play(
    talk: Talk, acts: list[dict[str, Any]], question: str = "Hi", effort: str | None = None, **fields: Any
) -> Events:
    """A streamed run that plays these acts; its order is checked on the way."""
    metadata = {"sandbox": msgspec.json.encode(acts).decode()}
    assistant_id = await talk.assistant(tools=[CODE, SEARCH], reasoning_effort=effort)
    events: Events = await talk.run(assistant_id, question, stream=True, metadata=metadata, **fields)
    assert findings(talk.answers[-1][2], START) == []
    return events


def _deltas(events: Events, of: str) -> list[Any]:
    return [data["delta"] for name, data in events if name == f"thread.{of}.delta"]


async def test_code_streams_its_input_and_then_its_outputs() -> None:
    async with talking() as talk:
        events = await _play(talk, [{"code": "a = 1\r\nprint(a)", "logs": "1\n", "image": True}, {"say": "Done."}])
    pieces = [one["step_details"]["tool_calls"][0] for one in _deltas(events, "run.step")]
    assert list(pieces[0]) == ["index", "id", "type", "code_interpreter"]
    assert pieces[0]["code_interpreter"] == {"input": "", "outputs": []}
    assert "".join(one["code_interpreter"].get("input", "") for one in pieces) == "a = 1\r\nprint(a)"
    outputs = pieces[-1]["code_interpreter"]["outputs"]
    assert [(one["index"], one["type"]) for one in outputs] == [(0, "logs"), (1, "image")]
    call = dict(events[:15])["thread.run.step.completed"]["step_details"]["tool_calls"][0]
    assert call["code_interpreter"]["input"] == "a = 1\r\nprint(a)"
    assert call["code_interpreter"]["outputs"][0] == {"type": "logs", "logs": "1\n"}
    assert list(call) == ["id", "type", "code_interpreter"]


async def test_a_message_that_refers_shows_the_picture_first_and_links_the_file() -> None:
    acts = [{"code": "x", "image": True, "file": "y.csv", "content": "1"}, {"say": "Sum is 14 é, see", "refer": True}]
    async with talking() as talk:
        events = await _play(talk, acts)
    parts = dict(events)["thread.message.completed"]["content"]
    assert [part["type"] for part in parts] == ["image_file", "text"]
    mark = parts[1]["text"]["annotations"][0]
    assert list(mark) == ["type", "text", "start_index", "end_index", "file_path"]
    assert parts[1]["text"]["value"][mark["start_index"] : mark["end_index"]] == mark["text"]
    assert mark["text"] == "sandbox:/mnt/data/y.csv"
    streamed = _deltas(events, "message")[-1]["content"][0]["text"]["annotations"][0]
    assert {**streamed, "index": 0} == streamed


async def test_a_link_without_words_before_it_leaves_the_picture_there() -> None:
    acts = [{"code": "x", "image": True, "file": "y.csv"}, {"say": "", "refer": True}]
    async with talking() as talk:
        events = await _play(talk, acts)
    parts = dict(events)["thread.message.completed"]["content"]
    assert [part["type"] for part in parts] == ["image_file", "text"]


async def test_a_search_shows_no_results_in_its_delta() -> None:
    async with talking() as talk:
        events = await _play(talk, [{"search": "cake"}, {"reply": True}])
    delta = _deltas(events, "run.step")[0]["step_details"]["tool_calls"][0]["file_search"]
    assert delta == {"ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.5}, "results": []}
    assert text_of(events).startswith("I have looked in the files")


async def test_a_refusal_is_a_part_of_its_own_kind() -> None:
    async with talking() as talk:
        events = await _play(talk, [{"refusal": "I will not."}])
    assert dict(events)["thread.message.completed"]["content"] == [{"type": "refusal", "refusal": "I will not."}]
    assert "".join(one["content"][0]["refusal"] for one in _deltas(events, "message")) == "I will not."


async def test_arguments_are_sent_as_they_are_told() -> None:
    acts = [{"call": [{"name": "a", "arguments": {"n": 1}}, {"name": "b", "arguments": "{bad"}, {"name": "c"}]}]
    async with talking() as talk:
        events = await _play(talk, acts)
    check(events)
    calls = dict(events)["thread.run.requires_action"]["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [call["function"]["arguments"] for call in calls] == ['{"n":1}', "{bad", "{}"]


@pytest.mark.parametrize("ending", [{"fail": "server_error"}, {"expire": True}, {"incomplete": "max_prompt_tokens"}])
async def test_an_end_finds_the_message_before_it_unfinished(ending: dict[str, Any]) -> None:
    async with talking() as talk:
        events = await _play(talk, [{"say": "Once upon"}, ending])
        between = await _play(talk, [{"say": "Once upon"}, {"wait_s": 0}, ending])
    check(events)
    check(between)
    assert dict(events)["thread.message.incomplete"]["content"][0]["text"]["value"] == "Once upon"
    assert "thread.message.completed" in dict(between)


async def test_a_failure_may_be_told_its_message_and_its_tokens() -> None:
    acts = [{"say": "a"}, {"use": {"prompt": 7, "completion": 3}}, {"fail": "server_error", "message": "Gone."}]
    async with talking() as talk:
        events = await _play(talk, [acts[1], acts[0], acts[2]])
    failed = dict(events)["thread.run.failed"]
    assert failed["last_error"] == {"code": "server_error", "message": "Gone."}
    assert (failed["usage"]["prompt_tokens"], failed["usage"]["total_tokens"]) == (7, 10)


async def test_an_error_event_ends_the_stream_and_the_run_fails_behind_it() -> None:
    async with talking() as talk:
        flat = await _play(talk, [{"say": "Once"}, {"error": "Gone.", "error_code": "x"}])
        run = dict(flat)["thread.run.in_progress"]
        polled = await talk.ask("GET", path_of(run))
        wrapped = await _play(talk, [{"error": "Gone.", "wrapped": True}])
    assert [name for name, _ in flat[-2:]] == ["error", "done"]
    assert list(flat[-2][1].items()) == [
        ("code", "x"), ("message", "Gone."), ("param", None), ("type", "server_error"),
    ]  # fmt: skip
    assert list(wrapped[-2][1]) == ["error"]
    assert wrapped[-2][1]["error"]["message"] == "Gone."
    assert (polled["status"], polled["last_error"]) == ("failed", {"code": "server_error", "message": "Gone."})


async def test_a_cut_tears_the_stream_and_the_run_goes_on() -> None:
    async with talking() as talk:
        told = msgspec.json.encode([{"say": "Once"}, {"cut": True}, {"say": "more"}]).decode()
        thread = {"messages": [{"role": "user", "content": "Hi"}]}
        sent = {"assistant_id": await talk.assistant(), "thread": thread, "stream": True, "metadata": {"sandbox": told}}
        async with talk.client.post("/v1/threads/runs", json=sent, headers=HEADERS) as response:
            with pytest.raises(ClientPayloadError):
                await response.read()
        conversation = next(iter(talk.sandbox.conversations.values()))
        listed = await talk.ask("GET", f"/v1/threads/{conversation.thread.id}/messages")
    assert [part["content"][0]["text"]["value"] for part in listed["data"]] == ["more", "Once", "Hi"]


async def test_completion_tokens_are_bounded_over_the_whole_run() -> None:
    """Captured: ruby-openai, runs_streamed_create.yml: 16 tokens, an incomplete message, a completed step."""
    async with talking() as talk:
        events = await _play(talk, [{"say": "one two "}, {"say": "three four five six"}], max_completion_tokens=4)
    check_shape = [name for name, _ in events[-4:]]
    assert check_shape == [
        "thread.message.incomplete", "thread.run.step.completed", "thread.run.incomplete", "done",
    ]  # fmt: skip
    run = events[-2][1]
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert run["usage"]["completion_tokens"] <= 4
    assert dict(events)["thread.message.incomplete"]["incomplete_details"] == {"reason": "max_tokens"}
    assert dict(events)["thread.message.incomplete"]["content"][0]["text"]["value"] == "three"


@pytest.mark.parametrize(
    ("acts", "fields"),
    [
        ([{"refusal": "I would much rather not say anything about this."}], {}),
        ([{"code": "", "file": "a-very-long-name.csv"}, {"say": "one two", "refer": True}], {}),
        ([{"say": "one two three"}], {"effort": "high"}),
    ],
)
async def test_all_that_a_message_costs_counts_for_the_bound(acts: list[dict[str, Any]], fields: Any) -> None:
    async with talking() as talk:
        events = await _play(talk, acts, max_completion_tokens=8, **fields)
    run = dict(events)["thread.run.incomplete"]
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert run["usage"]["completion_tokens"] <= 8


@pytest.mark.parametrize("act", [{"call": [{"name": "get_weather"}]}, {"code": "print(1)"}])
async def test_a_call_that_does_not_fit_the_bound_is_not_made(act: dict[str, Any]) -> None:
    async with talking() as talk:
        events = await _play(talk, [{"say": "Wait."}, act, {"say": "never"}], max_completion_tokens=3)
        fitting = await _play(talk, [act], max_completion_tokens=4)
    run = dict(events)["thread.run.incomplete"]
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert run["usage"]["completion_tokens"] == 2
    assert "thread.run.step.delta" not in dict(events)
    assert "thread.run.step.delta" in dict(fitting)


async def test_prompt_tokens_are_bounded_over_all_turns() -> None:
    async with talking() as talk:
        events = await _play(talk, [{"say": "a"}, {"say": "never"}], "a" * 400, max_prompt_tokens=256)
    run = dict(events)["thread.run.incomplete"]
    assert run["incomplete_details"] == {"reason": "max_prompt_tokens"}
    assert run["usage"]["prompt_tokens"] <= 256
    assert events[-3][0] == "thread.run.step.completed"


async def _prompt(talk: Talk, texts: list[str], **fields: Any) -> tuple[int, str]:
    """The tokens that a run reads of these messages, and what it answers."""
    messages = [{"role": "user", "content": text} for text in texts]
    sent = {"assistant_id": await talk.assistant(), "thread": {"messages": messages}, "stream": True, **fields}
    events = await talk.ask("POST", "/v1/threads/runs", sent)
    return dict(events)["thread.run.completed"]["usage"]["prompt_tokens"], text_of(events)


async def test_truncation_reads_the_last_messages_only() -> None:
    async with talking() as talk:
        whole, _ = await _prompt(talk, ["a" * 400, "b" * 400, "Who?"])
        last, _ = await _prompt(
            talk, ["a" * 400, "b" * 400, "Who?"], truncation_strategy={"type": "last_messages", "last_messages": 2}
        )
        fitted, said = await _prompt(talk, ["a" * 4_000, "b" * 400, "Who?"], max_prompt_tokens=256)
    assert (whole - last, last - fitted) == (100, 0)
    assert "Who?" in said


async def test_reasoning_tokens_are_among_the_completions() -> None:
    async with talking() as talk:
        plain = dict(await _play(talk, [{"say": "Hello"}]))["thread.run.completed"]["usage"]
        thought = dict(await _play(talk, [{"say": "Hello"}], effort="low"))["thread.run.completed"]["usage"]
    assert thought["completion_tokens_details"] == {"reasoning_tokens": 16}
    assert thought["completion_tokens"] - plain["completion_tokens"] == 16


async def test_usage_is_told_once_for_the_next_step() -> None:
    spent = {"prompt": 2_000, "completion": 9, "cached": 1_000, "reasoning": 4}
    async with talking() as talk:
        events = await _play(talk, [{"use": spent}, {"say": "a"}, {"say": "b"}])
    steps = [data["usage"] for name, data in events if name == "thread.run.step.completed"]
    assert steps[0] == {
        "prompt_tokens": 2_000,
        "completion_tokens": 9,
        "total_tokens": 2_009,
        "prompt_token_details": {"cached_tokens": 1_000},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert steps[1]["prompt_tokens"] < 100
    total = dict(events)["thread.run.completed"]["usage"]
    assert total["total_tokens"] == steps[0]["total_tokens"] + steps[1]["total_tokens"]
    assert total["completion_tokens_details"] == {"reasoning_tokens": 4}


async def test_every_step_adds_up() -> None:
    acts = [{"code": "a", "logs": "1"}, {"search": "x"}, {"say": "b"}, {"reply": True}]
    async with talking() as talk:
        events = await _play(talk, acts)
    steps = [data["usage"] for name, data in events if name == "thread.run.step.completed"]
    assert len(steps) == 4
    assert dict(events)["thread.run.completed"]["usage"] == summed(steps)


async def test_a_stall_in_mid_message_waits_for_a_cancel() -> None:
    clock = ManualClock()
    async with talking(Sandbox(FAST, clock)) as talk:
        told = '[{"say":"Once"},{"stall":true},{"say":"never"}]'
        run = await talk.run(await talk.assistant(), "Hi", metadata={"sandbox": told})
        clock.advance(500)
        waiting = await talk.ask("GET", path_of(run))
        await talk.ask("POST", f"{path_of(run)}/cancel")
        ended = await talk.ask("GET", path_of(run))
    assert (waiting["status"], ended["status"]) == ("in_progress", "cancelled")


async def test_waiting_takes_time() -> None:
    options = SandboxOptions(pace_s=0, queue_s=0)
    async with talking(Sandbox(options, StepClock(0))) as talk:
        run = dict(await _play(talk, [{"wait_s": 30}, {"say": "late"}]))["thread.run.completed"]
    assert run["completed_at"] - run["created_at"] == 30


@pytest.mark.parametrize(
    "form",
    [
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {}}}},
    ],
)
async def test_json_is_answered_where_it_is_asked_for(form: dict[str, Any]) -> None:
    async with talking() as talk:
        events = await talk.run(await talk.assistant(), "Write some JSON for me!", stream=True, response_format=form)
    check(events)
    assert isinstance(msgspec.json.decode(text_of(events)), dict)


async def test_a_run_fails_where_its_schema_allows_nothing() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"not": {}}}}
    async with talking() as talk:
        events = await talk.run(await talk.assistant(), "JSON!", stream=True, response_format=form)
    check(events)
    assert "response_format" in dict(events)["thread.run.failed"]["last_error"]["message"]


async def test_a_long_text_is_streamed_in_so_many_deltas_and_is_whole() -> None:
    words, arguments = " word" * (3 * PIECES_MAX), "12345678" * (2 * PIECES_MAX)
    rules = Script((RunRule(When(), (Say(words), Call((Wanted("f", arguments),)))),))
    async with talking(Sandbox(FAST, StepClock(0), rules)) as talk:
        events = await talk.run(await talk.assistant(), "Hi", stream=True)
    assert len(_deltas(events, "message")) == PIECES_MAX
    assert text_of(events) == words
    action = dict(events)["thread.run.requires_action"]["required_action"]
    assert action["submit_tool_outputs"]["tool_calls"][0]["function"]["arguments"] == arguments
    assert len(_deltas(events, "run.step")) == PIECES_MAX + 1
    check(events)
