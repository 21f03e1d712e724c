from __future__ import annotations

import asyncio
import re

import pytest
from aiohttp import ClientPayloadError, web
from aiohttp.test_utils import make_mocked_request

from support.assistants import FAST, HEADERS, TIME, WEATHER, Talk, check, path_of, summed, talking, text_of
from support.raw import exchange
from wiretape.sandbox.server import in_api_words
from wiretape.sandbox.state import Sandbox, SandboxOptions
from wiretape.testing import ManualClock, StepClock

RUN_KEYS = (
    "id object created_at assistant_id thread_id status started_at expires_at cancelled_at failed_at completed_at "
    "required_action last_error model instructions tools tool_resources metadata temperature top_p reasoning_effort "
    "max_completion_tokens max_prompt_tokens truncation_strategy incomplete_details usage response_format "
    "tool_choice parallel_tool_calls"
)
STEP_KEYS = (
    "id object created_at run_id assistant_id thread_id type status cancelled_at completed_at expires_at failed_at "
    "last_error step_details usage"
)
MESSAGE_KEYS = (
    "id object created_at assistant_id thread_id run_id status incomplete_details incomplete_at completed_at role "
    "content attachments metadata"
)
PLAIN_KEYS = "id object created_at assistant_id thread_id run_id role content attachments metadata"
ASSISTANT_KEYS = (
    "id object created_at name description model instructions tools top_p temperature reasoning_effort "
    "tool_resources metadata response_format"
)
USAGE_KEYS = "prompt_tokens completion_tokens total_tokens prompt_token_details completion_tokens_details"


async def test_objects_of_a_stream_have_the_keys_of_the_wire_in_its_order() -> None:
    async with talking() as talk:
        events = dict(await talk.run(await talk.assistant(), "Hello", stream=True))
    assert " ".join(events["thread.created"]) == "id object created_at metadata tool_resources"
    assert " ".join(events["thread.run.completed"]) == RUN_KEYS
    assert " ".join(events["thread.run.completed"]["usage"]) == USAGE_KEYS
    assert " ".join(events["thread.run.step.completed"]) == STEP_KEYS
    assert " ".join(events["thread.message.completed"]) == MESSAGE_KEYS


async def test_objects_of_json_answers_have_the_keys_of_the_wire_in_its_order() -> None:
    async with talking() as talk:
        created = await talk.ask("POST", "/v1/assistants", {"model": "gpt-4o"})
        run = await talk.run(created["id"], "Hello")
        polled = await talk.ask("GET", path_of(run))
        steps = await talk.ask("GET", f"{path_of(run)}/steps")
        messages = await talk.ask("GET", f"/v1/threads/{run['thread_id']}/messages")
    assert " ".join(created) == ASSISTANT_KEYS
    assert " ".join(run) == " ".join(polled) == RUN_KEYS
    assert " ".join(steps) == " ".join(messages) == "object data first_id last_id has_more"
    assert " ".join(steps["data"][0]) == STEP_KEYS
    assert steps["data"][0]["expires_at"] is None
    assert {" ".join(message) for message in messages["data"]} == {PLAIN_KEYS}


async def test_json_is_indented_by_two_spaces_without_a_final_newline() -> None:
    async with talking() as talk:
        thread = await talk.ask("POST", "/v1/threads")
    body = (
        f'{{\n  "id": "{thread["id"]}",\n  "object": "thread",\n  "created_at": 1767225600,\n'
        '  "metadata": {},\n  "tool_resources": {}\n}'
    )
    assert talk.answers[-1][2].decode() == body


async def test_answers_carry_the_headers_of_the_wire() -> None:
    async with talking() as talk:
        await talk.run(await talk.assistant(), "Hello", stream=True)
    for (_, pairs, _), content_type in zip(
        talk.answers, ("application/json", "text/event-stream; charset=utf-8"), strict=True
    ):
        headers = {name.lower(): value for name, value in pairs}
        assert headers["content-type"] == content_type
        assert headers["openai-version"] == "2020-10-01"
        assert headers["openai-processing-ms"].isdigit()
        assert re.fullmatch(r"req_[0-9a-f]{32}", headers["x-request-id"])
        assert headers["date"] == "Thu, 01 Jan 2026 00:00:00 GMT"


async def test_a_text_run_streams_the_grammar_and_its_usage_adds_up() -> None:
    async with talking() as talk:
        events = await talk.run(await talk.assistant(instructions="Be brief."), "Why is the sky blue?", stream=True)
    check(events)
    steps = [data["usage"] for name, data in events if name == "thread.run.step.completed"]
    run = dict(events)["thread.run.completed"]
    assert run["usage"] == summed(steps)
    assert run["usage"]["total_tokens"] == run["usage"]["prompt_tokens"] + run["usage"]["completion_tokens"] > 0
    assert run["expires_at"] is None
    assert "Why is the sky blue?" in text_of(events)


