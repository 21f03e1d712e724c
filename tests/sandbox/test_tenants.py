"""Each key has a sandbox of its own; with a file, what it holds outlives the server."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer

from support.assistants import FAST, HEADERS, TIME, WEATHER, Talk, path_of, talking, text_of
from support.command import environment
from wiretape.errors import ConfigError
from wiretape.sandbox.acts import ACTS_MAX
from wiretape.sandbox.keeping import Keeper
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.script import script
from wiretape.sandbox.server import application, served
from wiretape.sandbox.state import Sandbox
from wiretape.sandbox.tenants import Tenants
from wiretape.testing import ManualClock, StepClock

OTHER = {**HEADERS, "Authorization": "Bearer other"}


@asynccontextmanager
async def kept(path: Path, clock: Any = None, options: SandboxOptions = FAST) -> AsyncIterator[Talk]:
    """A sandbox that keeps its state in this file."""
    sandbox, keeper = Sandbox(options, clock or StepClock(step_s=0)), Keeper(path)
    async with TestClient(TestServer(application(sandbox, keeper))) as client:
        yield Talk(client, sandbox)


async def test_one_key_sees_nothing_of_anothers() -> None:
    async with talking() as talk:
        run = await talk.run(await talk.assistant(), "Hello")
        seen = [
            await talk.ask("GET", path, headers=OTHER)
            for path in ("/v1/assistants", "/v1/files", "/v1/vector_stores", path_of(run))
        ]
        await talk.ask("POST", "/v1/threads/runs", {"assistant_id": run["assistant_id"]}, headers=OTHER)
    assert [one.get("data") for one in seen[:3]] == [[], [], []]
    assert seen[3]["error"]["message"] == f"No thread found with id '{run['thread_id']}'."
    assert talk.status == 404


async def test_two_keys_never_get_the_same_id() -> None:
    async with talking() as talk:
        mine = await talk.ask("POST", "/v1/assistants", {"model": "m"})
        theirs = await talk.ask("POST", "/v1/assistants", {"model": "m"}, headers=OTHER)
    assert mine["id"] != theirs["id"]


async def test_all_keys_share_one_room_and_too_many_are_refused() -> None:
    options = SandboxOptions(keys_max=2, stored_bytes_max=40)
    async with talking(Sandbox(options, StepClock(0))) as talk:
        await talk.ask("POST", "/v1/assistants", {"model": "m" * 15})
        full = await talk.ask("POST", "/v1/assistants", {"model": "m" * 15}, headers=OTHER)
        third = await talk.ask("GET", "/v1/assistants", headers={**HEADERS, "Authorization": "Bearer third"})
    assert "stored_bytes_max is 40" in full["error"]["message"]
    assert "keys_max is 2" in third["error"]["message"]


async def _everything(talk: Talk) -> list[str]:
    """Something of each kind; gives the paths that show it all."""
    file_id = await talk.upload("Filip likes cake.", "likes.txt")
    store = await talk.ask("POST", "/v1/vector_stores", {"name": "Likes"})
    batch = await talk.ask("POST", f"/v1/vector_stores/{store['id']}/file_batches", {"file_ids": [file_id]})
    await talk.ask("GET", f"/v1/vector_stores/{store['id']}/files")
    resources = {"file_search": {"vector_store_ids": [store["id"]]}}
    tools = [WEATHER, {"type": "file_search"}]
    assistant_id = await talk.assistant(name="Kept", tools=tools, tool_resources=resources)
    done = await talk.run(assistant_id, "Who likes cake?")
    await talk.ask("GET", path_of(done))
    gone = await talk.ask("POST", "/v1/threads", {})
    await talk.ask("DELETE", f"/v1/threads/{gone['id']}")
    thread = f"/v1/threads/{done['thread_id']}"
    return [
        "/v1/assistants", "/v1/files", f"/v1/files/{file_id}", f"/v1/vector_stores/{store['id']}",
        f"/v1/vector_stores/{store['id']}/files", f"/v1/vector_stores/{store['id']}/file_batches/{batch['id']}",
        thread, f"{thread}/messages", f"{thread}/runs", f"{path_of(done)}/steps", f"/v1/threads/{gone['id']}",
    ]  # fmt: skip


async def test_a_server_that_starts_anew_answers_as_the_old_one_did(tmp_path: Path) -> None:
    async with kept(tmp_path / "state.db") as talk:
        paths = await _everything(talk)
        before = [await talk.ask("GET", path) for path in paths]
        used = talk.sandbox.room.used
        last_id = await talk.assistant()
    async with kept(tmp_path / "state.db") as talk:
        await talk.ask("DELETE", f"/v1/assistants/{last_id}")
        assert [await talk.ask("GET", path) for path in paths] == before
        assert talk.sandbox.room.used == used
        assert await talk.assistant() != last_id


async def test_a_run_that_waits_is_answered_after_a_new_start(tmp_path: Path) -> None:
    async with kept(tmp_path / "state.db") as talk:
        run = await talk.run(await talk.assistant(tools=[WEATHER]), "The weather in Bonn?")
        assert run["status"] == "queued"
    async with kept(tmp_path / "state.db") as talk:
        paused = await talk.ask("GET", path_of(run))
        calls = paused["required_action"]["submit_tool_outputs"]["tool_calls"]
        sent = {"tool_outputs": [{"tool_call_id": call["id"], "output": "rain"} for call in calls], "stream": True}
        events = await talk.ask("POST", f"{path_of(run)}/submit_tool_outputs", sent)
    assert "Weather for Bonn: rain." in text_of(events)


async def test_what_came_due_while_nobody_served_has_happened(tmp_path: Path) -> None:
    clock = ManualClock()
    options = SandboxOptions(pace_s=1, queue_s=5)
    async with kept(tmp_path / "state.db", clock, options) as talk:
        run = await talk.run(await talk.assistant(), "Hi", metadata={"sandbox": "say one two three"})
        clock.advance(6)
        await talk.ask("GET", path_of(run))
    clock.advance(60)
    async with kept(tmp_path / "state.db", clock, options) as talk:
        ended = await talk.ask("GET", path_of(run))
        messages = await talk.ask("GET", f"/v1/threads/{run['thread_id']}/messages")
    assert (ended["status"], ended["completed_at"] - ended["created_at"]) == ("completed", 8)
    assert messages["data"][0]["content"][0]["text"]["value"] == "one two three"


async def test_a_run_with_more_left_to_do_than_a_script_may_tell_is_read_again(tmp_path: Path) -> None:
    told = {"run": [{"acts": [{"think": True}, *[{"say": "a"}] * (ACTS_MAX - 1)]}]}
    async with kept(tmp_path / "state.db") as talk:
        talk.sandbox.script = script(told)
        run = await talk.run(await talk.assistant(tools=[WEATHER, TIME]), "The weather and the clock?")
    async with kept(tmp_path / "state.db") as talk:
        assert (await talk.ask("GET", path_of(run)))["status"] == "requires_action"


async def test_whatever_is_taken_in_can_be_kept_and_read_again(tmp_path: Path) -> None:
    async with kept(tmp_path / "state.db") as talk:
        taken = []
        for depth in (200, 300, 500):
            nested: Any = {}
            for _ in range(depth):
                nested = {"a": nested}
            tool = {"type": "function", "function": {"name": "get_weather", "parameters": nested}}
            made = await talk.ask("POST", "/v1/assistants", {"model": "m", "tools": [tool]})
            taken.append(talk.status)
            if talk.status == 200:
                await talk.run(made["id"], "The weather?")
    assert taken == [200, 400, 400]
    async with kept(tmp_path / "state.db") as talk:
        assert len(talk.sandbox.conversations) == 1


async def test_each_key_finds_its_own_again(tmp_path: Path) -> None:
    async with kept(tmp_path / "state.db") as talk:
        await talk.assistant(name="mine")
        await talk.ask("POST", "/v1/assistants", {"model": "m", "name": "theirs"}, headers=OTHER)
    async with kept(tmp_path / "state.db") as talk:
        theirs = await talk.ask("GET", "/v1/assistants", headers=OTHER)
        mine = await talk.ask("GET", "/v1/assistants")
    assert [[one["name"] for one in listed["data"]] for listed in (mine, theirs)] == [["mine"], ["theirs"]]
    assert b"other" not in (tmp_path / "state.db").read_bytes()


async def test_a_key_that_kept_nothing_leaves_no_place_that_a_new_key_could_share(tmp_path: Path) -> None:
    async def listed(talk: Talk, key: str) -> list[str]:
        answer = await talk.ask("GET", "/v1/assistants", headers={**HEADERS, "Authorization": f"Bearer {key}"})
        return [one["name"] for one in answer["data"]]

    async with kept(tmp_path / "state.db") as talk:
        assert await listed(talk, "only reads") == []
        await talk.ask("POST", "/v1/assistants", {"model": "m", "name": "theirs"}, headers=OTHER)
    async with kept(tmp_path / "state.db") as talk:
        await talk.assistant(name="mine")
    async with kept(tmp_path / "state.db") as talk:
        assert [await listed(talk, key) for key in ("other", "any", "third")] == [["theirs"], ["mine"], []]


def _server(talk: Talk) -> Any:
    """The server behind the sandbox."""
    return talk.client.app.on_cleanup[-1].__self__  # type: ignore[union-attr]


async def test_a_request_that_could_not_be_written_has_not_happened(tmp_path: Path) -> None:
    async with kept(tmp_path / "state.db") as talk:
        first = await talk.assistant()
        used = talk.sandbox.room.used
        disk = _server(talk).tenants._keeper._connection
        disk.execute("PRAGMA max_page_count = 10")
        large = {"model": "m", "instructions": "x" * 50_000}
        refused = await talk.ask("POST", "/v1/assistants", large)
        assert (talk.status, talk.sandbox.room.used) == (500, used)
        listed = await talk.ask("GET", "/v1/assistants")
        await talk.ask("DELETE", f"/v1/assistants/{first}")
        assert talk.status == 200
        disk.execute("PRAGMA max_page_count = 10000")
        again = await talk.ask("POST", "/v1/assistants", large)
    async with kept(tmp_path / "state.db") as talk:
        left = await talk.ask("GET", "/v1/assistants")
    assert refused["error"]["type"] == "server_error"
    assert "could not keep its state" in refused["error"]["message"]
    assert [[one["id"] for one in page["data"]] for page in (listed, left)] == [[first], [again["id"]]]


async def test_only_so_many_uploads_are_read_at_once() -> None:
    async with talking(Sandbox(SandboxOptions(uploads_max=1), StepClock(0))) as talk:
        reader, writer = await asyncio.open_connection(talk.client.host, talk.client.port)
        head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items() if name != "Content-Type")
        writer.write(f"POST /v1/files HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 2\r\n\r\nx".encode())
        while not _server(talk)._uploads.locked():  # noqa: ASYNC110  a task of this very loop takes it
            await asyncio.sleep(0)
        second = asyncio.ensure_future(talk.upload("waits for the first"))
        other = await talk.ask("GET", "/v1/files")
        assert (other["data"], second.done()) == ([], False)
        writer.write(b"x")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        assert (await second).startswith("file-")
        writer.close()


async def test_a_body_that_does_not_come_is_given_up() -> None:
    async with talking(Sandbox(SandboxOptions(body_s=0.05), StepClock(0))) as talk:
        reader, writer = await asyncio.open_connection(talk.client.host, talk.client.port)
        head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        writer.write(f"POST /v1/threads HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 2\r\n\r\n{{".encode())
        answer = await reader.readuntil(b"}\n}")
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"longer than body_s, 0.05 s" in answer


def test_a_file_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "state.db")
    connection = keeper._connection
    connection.execute("INSERT INTO tenant VALUES (0, ?, 0)", (b"hash",))
    connection.execute("INSERT INTO object VALUES (1, 0, 'thread', 'thread_1', ?, NULL)", (b'{"thread": 1}',))
    connection.commit()
    keeper.close()
    with pytest.raises(ConfigError, match="holds what this Wiretape cannot read"):
        served(SandboxOptions(state=str(tmp_path / "state.db")))
    Keeper(tmp_path / "state.db").close()


async def test_a_damaged_file_is_refused_by_name_or_read(tmp_path: Path) -> None:
    """Whatever byte is another: it is in a header, in the tables, in a document, in a text, or in what nobody uses."""
    async with kept(tmp_path / "whole.db") as talk:
        await _everything(talk)
    whole, said = (tmp_path / "whole.db").read_bytes(), []
    for number in range(200):
        path, place = tmp_path / f"{number}.db", number * 7919 % (100 if number % 4 == 0 else len(whole))
        path.write_bytes(whole[:place] + (b"" if number % 10 == 1 else b"\xff{\x00\x07" + whole[place + 4 :]))
        said.append(_complaint(path))
    refused = [text for text in said if text]
    assert len(refused) > 50
    assert all(str(tmp_path) in text for text in refused)


def _complaint(path: Path) -> str:
    """What a start says of a file that it cannot have; nothing where it can."""
    try:
        with closing(Keeper(path)) as keeper:
            Tenants(Sandbox(), keeper)
    except ConfigError as error:
        return str(error)
    return ""


async def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    async def start() -> tuple[asyncio.subprocess.Process, str]:
        words = ["-m", "wiretape", "sandbox", "--listen", "127.0.0.1:0", "--state", "state.db"]
        server = await asyncio.create_subprocess_exec(
            sys.executable, *words, cwd=tmp_path, env=environment(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert server.stdout is not None
        said = (await server.stdout.readline()).decode()
        return server, said.split()[4].rstrip(";")

    async with ClientSession(headers=HEADERS, trust_env=False) as session:
        server, url = await start()
        made = [await _named(session, url, str(number)) for number in range(5)]
        server.send_signal(signal.SIGKILL)
        await server.wait()
        server, url = await start()
        async with session.get(f"{url}/v1/assistants?order=asc") as response:
            listed = [one["id"] for one in (await response.json())["data"]]
        server.terminate()
        await server.wait()
    assert listed == made  # and nothing that the server has put there itself


async def _named(session: Any, url: str, name: str) -> str:
    async with session.post(f"{url}/v1/assistants", json={"model": "m", "name": name}) as response:
        return str((await response.json())["id"])
