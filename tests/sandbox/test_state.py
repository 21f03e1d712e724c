from __future__ import annotations

from typing import Any

import pytest

from support.assistants import FAST, TIME, WEATHER, path_of, talking, text_of
from wiretape.sandbox.acts import read
from wiretape.sandbox.script import RunRule, Script, When
from wiretape.sandbox.state import Sandbox, SandboxOptions
from wiretape.testing import ManualClock, StepClock


def _user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("bound", "asks"),
    [
        ("assistants_max", [("/v1/assistants", {"model": "m"})]),
        ("threads_max", [("/v1/threads", {})]),
        ("messages_max", [("/v1/threads", {"messages": [_user("a"), _user("b")]})]),
        ("stored_bytes_max", [("/v1/assistants", {"model": "m" * 40})]),
    ],
)
async def test_a_bound_is_kept_and_named(bound: str, asks: list[tuple[str, Any]]) -> None:
    options = SandboxOptions(**{bound: 1 if bound != "stored_bytes_max" else 60})
    async with talking(Sandbox(options, StepClock(0))) as talk:
        answers = [await talk.ask("POST", path, sent) for path, sent in asks * 2]
    assert talk.status == 400
    assert answers[-1]["error"]["code"] == "sandbox_full"
    assert bound in answers[-1]["error"]["message"]


@pytest.mark.parametrize("act", [{"say": "x" * 99}, {"refusal": "x" * 99}, {"code": "x", "logs": "y" * 99},
                                 {"call": [{"name": "f", "arguments": "x" * 99}]}, {"search": "x" * 99}])  # fmt: skip
async def test_what_a_run_makes_takes_room_and_it_fails_where_there_is_none(act: dict[str, Any]) -> None:
    rules = Script((RunRule(When(), read([act], "acts")),))
    async with talking(Sandbox(SandboxOptions(stored_bytes_max=420, pace_s=0, queue_s=0), StepClock(0), rules)) as talk:
        assistant_id = await talk.assistant()
        first = await talk.run(assistant_id, "Hello", stream=True)
        second = await talk.run(assistant_id, "Hello", stream=True)
        await talk.ask("DELETE", f"/v1/threads/{first[1][1]['thread_id']}")
        third = await talk.run(assistant_id, "Hello", stream=True)
    assert "stored_bytes_max" in dict(second)["thread.run.failed"]["last_error"]["message"]
    assert first[-2][0] == third[-2][0] != "thread.run.failed"


async def test_deleting_gives_room_back() -> None:
    async with talking(Sandbox(SandboxOptions(stored_bytes_max=20, threads_max=1), StepClock(0))) as talk:
        for _ in range(5):
            assistant_id = await talk.assistant()
            await talk.ask("DELETE", f"/v1/assistants/{assistant_id}")
            thread = await talk.ask("POST", "/v1/threads", {"metadata": {}})
            await talk.ask("DELETE", f"/v1/threads/{thread['id']}")
            assert talk.status == 200


async def test_runs_and_messages_of_one_thread_are_bounded() -> None:
    options = SandboxOptions(pace_s=0, queue_s=0, runs_max=1, messages_max=3)
    async with talking(Sandbox(options, StepClock(0))) as talk:
        run = await talk.run(assistant_id := await talk.assistant(), "Hello")
        runs = path_of(run).rpartition("/")[0]
        second = await talk.ask("POST", runs, {"assistant_id": assistant_id})
        messages = f"/v1/threads/{run['thread_id']}/messages"
        await talk.ask("POST", messages, _user("more"))
        fourth = await talk.ask("POST", messages, _user("too many"))
        large = await talk.ask(
            "POST", "/v1/threads/runs", {"assistant_id": assistant_id, "thread": {"messages": [_user("x")] * 3}}
        )
    assert "runs_max" in second["error"]["message"]
    assert "messages_max" in fourth["error"]["message"]
    assert "messages_max" in large["error"]["message"]


async def test_a_refused_run_leaves_nothing_behind() -> None:
    sandbox = Sandbox(FAST, StepClock(0))
    async with talking(sandbox) as talk:
        await talk.run("asst_x", "Hello")
    assert talk.status == 404
    assert not sandbox.conversations


