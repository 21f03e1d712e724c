"""Runs that use files: found, cited, opened, made."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import FormData

from support.assistants import FAST, HEADERS, Events, Talk, path_of, talking, text_of
from support.orders import START, findings
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.state import Sandbox
from wiretape.testing import StepClock

CODE = {"type": "code_interpreter"}
SEARCH = {"type": "file_search"}
FOODS = "The favorite food of several people:\n- Summanus Ferdinand: tacos\n- Filip Carola: cake"
INCLUDE = "?include[]=step_details.tool_calls%5B%2A%5D.file_search.results%5B%2A%5D.content"


async def _upload(talk: Talk, text: str, name: str = "favorite_foods.txt") -> str:
    form = FormData({"purpose": "assistants"})
    form.add_field("file", text.encode(), filename=name)
    async with talk.client.post("/v1/files", data=form, headers=HEADERS) as response:
        return str(msgspec.json.decode(await response.read())["id"])


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
        file_id = await _upload(talk, FOODS)
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
        assistant_id = await _searching(talk, await _upload(talk, FOODS))
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
        events = await _asked(talk, await _searching(talk, await _upload(talk, FOODS)), "Any spaceships?")
    assert text_of(events) == "I have looked in the files, and found nothing about this."


async def test_a_store_that_is_gone_is_not_searched() -> None:
    async with talking() as talk:
        assistant_id = await _searching(talk, await _upload(talk, FOODS))
        await talk.ask("DELETE", f"/v1/vector_stores/{next(iter(talk.sandbox.library.shelves))}")
        forced = await _asked(talk, assistant_id, "Filip's food?", tool_choice=SEARCH)
    assert text_of(forced) == "I have looked in the files, and found nothing about this."


async def test_code_opens_a_file_and_says_how_many_lines_it_has() -> None:
    async with talking() as talk:
        file_id = await _upload(talk, "a,b\n1,2\n3,4\n", "numbers.csv")
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
        files = [await _upload(talk, f"cake number {number}", f"{number}.txt") for number in range(4)]
        store = await _stored(talk, *files)
        tool = {"type": "file_search", "file_search": {"max_num_results": 2}}
        resources = {"file_search": {"vector_store_ids": [store]}}
        events = await _asked(talk, await talk.assistant(tools=[tool], tool_resources=resources), "Who likes cake?")
    call = dict(events[:9])["thread.run.step.completed"]["step_details"]["tool_calls"][0]
    assert len(call["file_search"]["results"]) == 2