async def test_a_tool_run_pauses_and_goes_on_with_the_outputs() -> None:
    clock = ManualClock()
    async with talking(Sandbox(FAST, clock)) as talk:
        assistant_id = await talk.assistant(tools=[WEATHER, TIME])
        first = await talk.run(assistant_id, "Will the weather in Paris be fine at this time?", stream=True)
        paused = dict(first)["thread.run.requires_action"]
        calls = paused["required_action"]["submit_tool_outputs"]["tool_calls"]
        open_step = (await talk.ask("GET", f"{path_of(paused)}/steps"))["data"][0]
        clock.advance(9)
        outputs = [{"tool_call_id": call["id"], "output": f"answer {n}"} for n, call in enumerate(calls)]
        second = await talk.ask(
            "POST", f"{path_of(paused)}/submit_tool_outputs", {"tool_outputs": outputs, "stream": True}
        )
    check(first)
    check(second)
    assert [call["function"] for call in calls] == [
        {"name": "get_weather", "arguments": '{"city":"Paris"}'},
        {"name": "local_time", "arguments": '{"place":"Paris"}'},
    ]
    assert [call["function"]["output"] for call in open_step["step_details"]["tool_calls"]] == [None, None]
    closed = second[0][1]
    assert [call["function"]["output"] for call in closed["step_details"]["tool_calls"]] == ["answer 0", "answer 1"]
    steps = [data["usage"] for name, data in second if name == "thread.run.step.completed"]
    done = dict(second)["thread.run.completed"]
    assert done["usage"] == summed(steps)
    assert [dict(second)[f"thread.run.{name}"]["started_at"] for name in ("queued", "in_progress")] == [
        1767225600,
        1767225609,
    ]
    assert "answer 0" in text_of(second)
    assert "answer 1" in text_of(second)


async def test_without_parallel_tool_calls_only_one_is_asked_for() -> None:
    async with talking() as talk:
        assistant_id = await talk.assistant(tools=[WEATHER, TIME])
        events = await talk.run(assistant_id, "Weather and time?", stream=True, parallel_tool_calls=False)
    action = dict(events)["thread.run.requires_action"]["required_action"]
    assert len(action["submit_tool_outputs"]["tool_calls"]) == 1


@pytest.mark.parametrize(
    ("fate", "status", "step", "reason"),
    [
        ("fail server_error", "failed", "failed", "run_failed"),
        ("fail rate_limit_exceeded", "failed", "failed", "run_failed"),
        ("fail invalid_prompt", "failed", "failed", "run_failed"),
        ("incomplete max_completion_tokens", "incomplete", "completed", "max_tokens"),
        ("incomplete max_prompt_tokens", "incomplete", "completed", "max_tokens"),
        ("expire", "expired", "expired", "run_expired"),
    ],
)
async def test_a_fate_ends_the_run_as_it_says(fate: str, status: str, step: str, reason: str) -> None:
    async with talking() as talk:
        events = await talk.run(await talk.assistant(), "Hello", stream=True, metadata={"sandbox": fate})
    check(events)
    last = dict(events)
    assert last[f"thread.run.{status}"]["status"] == status
    assert last[f"thread.run.step.{step}"]["status"] == step
    assert last["thread.message.incomplete"]["incomplete_details"] == {"reason": reason}
    assert last[f"thread.run.{status}"]["usage"] == summed([last[f"thread.run.step.{step}"]["usage"]])


async def test_say_writes_the_text_and_calls_no_tool() -> None:
    async with talking() as talk:
        metadata = {"sandbox": "say Good  morning,\nParis. "}
        events = await talk.run(await talk.assistant(tools=[WEATHER]), "weather", stream=True, metadata=metadata)
    check(events)
    assert text_of(events) == "Good  morning,\nParis. "


async def test_an_unknown_fate_is_refused_with_the_known_ones() -> None:
    async with talking() as talk:
        refused = await talk.run(await talk.assistant(), "Hello", metadata={"sandbox": "explode"})
        threads = talk.answers
    assert talk.status == 400
    assert "stall" in refused["error"]["message"]
    assert refused["error"]["param"] == "metadata.sandbox"
    assert len(threads) == 2