NO_FILE = {"file_search": {"vector_stores": [{"file_ids": ["file-none"]}]}}
STORE = {"file_search": {"vector_stores": [{}]}}
ATTACHED = {**_user("a"), "attachments": [{"file_id": "file-none", "tools": [{"type": "code_interpreter"}]}]}
UNFIT = (
    ("/v1/assistants", {"model": "m", "tool_resources": NO_FILE}),
    ("/v1/assistants/{asst}", {"tool_resources": NO_FILE}),
    ("/v1/threads", {"tool_resources": STORE, "messages": [ATTACHED]}),
    ("/v1/threads", {"tool_resources": STORE, "messages": [_user("a")] * 3}),
    ("/v1/threads/{thread}", {"tool_resources": NO_FILE}),
    ("/v1/threads/runs", {"tool_resources": NO_FILE, "thread": {"messages": [_user("a")]}}),
    ("/v1/threads/runs", {"tool_resources": STORE, "thread": {"messages": [_user("a")], "tool_resources": NO_FILE}}),
)


@pytest.mark.parametrize(("path", "sent"), UNFIT)
async def test_a_refusal_leaves_no_store_no_thread_and_no_bytes_behind(path: str, sent: dict[str, Any]) -> None:
    async with talking(Sandbox(SandboxOptions(messages_max=2), StepClock(0))) as talk:
        made = {"asst": await talk.assistant(), "thread": (await talk.ask("POST", "/v1/threads", {}))["id"]}
        before = _kept(talk.sandbox)
        more = {"assistant_id": made["asst"]} if path.endswith("/runs") else {}
        await talk.ask("POST", path.format(**made), {**sent, **more})
        assert talk.status in {400, 404}
        assert _kept(talk.sandbox) == before


def _kept(sandbox: Sandbox) -> tuple[int, ...]:
    held = (sandbox.assistants, sandbox.conversations, sandbox.library.shelves)
    return (sandbox.room.used, *map(len, held))


async def test_a_run_takes_what_is_sent_before_what_the_assistant_has() -> None:
    async with talking() as talk:
        assistant_id = await talk.assistant(instructions="Be kind.", temperature=0.5, tools=[WEATHER])
        thread = await talk.ask("POST", "/v1/threads", {"messages": [_user("Hello")]})
        sent = {
            "assistant_id": assistant_id,
            "additional_instructions": "Be brief.",
            "additional_messages": [_user("What says the clock?")],
            "model": "gpt-5",
            "tools": [TIME],
            "tool_choice": {"type": "function", "function": {"name": "local_time"}},
            "truncation_strategy": {"type": "last_messages", "last_messages": 3},
            "response_format": {"type": "text"},
        }
        run = await talk.ask("POST", f"/v1/threads/{thread['id']}/runs", sent)
        paused = await talk.ask("GET", path_of(run))
    assert run["instructions"] == "Be kind.\nBe brief."
    assert (run["model"], run["temperature"], run["response_format"]) == ("gpt-5", 0.5, {"type": "text"})
    assert run["tool_choice"] == sent["tool_choice"]
    assert run["truncation_strategy"] == sent["truncation_strategy"]
    assert run["tools"] == [{"type": "function", "function": {**TIME["function"], "strict": False}}]  # type: ignore[dict-item]
    assert paused["status"] == "requires_action"


async def test_modifying_changes_only_what_is_sent() -> None:
    async with talking() as talk:
        assistant_id = await talk.assistant(name="Ada", tools=[{"type": "code_interpreter"}])
        changed = await talk.ask("POST", f"/v1/assistants/{assistant_id}", {"description": "d"})
        thread = await talk.ask("POST", "/v1/threads", {"metadata": {"a": "1"}})
        resources = {"file_search": {"vector_store_ids": ["vs_1"]}}
        modified = await talk.ask("POST", f"/v1/threads/{thread['id']}", {"tool_resources": resources})
        known = await talk.ask("GET", f"/v1/threads/{thread['id']}")
    assert (changed["name"], changed["description"]) == ("Ada", "d")
    assert changed["tool_resources"] == {"code_interpreter": {"file_ids": []}}
    assert (modified["metadata"], modified["tool_resources"]) == ({"a": "1"}, resources)
    assert known == modified


