"""Runs that use files: found, cited, opened, made."""

from __future__ import annotations

from typing import Any

import msgspec

from support.assistants import FAST, HEADERS, Events, Talk, path_of, talking, text_of
from support.orders import START, findings
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.state import Sandbox
from wiretape.testing import StepClock

CODE = {"type": "code_interpreter"}
SEARCH = {"type": "file_search"}
FOODS = "The favorite food of several people:\n- Summanus Ferdinand: tacos\n- Filip Carola: cake"
INCLUDE = "?include[]=step_details.tool_calls%5B%2A%5D.file_search.results%5B%2A%5D.content"


async def _stored(talk: Talk, *file_ids: str) -> str:
    return str((await talk.ask("POST", "/v1/vector_stores", {"file_ids": file_ids}))["id"])


async def _searching(talk: Talk, *file_ids: str, **fields: Any) -> str:
    resources = {"file_search": {"vector_store_ids": [await _stored(talk, *file_ids)]}}
    return await talk.assistant(tools=[SEARCH], tool_resources=resources, **fields)


async def _asked(talk: Talk, assistant_id: str, question: str, **fields: Any) -> Events:
    events: Events = await talk.run(assistant_id, question, stream=True, **fields)
    assert findings(talk.answers[-1][2], START) == []
    return events


async def test_a_file_is_found_quoted_and_cited() -> None:
    """As captured: openai-dotnet, FileSearchStreamingWorks.json."""
    async with talking() as talk:
        file_id = await talk.upload(FOODS, "favorite_foods.txt")
        events = await _asked(talk, await _searching(talk, file_id), "What is Filip's favorite food?")
    call = dict(events[:9])["thread.run.step.completed"]["step_details"]["tool_calls"][0]
    (result,) = call["file_search"]["results"]
    assert list(result) == ["file_id", "file_name", "score", "attributes"]
    assert (result["file_id"], result["file_name"]) == (file_id, "favorite_foods.txt")
    text = dict(events)["thread.message.completed"]["content"][0]["text"]
    (mark,) = text["annotations"]
    assert "Filip Carola: cake" in text["value"]
    assert mark == {
        "type": "file_citation",
        "text": "【4:0†favorite_foods.txt】",
        "start_index": text["value"].index("【"),
        "end_index": text["value"].index("】") + 1,
        "file_citation": {"file_id": file_id},
    }
    cited = [data["delta"]["content"][0]["text"] for name, data in events if name == "thread.message.delta"][-1]
    assert cited["annotations"][0] == {**mark, "index": 0, "file_citation": {"file_id": file_id, "quote": ""}}


async def test_passages_are_shown_only_to_those_who_include_them() -> None:
    async with talking() as talk:
        assistant_id = await _searching(talk, await talk.upload(FOODS, "favorite_foods.txt"))
        thread = await talk.ask("POST", "/v1/threads", {"messages": [{"role": "user", "content": "Filip's food?"}]})
        runs, sent = f"/v1/threads/{thread['id']}/runs", {"assistant_id": assistant_id, "stream": True}
        shown = await talk.ask("POST", runs + INCLUDE, sent)
        run = dict(shown)["thread.run.completed"]
        steps = [await talk.ask("GET", f"{path_of(run)}/steps{query}") for query in ("", INCLUDE)]
        step_id = steps[0]["last_id"]
        step = [await talk.ask("GET", f"{path_of(run)}/steps/{step_id}{query}") for query in ("", INCLUDE)]
    passage = {"type": "text", "text": FOODS}
    streamed = dict(shown[:9])["thread.run.step.completed"]
    assert [_contents(one) for one in (streamed, step[0], step[1], steps[0]["data"][1], steps[1]["data"][1])] == [
        [passage], None, [passage], None, [passage],
    ]  # fmt: skip


def _contents(step: dict[str, Any]) -> Any:
    return step["step_details"]["tool_calls"][0]["file_search"]["results"][0].get("content")


async def test_nothing_is_cited_where_nothing_is_found() -> None:
    async with talking() as talk:
        events = await _asked(
            talk, await _searching(talk, await talk.upload(FOODS, "favorite_foods.txt")), "Any spaceships?"
        )
    assert text_of(events) == "I have looked in the files, and found nothing about this."