async def test_a_stream_waits_for_each_delta() -> None:
    clock = ManualClock()
    async with talking(Sandbox(SandboxOptions(pace_s=1, queue_s=5), clock)) as talk:
        assistant_id = await talk.assistant(instructions="Be brief.")
        async with talk.client.post(
            "/v1/threads/runs",
            json={"assistant_id": assistant_id, "stream": True, "metadata": {"sandbox": "say a b"}},
            headers=HEADERS,
        ) as response:
            assert await _names(response.content, 3) == ["thread.created", "thread.run.created", "thread.run.queued"]
            clock.advance(5)
            assert (await _names(response.content, 5))[0] == "thread.run.in_progress"
            clock.advance(1)
            assert await _names(response.content, 1) == ["thread.message.delta"]
            clock.advance(1)
            assert (await _names(response.content, 5))[-1] == "done"


async def test_a_cancel_ends_an_open_stream() -> None:
    clock = ManualClock()
    async with talking(Sandbox(SandboxOptions(pace_s=1, queue_s=0), clock)) as talk:
        assistant_id = await talk.assistant(instructions="Be brief.")
        sent = {"assistant_id": assistant_id, "stream": True, "metadata": {"sandbox": "say a b"}}
        async with talk.client.post("/v1/threads/runs", json=sent, headers=HEADERS) as response:
            await _names(response.content, 8)
            clock.advance(1)
            await _names(response.content, 1)
            thread_id, run = _only_run(talk)
            cancelled = await talk.ask("POST", f"/v1/threads/{thread_id}/runs/{run}/cancel")
            seen = await _names(response.content, 3)
            clock.advance(1)
            seen += await _names(response.content, 2)
        polled = await talk.ask("GET", f"/v1/threads/{thread_id}/runs/{run}")
    assert cancelled["status"] == "cancelling"
    assert seen == [
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelling",
        "thread.run.cancelled",
        "done",
    ]
    assert polled["status"] == "cancelled"
    assert polled["cancelled_at"] == 1767225602


async def test_a_dropped_connection_does_not_cancel_the_run() -> None:
    clock = ManualClock()
    async with talking(Sandbox(SandboxOptions(pace_s=1, queue_s=0), clock)) as talk:
        sent: dict[str, object] = {
            "assistant_id": await talk.assistant(instructions="."),
            "stream": True,
            "metadata": {"sandbox": "say a b"},
        }
        async with talk.client.post("/v1/threads/runs", json=sent, headers=HEADERS) as response:
            await _names(response.content, 2)
            response.close()
        thread_id, run = _only_run(talk)
        clock.advance(1)
        await asyncio.sleep(0)
        clock.advance(1)
        polled = await talk.ask("GET", f"/v1/threads/{thread_id}/runs/{run}")
    assert polled["status"] == "completed"


async def test_a_stalled_run_expires_after_ten_minutes() -> None:
    async with talking(Sandbox(FAST, StepClock(step_s=0))) as talk:
        events = await talk.run(await talk.assistant(), "Hello", stream=True, metadata={"sandbox": "stall"})
    check(events)
    expired = dict(events)["thread.run.expired"]
    assert expired["expires_at"] == expired["created_at"] + 600


async def test_a_stop_cuts_an_open_stream_without_a_clean_end() -> None:
    clock = ManualClock()
    async with talking(Sandbox(FAST, clock)) as talk:
        sent: dict[str, object] = {
            "assistant_id": await talk.assistant(instructions="."),
            "stream": True,
            "metadata": {"sandbox": "stall"},
        }
        async with talk.client.post("/v1/threads/runs", json=sent, headers=HEADERS) as response:
            await _names(response.content, 4)
            await talk.client.server.close()
            with pytest.raises(ClientPayloadError):
                await response.read()


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, None),
        ({"Authorization": "Basic abc", "OpenAI-Beta": "assistants=v2"}, 401, None),
        ({"Authorization": "Bearer ", "OpenAI-Beta": "assistants=v2"}, 401, None),
        ({"Authorization": "Bearer k"}, 400, "invalid_beta"),
        ({"Authorization": "Bearer k", "OpenAI-Beta": "assistants=v1"}, 400, "invalid_beta"),
    ],
)
async def test_who_may_not_ask_is_refused(headers: dict[str, str], status: int, code: str | None) -> None:
    async with talking() as talk:
        refused = await talk.ask("GET", "/v1/assistants", headers=headers or {"x": "y"})
    assert talk.status == status
    assert list(refused["error"]) == ["message", "type", "param", "code"]
    assert refused["error"]["code"] == code


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/models", 404, "Invalid URL (GET /v1/models)"),
        ("GET", "/", 404, "Invalid URL (GET /)"),
        ("GET", "/v1/threads/thread_x", 404, "No thread found with id 'thread_x'."),
        ("PUT", "/v1/threads", 405, "Invalid method for URL (PUT /v1/threads)"),
        ("GET", "/v1/assistants/asst_x", 404, "No assistant found with id 'asst_x'."),
        ("POST", "/v1/threads/thread_x", 404, "No thread found with id 'thread_x'."),
        ("GET", "/v1/threads/thread_x/runs/run_x", 404, "No thread found with id 'thread_x'."),
    ],
)
async def test_what_is_not_there_is_refused_in_the_apis_words(
    method: str, path: str, status: int, message: str
) -> None:
    async with talking() as talk:
        refused = await talk.ask(method, path)
    assert (talk.status, refused["error"]["message"]) == (status, message)