async def test_metadata_changed_while_a_run_waits_stays_changed() -> None:
    async with talking() as talk:
        run = await talk.run(await talk.assistant(tools=[WEATHER]), "Weather in Paris?", metadata={"n": "0"})
        await talk.ask("POST", path_of(run), {"metadata": {"n": "1"}})
        paused = await talk.ask("POST", path_of(run), {})
        call = paused["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
        outputs = {"tool_outputs": [{"tool_call_id": call, "output": "snow"}]}
        await talk.ask("POST", f"{path_of(run)}/submit_tool_outputs", outputs)
        ended = await talk.ask("GET", path_of(run))
    assert (paused["status"], paused["metadata"]) == ("requires_action", {"n": "1"})
    assert (ended["status"], ended["metadata"]) == ("completed", {"n": "1"})


async def test_metadata_of_a_message_changed_while_it_is_written_stays_changed() -> None:
    clock = ManualClock()
    async with talking(Sandbox(SandboxOptions(pace_s=1, queue_s=0), clock)) as talk:
        run = await talk.run(await talk.assistant(), "Hello", metadata={"sandbox": "say a b"})
        messages = f"/v1/threads/{run['thread_id']}/messages"
        written = (await talk.ask("GET", messages))["data"][0]
        await talk.ask("POST", f"{messages}/{written['id']}", {"metadata": {"n": "2"}})
        clock.advance(5)
        message = await talk.ask("GET", f"{messages}/{written['id']}")
    assert (message["content"][0]["text"]["value"], message["metadata"]) == ("a b", {"n": "2"})


async def test_a_message_deleted_while_it_is_written_stays_deleted() -> None:
    clock = ManualClock()
    async with talking(Sandbox(SandboxOptions(pace_s=1, queue_s=0), clock)) as talk:
        run = await talk.run(await talk.assistant(), "Hello")
        messages = f"/v1/threads/{run['thread_id']}/messages"
        written = (await talk.ask("GET", messages))["data"][0]
        await talk.ask("DELETE", f"{messages}/{written['id']}")
        clock.advance(500)
        left = await talk.ask("GET", messages)
    assert [message["role"] for message in left["data"]] == ["user"]


async def test_a_stream_goes_on_when_its_thread_is_deleted() -> None:
    async with talking() as talk:
        events = await talk.run(await talk.assistant(), "Hello", stream=True, metadata={"sandbox": "say bye"})
        await talk.ask("DELETE", f"/v1/threads/{dict(events)['thread.created']['id']}")
    assert text_of(events) == "bye"


@pytest.mark.parametrize("sent", [[], [{"tool_call_id": "call_x", "output": "1"}]])
async def test_outputs_must_answer_exactly_the_calls_that_wait(sent: list[dict[str, str]]) -> None:
    async with talking() as talk:
        run = await talk.run(await talk.assistant(tools=[WEATHER]), "Weather in Paris?")
        refused = await talk.ask("POST", f"{path_of(run)}/submit_tool_outputs", {"tool_outputs": sent})
        paused = await talk.ask("GET", path_of(run))
    call_id = paused["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
    assert f"Expected tool outputs for call_ids ['{call_id}']" in refused["error"]["message"]


async def test_an_ended_run_cannot_be_cancelled() -> None:
    async with talking() as talk:
        run = await talk.run(await talk.assistant(), "Hello")
        refused = await talk.ask("POST", f"{path_of(run)}/cancel")
    assert refused["error"]["message"] == "Cannot cancel run with status 'completed'."


async def test_a_run_that_waits_for_outputs_expires() -> None:
    clock = ManualClock()
    async with talking(Sandbox(FAST, clock)) as talk:
        run = await talk.run(await talk.assistant(tools=[WEATHER]), "Weather in Paris?")
        clock.advance(599)
        waiting = await talk.ask("GET", path_of(run))
        clock.advance(1)
        expired = await talk.ask("GET", path_of(run))
        steps = await talk.ask("GET", f"{path_of(run)}/steps")
        step = await talk.ask("GET", f"{path_of(run)}/steps/{steps['first_id']}")
        nobody = await talk.ask("GET", f"{path_of(run)}/steps/step_x")
    assert (waiting["status"], expired["status"], step["status"]) == ("requires_action", "expired", "expired")
    assert expired["required_action"] is None
    assert nobody["error"]["message"] == "No run step found with id 'step_x'."


async def test_polls_see_each_status_in_turn() -> None:
    async with talking(Sandbox(SandboxOptions(pace_s=1, queue_s=1), StepClock(step_s=0.5))) as talk:
        run = await talk.run(await talk.assistant(), "Hello", metadata={"sandbox": "say a b"})
        seen = [run["status"]]
        while seen[-1] != "completed":
            seen.append((await talk.ask("GET", path_of(run)))["status"])
    assert seen == ["queued", "in_progress", "in_progress", "completed"]


async def test_an_ended_run_keeps_nobody_waiting() -> None:
    sandbox = Sandbox(FAST, ManualClock())
    async with talking(sandbox) as talk:
        run = await talk.run(await talk.assistant(), "Hello")
        await talk.ask("GET", path_of(run))
    life = sandbox.conversations[run["thread_id"]].runs[run["id"]]
    await life.until_due(sandbox.clock, sandbox.clock.now_s())
    assert life.due_s is None