async def test_a_store_that_is_gone_is_not_searched() -> None:
    async with talking() as talk:
        assistant_id = await _searching(talk, await talk.upload(FOODS, "favorite_foods.txt"))
        await talk.ask("DELETE", f"/v1/vector_stores/{next(iter(talk.sandbox.library.shelves))}")
        forced = await _asked(talk, assistant_id, "Filip's food?", tool_choice=SEARCH)
    assert text_of(forced) == "I have looked in the files, and found nothing about this."


async def test_code_opens_a_file_and_says_how_many_lines_it_has() -> None:
    async with talking() as talk:
        file_id = await talk.upload("a,b\n1,2\n3,4\n", "numbers.csv")
        resources = {"code_interpreter": {"file_ids": [file_id]}}
        assistant_id = await talk.assistant(tools=[CODE], tool_resources=resources)
        events = await _asked(talk, assistant_id, "Count the lines")
    call = dict(events[:20])["thread.run.step.completed"]["step_details"]["tool_calls"][0]["code_interpreter"]
    assert f"/mnt/data/{file_id}" in call["input"]
    assert call["outputs"] == [{"type": "logs", "logs": "3\n"}]
    assert "It says: 3." in text_of(events)


async def test_what_code_makes_can_be_downloaded() -> None:
    async with talking() as talk:
        events = await _asked(
            talk, await talk.assistant(tools=[CODE]), "Plot the sum of 2 and 3, and save it as a file"
        )
        content = dict(events)["thread.message.completed"]["content"]
        picture = content[0]["image_file"]["file_id"]
        written = content[1]["text"]["annotations"][0]["file_path"]["file_id"]
        downloads = []
        for file_id in (picture, written):
            async with talk.client.get(f"/v1/files/{file_id}/content", headers=HEADERS) as response:
                downloads.append(await response.read())
    assert downloads[0].startswith(b"\x89PNG\r\n\x1a\n")
    assert downloads[1] == b"value\n5\n"


async def test_a_run_fails_where_there_is_no_room_for_what_its_code_makes() -> None:
    options = SandboxOptions(pace_s=0, queue_s=0, files_max=0)
    async with talking(Sandbox(options, StepClock(0))) as talk:
        events = await _asked(talk, await talk.assistant(tools=[CODE]), "Plot 1 and 2")
    failed = dict(events)["thread.run.failed"]
    assert failed["last_error"]["code"] == "server_error"
    assert "files_max is 0" in failed["last_error"]["message"]


async def test_a_number_of_results_and_a_threshold_are_kept() -> None:
    async with talking(Sandbox(FAST, StepClock(0))) as talk:
        files = [await talk.upload(f"cake number {number}", f"{number}.txt") for number in range(4)]
        store = await _stored(talk, *files)
        tool = {"type": "file_search", "file_search": {"max_num_results": 2}}
        resources = {"file_search": {"vector_store_ids": [store]}}
        events = await _asked(talk, await talk.assistant(tools=[tool], tool_resources=resources), "Who likes cake?")
    call = dict(events[:9])["thread.run.step.completed"]["step_details"]["tool_calls"][0]
    assert len(call["file_search"]["results"]) == 2


async def test_vector_stores_that_are_described_are_made() -> None:
    """Captured: openai-dotnet, FileSearchWorks.json."""
    async with talking() as talk:
        file_id = await talk.upload(FOODS)
        described = {"file_search": {"vector_stores": [{"file_ids": [file_id], "metadata": {"of": "foods"}}]}}
        made = await talk.ask(
            "POST", "/v1/assistants", {"model": "m", "tools": [SEARCH, CODE], "tool_resources": described}
        )
        thread = await talk.ask("POST", "/v1/threads", {"tool_resources": described})
        modified = await talk.ask("POST", f"/v1/threads/{thread['id']}", {"tool_resources": described})
        (store_id,) = made["tool_resources"]["file_search"]["vector_store_ids"]
        store = await talk.ask("GET", f"/v1/vector_stores/{store_id}")
        events = await _asked(talk, made["id"], "What is Filip's favorite food?")
    assert made["tool_resources"]["code_interpreter"] == {"file_ids": []}
    assert (store["metadata"], store["file_counts"]["total"]) == ({"of": "foods"}, 1)
    names = {store_id, *(one["tool_resources"]["file_search"]["vector_store_ids"][0] for one in (thread, modified))}
    assert len(names) == 3
    assert "Filip Carola: cake" in text_of(events)


