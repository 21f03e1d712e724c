"""The same conversation recorded twice, by the official SDK, from servers that share neither ids nor clock.

What a reviewer sees change in the file, line by line, and what `wiretape cassette diff` sees: nothing.
"""

import asyncio
import json
import re
import secrets
from pathlib import Path
from typing import Any

import openai
import pytest
from aiohttp.test_utils import TestServer

from support.command import wiretape
from support.proxied import proxied
from support.scenarios import WEATHER
from support.sdk import client
from wiretape.cassette.plan import Mode
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.server import application
from wiretape.sandbox.state import Sandbox

MOMENTS = re.compile(
    r'"(?:created_at|started_at|completed_at|expires_at|last_active_at)":\d+'  # timestamps of the server
    r'|\["(?:Date|x-request-id|openai-processing-ms|Host)","[^"]*"\]'
)


def converse(api: openai.OpenAI) -> None:
    """A tool run and a plain one, streamed; then what a client reads of them."""
    assistant = api.beta.assistants.create(model="gpt-4o-mini", name="Twice", tools=[WEATHER])  # type: ignore[list-item]
    thread = api.beta.threads.create(messages=[{"role": "user", "content": "What is the weather in Lisbon?"}])
    with api.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        stream.until_done()
        run = stream.current_run
    assert run is not None
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    outputs: Any = [{"tool_call_id": call.id, "output": "sunny, 21 degrees"} for call in calls]
    with api.beta.threads.runs.submit_tool_outputs_stream(
        thread_id=thread.id, run_id=run.id, tool_outputs=outputs
    ) as stream:
        stream.until_done()
    api.beta.threads.messages.create(thread.id, role="user", content="Say hello.")
    with api.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id, tools=[]) as stream:
        stream.until_done()
        plain = stream.current_run
    assert plain is not None
    assert api.beta.threads.runs.retrieve(plain.id, thread_id=thread.id).status == "completed"
    assert len(list(api.beta.threads.runs.steps.list(run.id, thread_id=thread.id))) == 2
    assert len(list(api.beta.threads.messages.list(thread.id))) == 4


async def recorded(stem: Path) -> list[str]:
    options = SandboxOptions(seed=secrets.randbelow(1 << 30), pace_s=0.001, queue_s=0.01)
    server = TestServer(application(Sandbox(options)))
    await server.start_server()
    try:
        async with proxied(str(server.make_url("")).rstrip("/"), mode=Mode.RECORD, cassette=(str(stem),)) as proxy:
            with client(proxy.traffic.url) as api:
                await asyncio.to_thread(converse, api)
            await proxy.close()
    finally:
        await server.close()
    return stem.with_name(f"{stem.name}.tape.jsonl").read_text().splitlines()


@pytest.mark.filterwarnings(r"ignore:(deprecated\Z|The Assistants API is deprecated):DeprecationWarning")
async def test_only_ids_times_and_checksums_change_when_a_conversation_is_recorded_again(tmp_path: Path) -> None:
    first, second = [await recorded(tmp_path / name) for name in ("first", "second")]
    kinds = [json.loads(line)["k"] for line in first]
    assert kinds == [json.loads(line)["k"] for line in second]
    body = [at for at, kind in enumerate(kinds) if kind in {"req", "res", "ev"}]
    changed = [at for at in body if first[at] != second[at]]
    beyond = [at for at in body if MOMENTS.sub("", first[at]) != MOMENTS.sub("", second[at])]
    ends = [at for at, kind in enumerate(kinds) if kind == "end"]
    print(  # noqa: T201  the figures, for whoever runs it with -s
        f"{len(first)} lines: {len(body)} of bodies, {len(changed)} changed, {len(beyond)} beyond timestamps "
        f"and request ids; {sum(first[at] != second[at] for at in ends)} of {len(ends)} times and checksums; "
        f"{len(json.loads(first[0])['ids'])} ids"
    )
    assert json.loads(first[0])["ids"].keys() == json.loads(second[0])["ids"].keys()
    assert not set(json.loads(first[0])["ids"].values()) & set(json.loads(second[0])["ids"].values())
    assert len(body) > 80
    assert len(beyond) <= 0.05 * len(body)
    ran = await wiretape("cassette", "diff", "./first", "./second", cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "The two say the same: 9 interactions compared.\n")
    for name in ("first", "second"):
        assert (await wiretape("cassette", "lint", "--strict", f"./{name}", cwd=tmp_path)).code == 0
