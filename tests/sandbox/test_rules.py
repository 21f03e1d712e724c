"""Rules that look at what there is, and answers that differ by endpoint: each as it was captured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.assistants import FAST, WEATHER, path_of, talking
from support.corpora import recorded
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.state import Sandbox
from wiretape.testing import ManualClock, StepClock

NO_FILES = {"code_interpreter": {"file_ids": []}}
CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
GROUNDLESS = "Run creation requires a Thread with a user message or an assistant with instructions."


def _user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("messages", "assistant", "run", "status"),
    [
        ([], {}, {}, 400),
        ([{"role": "assistant", "content": "Hi"}], {}, {}, 400),
        ([_user("Hi")], {}, {}, 200),
        ([], {"instructions": "Be kind."}, {}, 200),
        ([], {}, {"instructions": "Be kind."}, 200),
        ([], {}, {"additional_messages": [_user("Hi")]}, 200),
    ],
)
async def test_a_run_needs_a_user_message_or_instructions(
    messages: list[Any], assistant: dict[str, Any], run: dict[str, Any], status: int
) -> None:
    async with talking() as talk:
        thread = await talk.ask("POST", "/v1/threads", {"messages": messages})
        sent = {"assistant_id": await talk.assistant(**assistant), **run}
        answer = await talk.ask("POST", f"/v1/threads/{thread['id']}/runs", sent)
    assert talk.status == status
    assert status == 200 or (answer["error"]["message"], answer["error"]["code"]) == (GROUNDLESS, "invalid_thread")


async def test_a_run_without_grounds_makes_no_thread() -> None:
    async with talking() as talk:
        refused = await talk.ask("POST", "/v1/threads/runs", {"assistant_id": await talk.assistant()})
    assert refused["error"]["message"] == GROUNDLESS
    assert not talk.sandbox.conversations


async def test_a_run_at_work_cannot_be_modified() -> None:
    """`in_progress` is captured (runs_modify.yml), `queued` quoted; a completed run was modified (@d383f170)."""
    clock, seen = ManualClock(), []
    async with talking(Sandbox(SandboxOptions(pace_s=1, queue_s=1), clock)) as talk:
        run = await talk.run(await talk.assistant(), "Hello", metadata={"sandbox": "say a b"})
        for wait_s in (0, 1, 9):
            clock.advance(wait_s)
            seen.append(await talk.ask("POST", path_of(run), {"metadata": {"n": "1"}}))
    assert [one["error"]["message"] for one in seen[:2]] == [
        "Cannot update run with status 'queued'.",
        "Cannot update run with status 'in_progress'.",
    ]
    assert (seen[2]["status"], seen[2]["metadata"]) == ("completed", {"n": "1"})


async def test_outputs_are_bounded_together() -> None:
    """The words: VRSEN/agency-swarm-lab#39; of a single output: microsoft/semantic-kernel#12814."""
    async with talking() as talk:
        run = await talk.run(await talk.assistant(tools=[WEATHER]), "Weather in Paris?")
        paused = await talk.ask("GET", path_of(run))
        call = paused["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
        outputs = {"tool_outputs": [{"tool_call_id": call, "output": "o" * (512 << 10)}]}
        refused = await talk.ask("POST", f"{path_of(run)}/submit_tool_outputs", outputs)
        outputs["tool_outputs"][0]["output"] = "o" * ((512 << 10) - 1)
        taken = await talk.ask("POST", f"{path_of(run)}/submit_tool_outputs", outputs)
    assert refused["error"] == {
        "message": "'tool_outputs' too large: the combined tool outputs must be less than 512kb.",
        "type": "invalid_request_error",
        "param": "tool_outputs",
        "code": "invalid_value",
    }
    assert taken["status"] == "queued"


@pytest.mark.parametrize("name", ["include[]", "include%5B%5D"])
async def test_only_what_can_be_included_is(name: str) -> None:
    async with talking() as talk:
        run = await talk.run(await talk.assistant(), "Hello")
        steps = f"{path_of(run)}/steps"
        listed = await talk.ask("GET", f"{steps}?{name}={CONTENT}")
        refusals = [
            await talk.ask("GET", f"{steps}?{name}={CONTENT}&{name}=all"),
            await talk.ask("GET", f"{steps}/{listed['first_id']}?{name}=x&{name}=all"),
            await talk.ask("POST", f"{steps.removesuffix(run['id'] + '/steps')[:-1]}?{name}=all", {}),
        ]
    assert [one["error"]["param"] for one in refusals] == ["include[1]", "include[0]", "include[0]"]
    message = f"Invalid value: 'all'. Supported values are: '{CONTENT}'."
    assert (refusals[0]["error"]["code"], refusals[0]["error"]["message"]) == ("invalid_value", message)


async def test_threads_and_runs_have_resources_in_streams_and_read_threads_only() -> None:
    streamed, plain, read = _captured_resources()
    assert (streamed, plain, read) == ({json.dumps(NO_FILES)}, {"{}"}, {json.dumps(NO_FILES)})
    async with talking() as talk:
        events = dict(await talk.run(assistant_id := await talk.assistant(), "Hello", stream=True))
        run = await talk.run(assistant_id, "Hello")
        thread = await talk.ask("GET", f"/v1/threads/{run['thread_id']}")
        made = await talk.ask("POST", f"/v1/threads/{run['thread_id']}", {})
    for name in ("thread.created", "thread.run.queued", "thread.run.completed"):
        assert events[name]["tool_resources"] == NO_FILES
    assert thread["tool_resources"] == NO_FILES
    assert run["tool_resources"] == made["tool_resources"] == {}


def _captured_resources() -> tuple[set[str], set[str], set[str]]:
    """The `tool_resources` of all captured objects of version 2: in streams, of runs as JSON, of threads read."""
    streamed, plain, read = set(), set(), set()
    for one in recorded():
        for found in _objects(one.body.decode()) if one.streamed else ():
            streamed.add(json.dumps(found["tool_resources"]))
        answer = json.loads(one.body) if one.status == 200 and not one.streamed else {}
        if "tool_resources" not in answer:
            continue
        if answer["object"] == "thread.run":
            plain.add(json.dumps(answer["tool_resources"]))
        if answer["object"] == "thread" and one.method == "GET":
            read.add(json.dumps(answer["tool_resources"]))
    return streamed, plain, read


def _objects(stream: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: {")]
    return [found for line in lines if "tool_resources" in (found := json.loads(line))]


async def test_a_modified_message_is_answered_with_file_ids() -> None:
    modified = [
        one for one in recorded() if one.method == "POST" and "/messages/msg_" in one.target and one.status == 200
    ]
    assert {("file_ids" in json.loads(one.body), "attachments" in json.loads(one.body)) for one in modified} == {
        (True, False)
    }
    async with talking() as talk:
        file_id = await talk.upload("Hi")
        attached = {"attachments": [{"file_id": file_id, "tools": [{"type": "file_search"}]}]}
        thread = await talk.ask("POST", "/v1/threads", {"messages": [{**_user("Hi"), **attached}]})
        messages = f"/v1/threads/{thread['id']}/messages"
        message = (await talk.ask("GET", messages))["data"][0]
        answer = await talk.ask("POST", f"{messages}/{message['id']}", {"metadata": {"n": "1"}})
    assert message["attachments"] == attached["attachments"]
    assert " ".join(answer) == "id object created_at assistant_id thread_id run_id role content file_ids metadata"
    assert answer["file_ids"] == [file_id]


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ({"type": "code_interpreter"}, {"type": "code_interpreter"}),
        (
            # openai-dotnet's StreamingToolCall().json
            {"type": "function", "function": {"description": "d", "name": "f"}},
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "d",
                    "parameters": {"type": "object", "properties": {}},
                    "strict": False,
                },
            },
        ),
        (
            # openai-dotnet's FileSearchStreamingWorks.json
            {"type": "file_search", "file_search": {}},
            {
                "type": "file_search",
                "file_search": {
                    "ranking_options": {
                        "ranker": "default_2024_08_21",
                        "score_threshold": 0.0,
                        "hybrid_search": None,
                    }
                },
            },
        ),
        (
            # openai-dotnet's FileSearchWorks.json
            {
                "type": "file_search",
                "file_search": {
                    "max_num_results": 2,
                    "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.5},
                },
            },
            {
                "type": "file_search",
                "file_search": {
                    "max_num_results": 2,
                    "ranking_options": {
                        "ranker": "default_2024_08_21",
                        "score_threshold": 0.5,
                        "hybrid_search": None,
                    },
                },
            },
        ),
    ],
)
async def test_tools_are_answered_with_what_was_left_out(sent: dict[str, Any], answered: dict[str, Any]) -> None:
    async with talking(Sandbox(FAST, StepClock(0))) as talk:
        created = await talk.ask("POST", "/v1/assistants", {"model": "m", "tools": [sent]})
        echoed = await talk.ask("POST", f"/v1/assistants/{created['id']}", {"tools": created["tools"]})
    assert json.dumps(created["tools"]) == json.dumps(echoed["tools"]) == json.dumps([answered])


@pytest.mark.parametrize(
    "sent",
    [
        "auto",
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "n", "schema": {"default": None, "enum": [None]}}},
    ],
)
async def test_a_response_format_is_answered_as_it_was_sent(sent: Any) -> None:
    async with talking() as talk:
        created = await talk.ask("POST", "/v1/assistants", {"model": "m", "response_format": sent})
    assert created["response_format"] == sent
