"""The room: what is kept is counted, what is refused is not, and what is deleted is given back to the last byte."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from support.assistants import FAST, WEATHER, Talk, path_of, talking
from wiretape.sandbox.chance import Chance
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.refusals import Refused
from wiretape.sandbox.room import Room
from wiretape.sandbox.state import Sandbox
from wiretape.testing import ManualClock, StepClock

STORES = "/v1/vector_stores"
LOST = {"file_search": {"vector_stores": [{"file_ids": ["file-lost"]}]}}
"""Tool resources that are refused, as there is no such file."""


def _user(text: str, *file_ids: str) -> dict[str, Any]:
    attached = [{"file_id": one, "tools": [{"type": "file_search"}]} for one in file_ids]
    return {"role": "user", "content": text, **({"attachments": attached} if attached else {})}


def test_what_is_refused_inside_is_given_back() -> None:
    room = Room(10)
    with suppress(Refused), room.counted(6):
        assert room.used == 6
        room.count(5)
    assert room.used == 0


@pytest.mark.parametrize(
    "path", ["/v1/assistants", "/v1/assistants/{assistant}", "/v1/threads", "/v1/threads/{thread}"]
)
async def test_resources_that_are_refused_leave_nothing_counted(path: str) -> None:
    async with talking() as talk:
        known = {"assistant": await talk.assistant(), "thread": (await talk.ask("POST", "/v1/threads", {}))["id"]}
        used = talk.sandbox.room.used
        model = {"model": "m"} if path == "/v1/assistants" else {}
        await talk.ask("POST", path.format(**known), {"tool_resources": LOST, **model})
        assert talk.status == 404
        assert talk.sandbox.room.used == used


async def _with_expired_store(talk: Talk, clock: ManualClock) -> tuple[str, str]:
    """A file, and a thread whose vector store has expired."""
    file_id = await talk.upload("Filip likes cake.", "likes.txt")
    store = await talk.ask("POST", STORES, {"expires_after": {"anchor": "last_active_at", "days": 1}})
    resources = {"file_search": {"vector_store_ids": [store["id"]]}}
    thread = await talk.ask("POST", "/v1/threads", {"tool_resources": resources})
    clock.advance(90_000)
    return file_id, thread["id"]


async def test_messages_with_an_attachment_that_is_refused_are_not_added_nor_counted() -> None:
    clock = ManualClock()
    async with talking(Sandbox(FAST, clock)) as talk:
        file_id, thread_id = await _with_expired_store(talk, clock)
        assistant_id, used = await talk.assistant(), talk.sandbox.room.used
        sent = {"assistant_id": assistant_id, "additional_messages": [_user("a"), _user("b", file_id)]}
        await talk.ask("POST", f"/v1/threads/{thread_id}/runs", sent)
        assert talk.status == 400
        await talk.ask("POST", f"/v1/threads/{thread_id}/messages", _user("b", file_id))
        assert talk.status == 400
        listed = await talk.ask("GET", f"/v1/threads/{thread_id}/messages")
        assert listed["data"] == []
        assert talk.sandbox.room.used == used


async def test_a_run_that_is_refused_takes_its_new_thread_with_it() -> None:
    async with talking() as talk:
        assistant_id, used = await talk.assistant(), talk.sandbox.room.used
        thread = {"messages": [_user("Hi")]}
        sent = {"assistant_id": assistant_id, "thread": thread, "tool_resources": LOST}
        await talk.ask("POST", "/v1/threads/runs", sent)
        assert talk.status == 404
        assert (talk.sandbox.room.used, len(talk.sandbox.conversations)) == (used, 0)


async def test_what_is_sent_to_messages_and_runs_is_counted() -> None:
    async with talking() as talk:
        run = await talk.run(await talk.assistant(tools=[WEATHER]), "The weather in Bonn?")
        paused = await talk.ask("GET", path_of(run))
        calls = paused["required_action"]["submit_tool_outputs"]["tool_calls"]
        message = (await talk.ask("GET", f"/v1/threads/{run['thread_id']}/messages"))["data"][0]
        used = talk.sandbox.room.used
        outputs = [{"tool_call_id": call["id"], "output": "x" * 1_000} for call in calls]
        await talk.ask("POST", f"{path_of(run)}/submit_tool_outputs", {"tool_outputs": outputs})
        await talk.ask("GET", path_of(run))
        labels = {"metadata": {"note": "x" * 500}}
        await talk.ask("POST", path_of(run), labels)
        await talk.ask("POST", f"/v1/threads/{run['thread_id']}/messages/{message['id']}", labels)
        assert talk.status == 200
        assert talk.sandbox.room.used - used > 2_000


async def test_putting_a_file_into_a_store_and_out_again_takes_no_room() -> None:
    async with talking() as talk:
        file_id = await talk.upload("x", "x.txt")
        store = f"{STORES}/{(await talk.ask('POST', STORES, {}))['id']}"
        used = talk.sandbox.room.used
        for _ in range(2):
            await talk.ask("POST", f"{store}/files", {"file_id": file_id, "attributes": {"a": "b"}})
        await talk.ask("POST", f"{store}/files/{file_id}", {"attributes": {"a": "c"}})
        assert talk.sandbox.room.used > used + 512
        await talk.ask("DELETE", f"{store}/files/{file_id}")
        assert talk.sandbox.room.used == used


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_done_deleting_all_of_it_gives_all_room_back(seed: int) -> None:
    bounds = {"vector_store_files_max": 3, "messages_max": 6, "file_batches_max": 2, "vector_stores_max": 6}
    options = SandboxOptions(pace_s=0, queue_s=0, seed=seed, stored_bytes_max=12_000, **bounds)
    async with talking(Sandbox(options, StepClock(0.1))) as talk:
        statuses = await _do(talk, Chance(str(seed)))
        assert {200, 400, 404} <= statuses
        assert 500 not in statuses
        for path in ("/v1/assistants", STORES, "/v1/files"):
            for one in (await talk.ask("GET", f"{path}?limit=100"))["data"]:
                await talk.ask("DELETE", f"{path}/{one['id']}")
        for thread_id in list(talk.sandbox.conversations):
            await talk.ask("DELETE", f"/v1/threads/{thread_id}")
        assert talk.sandbox.room.used == 0


async def _do(talk: Talk, chance: Chance) -> set[int]:
    """Three hundred requests, each about what there is, or about what there is not; gives their statuses."""
    statuses = set()
    for _ in range(300):
        method, path, sent = _request(talk.sandbox, chance)
        if path == "/v1/files":
            with suppress(KeyError):  # refused: there is no room
                await talk.upload("x" * chance.pick(range(400)), "x.txt")
        else:
            await talk.ask(method, path, sent)
        statuses.add(talk.status)
    return statuses


def _request(sandbox: Sandbox, chance: Chance) -> tuple[str, str, Any]:
    """Any request that makes, changes or deletes something."""

    def some(known: Any, lost: str) -> str:
        return chance.pick([*known, *known, lost])

    file_id = some(sandbox.library.files, "file-lost")
    store_id = some(sandbox.library.shelves, "vs_lost")
    assistant_id = some(sandbox.assistants, "asst_lost")
    thread_id = some(sandbox.conversations, "thread_lost")
    thread = sandbox.conversations.get(thread_id)
    run_id = some(thread.runs if thread else (), "run_lost")
    message_id = some(thread.messages if thread else (), "msg_lost")
    attached = sandbox.library.attached.get(store_id, {})
    stores = {"file_search": {"vector_stores": [{"file_ids": [file_id]}]}}
    resources = chance.pick([{}, {"tool_resources": stores}])
    message = _user("The weather?", *chance.pick([(), (file_id,)]))
    labels = {"metadata": {"note": "x" * chance.pick(range(100))}}
    run = {"assistant_id": assistant_id, "additional_messages": [message, message]}
    calls = thread.runs[run_id].scene.calls if thread and run_id in thread.runs else ()
    outputs = {"tool_outputs": [{"tool_call_id": one.id, "output": "rain"} for one in calls]}
    store, at = f"{STORES}/{store_id}", f"/v1/threads/{thread_id}"
    making = [
        ("POST", "/v1/assistants", {"model": "m", "tools": [WEATHER], **resources}),
        ("POST", f"/v1/assistants/{assistant_id}", {**labels, **resources}),
        ("POST", "/v1/files", None),
        ("POST", STORES, {"file_ids": [file_id, file_id], **labels}),
        ("POST", store, labels),
        ("POST", f"{store}/files", {"file_id": file_id}),
        ("POST", f"{store}/files/{some(attached, file_id)}", {"attributes": {"a": "b"}}),
        ("POST", f"{store}/file_batches", {"file_ids": [file_id, *attached]}),
        ("POST", "/v1/threads", {"messages": [message], **resources}),
        ("POST", at, {**labels, **resources}),
        ("POST", f"{at}/messages", message),
        ("POST", f"{at}/messages/{message_id}", labels),
        ("POST", f"{at}/runs", run),
        ("POST", f"{at}/runs/{run_id}", labels),
        ("POST", f"{at}/runs/{run_id}/cancel", None),
        ("POST", f"{at}/runs/{run_id}/submit_tool_outputs", outputs),
        (
            "POST",
            "/v1/threads/runs",
            {"assistant_id": assistant_id, "thread": {"messages": [message]}, **resources},
        ),
    ]
    deleting = [f"/v1/assistants/{assistant_id}", f"/v1/files/{file_id}", store, at, f"{at}/messages/{message_id}"]
    deleting.append(f"{store}/files/{some(attached, file_id)}")
    return chance.pick([*making, *making, *(("DELETE", path, None) for path in deleting)])