def test_any_other_refusal_of_the_framework_keeps_its_status() -> None:
    refused = in_api_words(web.HTTPUnsupportedMediaType(), make_mocked_request("GET", "/"), SandboxOptions())
    assert (refused.status, refused.body.error.message) == (415, "Unsupported Media Type")


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (b"/v1/files", b"Authorization: Bearer \xff\xfe", 200),
        (b"/v1/files", b"Authorization: Bearer any\r\nContent-Type: text/\xff", 400),
        (b"/v1/threads", b"Authorization: Bearer any\r\nOpenAI-Beta: assistants=v2\r\nContent-Type: text/\xff", 400),
    ],
)
async def test_a_header_that_is_no_text_is_answered(path: bytes, headers: bytes, status: int) -> None:
    async with talking() as talk:
        method = b"GET" if status == 200 else b"POST"
        head = b"Host: x\r\nContent-Length: 2\r\nConnection: close\r\n%b" % headers
        request = b"%b %b HTTP/1.1\r\n%b\r\n\r\n{}" % (method, path, head)
        answer = await exchange(str(talk.client.make_url("")).rstrip("/"), request)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert (rb"text/\\xff" in answer) is (status == 400)


async def test_a_body_over_the_bound_is_refused() -> None:
    async with talking(Sandbox(SandboxOptions(body_bytes_max=100), StepClock(0))) as talk:
        refused = await talk.ask("POST", "/v1/assistants", {"model": "m" * 200})
    assert talk.status == 413
    assert "body_bytes_max, 100 bytes" in refused["error"]["message"]


async def test_a_body_that_is_not_encoded_as_its_headers_say_is_refused() -> None:
    async with talking() as talk:
        refused = await talk.ask("POST", "/v1/threads", {}, headers={**HEADERS, "Content-Encoding": "gzip"})
    assert talk.status == 400
    assert refused["error"]["type"] == "invalid_request_error"


async def test_same_seed_same_requests_same_clock_give_the_same_bytes() -> None:
    assert await _conversation(seed=7) == await _conversation(seed=7)
    assert await _conversation(seed=7) != await _conversation(seed=8)


async def _conversation(seed: int) -> list[tuple[int, list[tuple[str, str]], bytes]]:
    async with talking(Sandbox(SandboxOptions(seed=seed), StepClock(step_s=0.01))) as talk:
        assistant_id = await talk.assistant(tools=[WEATHER])
        await talk.run(assistant_id, "Tell me a story", stream=True)
        paused = dict(await talk.run(assistant_id, "Weather in Oslo?", stream=True))["thread.run.requires_action"]
        calls = paused["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": "snow"} for call in calls]
        await talk.ask("POST", f"{path_of(paused)}/submit_tool_outputs", {"tool_outputs": outputs, "stream": True})
        run = await talk.run(assistant_id, "Hello")
        for _ in range(5):
            await talk.ask("GET", path_of(run))
        await talk.ask("GET", "/v1/nowhere")
    return talk.answers


async def test_many_runs_stream_at_once() -> None:
    async with talking(Sandbox(SandboxOptions(pace_s=0, queue_s=0.1), StepClock(step_s=0))) as talk:
        assistant_id = await talk.assistant()
        streams = await asyncio.gather(*(talk.run(assistant_id, f"Question {n}", stream=True) for n in range(40)))
    for events in streams:
        check(events)
    assert len({dict(events)["thread.created"]["id"] for events in streams}) == 40


async def _names(content: object, count: int) -> list[str]:
    names: list[str] = []
    while len(names) < count:
        line = (await content.readline()).decode()  # type: ignore[attr-defined]
        if line.startswith("event: "):
            names.append(line[7:].strip())
    while (await content.readline()).strip():  # type: ignore[attr-defined]
        pass
    return names


def _only_run(talk: Talk) -> tuple[str, str]:
    conversation = next(iter(talk.sandbox.conversations.values()))
    return conversation.thread.id, next(iter(conversation.runs))