async def test_a_vector_store_that_is_described_cuts_as_it_says() -> None:
    sizes = {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 10}
    strategy = {"type": "static", "static": sizes}
    async with talking() as talk:
        described = {"file_ids": [await talk.upload(FOODS)], "chunking_strategy": strategy}
        thread = await talk.ask(
            "POST", "/v1/threads", {"tool_resources": {"file_search": {"vector_stores": [described]}}}
        )
        (store_id,) = thread["tool_resources"]["file_search"]["vector_store_ids"]
        files = await talk.ask("GET", f"/v1/vector_stores/{store_id}/files")
    assert [one["chunking_strategy"] for one in files["data"]] == [strategy]


async def test_what_messages_attach_is_searched_and_opened() -> None:
    async with talking() as talk:
        foods, more = await talk.upload(FOODS, "foods.txt"), await talk.upload("Effie: pizza", "more.txt")
        attached = [{"file_id": foods, "tools": [SEARCH, CODE]}]
        thread = await talk.ask(
            "POST", "/v1/threads", {"messages": [{"role": "user", "content": "Files!", "attachments": attached}]}
        )
        messages = f"/v1/threads/{thread['id']}/messages"
        second = {
            "role": "user",
            "content": "Count the lines of Effie",
            "attachments": [{"file_id": more, "tools": [SEARCH]}],
        }
        await talk.ask("POST", messages, second)
        known = await talk.ask("GET", f"/v1/threads/{thread['id']}")
        (store_id,) = known["tool_resources"]["file_search"]["vector_store_ids"]
        store = await talk.ask("GET", f"/v1/vector_stores/{store_id}")
        assistant_id = await talk.assistant(tools=[SEARCH, CODE])
        sent = {"assistant_id": assistant_id, "stream": True}
        events = await talk.ask("POST", f"/v1/threads/{thread['id']}/runs", sent)
    assert store["file_counts"]["total"] == 2
    assert store["expires_after"] == {"anchor": "last_active_at", "days": 7}
    calls = [data["step_details"] for name, data in events if name == "thread.run.step.completed"][:2]
    found = calls[0]["tool_calls"][0]["file_search"]["results"]
    assert found[0]["file_name"] == "more.txt"
    assert calls[1]["tool_calls"][0]["code_interpreter"]["outputs"] == [{"type": "logs", "logs": "3\n"}]


async def test_a_file_that_is_not_there_cannot_be_attached_and_nothing_is_changed() -> None:
    attachments = [{"file_id": "file-none", "tools": [SEARCH]}]
    message = {"role": "user", "content": "Hi", "attachments": attachments}
    async with talking() as talk:
        assistant_id = await talk.assistant()
        thread = await talk.ask("POST", "/v1/threads", {})
        messages = f"/v1/threads/{thread['id']}/messages"
        answers = [
            await talk.ask("POST", "/v1/threads", {"messages": [message]}),
            await talk.ask("POST", messages, message),
            await talk.ask(
                "POST",
                f"/v1/threads/{thread['id']}/runs",
                {"assistant_id": assistant_id, "additional_messages": [message]},
            ),
        ]
        listed = await talk.ask("GET", messages)
        assert len(talk.sandbox.conversations) == 1
    assert {one["error"]["message"] for one in answers} == {"No file found with id 'file-none'."}
    assert listed["data"] == []


async def test_a_run_fails_after_too_many_searches() -> None:
    options = SandboxOptions(pace_s=0, queue_s=0, searches_max=2)
    async with talking(Sandbox(options, StepClock(0))) as talk:
        told = msgspec.json.encode([{"search": "a"}] * 3).decode()
        events = await _asked(talk, await talk.assistant(tools=[SEARCH]), "Hi", metadata={"sandbox": told})
    assert "searches_max is 2" in dict(events)["thread.run.failed"]["last_error"]["message"]
    assert [name for name, _ in events].count("thread.run.step.completed") == 2
