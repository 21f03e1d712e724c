"""The conversations of the golden cassettes: each is a script that a client of raw HTTP follows."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer
from msgspec import Struct
from yarl import URL

from support.situations import SITUATIONS
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.server import application
from wiretape.sandbox.state import Sandbox
from wiretape.testing import StepClock

HEADERS = {
    "Accept-Encoding": "identity",
    "Authorization": "Bearer sk-golden-0123456789abcdefghijklmnop",
    "OpenAI-Beta": "assistants=v2",
    "Host": "golden.test",
    "User-Agent": "golden",
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TERMINAL = frozenset({"completed", "failed", "cancelled", "expired", "incomplete"})


class Answered(Struct, frozen=True):
    """What the client got, as it was on the wire."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def json(self) -> Any:
        """Parse a JSON body."""
        return json.loads(self.body)

    def events(self) -> list[tuple[str, Any]]:
        """Split a stream of plain frames; a parser that shares nothing with ours."""
        blocks = self.body.decode().split("\n\n")[:-1]
        pairs = (block.split("\n", 1) for block in blocks)
        return [(event.removeprefix("event: "), data.removeprefix("data: ")) for event, data in pairs]


Ask = Callable[..., Awaitable[Answered]]
Scenario = Callable[[Ask], Awaitable[None]]


async def text_run(ask: Ask) -> None:
    """A streamed run that answers in text, and its steps and messages read afterwards."""
    thread, run = await _begin(ask, "Say hello to the golden test.", stream=True)
    await ask("GET", f"/v1/threads/{thread}/runs/{run}")
    await ask("GET", f"/v1/threads/{thread}/runs/{run}/steps?order=asc")
    await ask("GET", f"/v1/threads/{thread}/messages?limit=2")


async def tool_run(ask: Ask) -> None:
    """A run over two streams, with a function call between them."""
    asking = await _stream(ask, "What is the weather in Lisbon?", tools=[WEATHER])
    run = json.loads(asking.events()[-2][1])
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = [{"tool_call_id": call["id"], "output": '{"sky":"clear","celsius":22}'} for call in calls]
    where = f"/v1/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    await ask("POST", where, {"tool_outputs": outputs, "stream": True})


async def polled_run(ask: Ask) -> None:
    """A run that is never streamed: created, then read until it has ended."""
    thread, run = await _begin(ask, "Take your time.")
    await _poll(ask, thread, run)
    await ask("GET", f"/v1/threads/{thread}/runs")


async def failed_run(ask: Ask) -> None:
    """A streamed run that fails for reasons of its own, with HTTP status 200."""
    await _stream(ask, "This will not end well.", metadata={"sandbox": "fail rate_limit_exceeded"})


async def cancelled_run(ask: Ask) -> None:
    """A run that is cancelled while it works."""
    thread, run = await _begin(ask, "Stop me.", metadata={"sandbox": "stall"})
    await _poll(ask, thread, run, {"in_progress"})
    await ask("POST", f"/v1/threads/{thread}/runs/{run}/cancel", {})
    await _poll(ask, thread, run)


SCENARIOS: Mapping[str, Scenario] = {
    "text-run": text_run,
    "tool-run": tool_run,
    "polled-run": polled_run,
    "failed-run": failed_run,
    "cancelled-run": cancelled_run,
    **SITUATIONS,
}


async def _begin(ask: Ask, words: str, **settings: Any) -> tuple[str, str]:
    if settings.get("stream"):
        run = json.loads((await _stream(ask, words, **settings)).events()[-2][1])
    else:
        run = (await _run(ask, words, **settings)).json()
    return run["thread_id"], run["id"]


async def _stream(ask: Ask, words: str, **settings: Any) -> Answered:
    return await _run(ask, words, **{**settings, "stream": True})


async def _run(ask: Ask, words: str, **settings: Any) -> Answered:
    tools = settings.pop("tools", [])
    assistant = await ask("POST", "/v1/assistants", {"model": "gpt-4o-mini", "name": "Golden", "tools": tools})
    thread = (await ask("POST", "/v1/threads", {})).json()["id"]
    await ask("POST", f"/v1/threads/{thread}/messages", {"role": "user", "content": words})
    return await ask("POST", f"/v1/threads/{thread}/runs", {"assistant_id": assistant.json()["id"], **settings})


async def _poll(ask: Ask, thread: str, run: str, until: AbstractSet[str] = TERMINAL) -> None:
    for _ in range(60):
        if (await ask("GET", f"/v1/threads/{thread}/runs/{run}")).json()["status"] in until:
            return
    raise AssertionError("the run does not end")


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[tuple[Ask, list[Answered]]]:
    """Open a raw client of a server; gives the function to ask with, and what was answered so far."""
    answers: list[Answered] = []
    async with aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=["Accept"], trust_env=False) as session:

        async def ask(method: str, target: str, body: object = None, media_type: str = "") -> Answered:
            sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
            headers = {**HEADERS, "Content-Type": media_type} if media_type else HEADERS
            async with session.request(method, URL(url + target, encoded=True), headers=headers, **sent) as got:
                answers.append(Answered(got.status, tuple(got.raw_headers), await got.read()))
            return answers[-1]

        yield ask, answers


@asynccontextmanager
async def sandboxed(step_s: float = 0.25, **options: Any) -> AsyncIterator[str]:
    """Run a sandbox whose time goes by looks, so that the same requests get the same bytes; gives its URL."""
    server = TestServer(application(Sandbox(SandboxOptions(**options), StepClock(step_s))))
    await server.start_server()
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()
