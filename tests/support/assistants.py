"""What the sandbox's tests share: the grammar of event streams, and a client that speaks plain HTTP."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import msgspec
from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer

from wiretape.sandbox.server import application
from wiretape.sandbox.state import Sandbox, SandboxOptions
from wiretape.testing import StepClock

HEADERS = {"Authorization": "Bearer any", "OpenAI-Beta": "assistants=v2"}
FAST = SandboxOptions(pace_s=0, queue_s=0)
Events = list[tuple[str, Any]]

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
            "required": ["city"],
        },
    },
}
TIME = {
    "type": "function",
    "function": {
        "name": "local_time",
        "description": "What the clock says somewhere",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}

SHORT = {
    "thread.created": "tc",
    "thread.run.created": "rc",
    "thread.run.queued": "rq",
    "thread.run.in_progress": "rp",
    "thread.run.requires_action": "ra",
    "thread.run.completed": "rC",
    "thread.run.incomplete": "rI",
    "thread.run.failed": "rF",
    "thread.run.cancelling": "rx",
    "thread.run.cancelled": "rX",
    "thread.run.expired": "rE",
    "thread.run.step.created": "sc",
    "thread.run.step.in_progress": "sp",
    "thread.run.step.delta": "sd",
    "thread.run.step.completed": "sC",
    "thread.run.step.failed": "sF",
    "thread.run.step.cancelled": "sX",
    "thread.run.step.expired": "sE",
    "thread.message.created": "mc",
    "thread.message.in_progress": "mp",
    "thread.message.delta": "md",
    "thread.message.completed": "mC",
    "thread.message.incomplete": "mI",
    "done": "done",
}

GRAMMAR = re.compile(
    r"((tc )?rc rq |(sC )+rq )"  # opening
    r"(rp (sc sp mc mp (md )*(mC sC|mI s[FXEC]) |sc sp (sd )+s[CFXE] )*"  # steps that closed
    r"(sc sp (sd )+(?=ra ))?)?"  # the step of function calls stays open at the pause
    r"(ra|rC|rI|rF|rE|(rx )?rX) done"
)
"""Reference chapter 7, over the short names."""


def parsed(stream: bytes) -> Events:
    """The events of a stream, whose byte form is checked on the way (reference chapter 4)."""
    assert stream.endswith(b"\n\n")
    events: Events = []
    for block in stream[:-2].split(b"\n\n"):
        name, data = re.fullmatch(rb"event: (\S+)\ndata: ([^\n]+)", block).groups()  # type: ignore[union-attr]
        events.append((name.decode(), "[DONE]" if data == b"[DONE]" else msgspec.json.decode(data)))
    return events


def check(events: Events) -> None:
    """Assert the grammar, and the rules over ids, pairs, deltas and usage that reference chapters 5 to 7 list."""
    shape = " ".join(SHORT[name] for name, _ in events)
    assert GRAMMAR.fullmatch(shape), shape
    _check_pairs(events)
    _check_ids(events)
    _check_texts(events)
    _check_calls(events)


def _check_pairs(events: Events) -> None:
    for (name, data), (_, following) in pairwise(events):
        if name.endswith(".created") and name != "thread.created":
            assert data == following


def _check_ids(events: Events) -> None:
    runs = [data for name, data in events if data != "[DONE]" and data["object"] == "thread.run"]
    assert len({run["id"] for run in runs}) == 1
    assert len({run["thread_id"] for run in runs}) == 1
    steps = {data["id"]: data for name, data in events if name == "thread.run.step.created"}
    messages = {data["id"] for name, data in events if name == "thread.message.created"}
    made = {one["step_details"]["message_creation"]["message_id"] for one in steps.values() if one["type"][0] == "m"}
    assert messages == made
    assert {data["id"] for name, data in events if name == "thread.run.step.delta"} <= set(steps)
    assert {data["id"] for name, data in events if name == "thread.message.delta"} <= messages


def text_of(events: Events) -> str:
    """The text deltas, joined."""
    deltas = [data for name, data in events if name == "thread.message.delta"]
    return "".join(part["text"]["value"] for delta in deltas for part in delta["delta"]["content"])


def _check_texts(events: Events) -> None:
    deltas = [data["delta"]["content"][0]["text"] for name, data in events if name == "thread.message.delta"]
    assert ["annotations" in delta for delta in deltas] == [True, *[False] * (len(deltas) - 1)][: len(deltas)]
    for name, data in events:
        if name in {"thread.message.completed", "thread.message.incomplete"}:
            assert "".join(part["text"]["value"] for part in data["content"]) == text_of(events)


def _check_calls(events: Events) -> None:
    calls: list[dict[str, Any]] = []
    for name, data in events:
        if name == "thread.run.step.delta":
            _join(calls, data["delta"]["step_details"]["tool_calls"][0])
        if name == "thread.run.requires_action":
            assert data["required_action"]["submit_tool_outputs"]["tool_calls"] == calls
            assert data["usage"] is None


def _join(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    if piece["index"] == len(calls):
        assert list(piece) == ["index", "id", "type", "function"]
        assert piece["function"] == {"name": piece["function"]["name"], "arguments": "", "output": None}
        function = {"name": piece["function"]["name"], "arguments": ""}
        calls.append({"id": piece["id"], "type": piece["type"], "function": function})
        return
    assert list(piece) == ["index", "type", "function"]
    assert list(piece["function"]) == ["arguments"]
    calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]


def summed(usages: list[dict[str, Any]]) -> dict[str, Any]:
    """The sum of usages, inner details included."""
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    cached = sum(one["prompt_token_details"]["cached_tokens"] for one in usages)
    reasoning = sum(one["completion_tokens_details"]["reasoning_tokens"] for one in usages)
    return {
        **{name: sum(one[name] for one in usages) for name in names},
        "prompt_token_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


class Talk:
    """A client without an SDK: what was answered, to the byte."""

    def __init__(self, client: TestClient[Any, Any], sandbox: Sandbox) -> None:
        self.client = client
        self.sandbox = sandbox
        self.answers: list[tuple[int, list[tuple[str, str]], bytes]] = []

    async def ask(self, method: str, path: str, sent: Any = None, headers: dict[str, str] | None = None) -> Any:
        """The parsed answer: events of a stream, else JSON; all is kept in `answers`."""
        body = b"" if sent is None else msgspec.json.encode(sent)
        typed = {"Content-Type": "application/json", **(headers or HEADERS)}
        async with self.client.request(method, path, data=body, headers=typed) as response:
            answered = await response.read()
            self.answers.append((response.status, list(response.headers.items()), answered))
            is_stream = response.content_type == "text/event-stream"
        return parsed(answered) if is_stream else msgspec.json.decode(answered)

    @property
    def status(self) -> int:
        """The last answer's."""
        return self.answers[-1][0]

    async def assistant(self, **fields: Any) -> str:
        """A new assistant's id."""
        created = await self.ask("POST", "/v1/assistants", {"model": "gpt-4o", **fields})
        return str(created["id"])

    async def upload(self, text: str, name: str = "notes.txt") -> str:
        """A new file's id."""
        form = FormData({"purpose": "assistants"})
        form.add_field("file", text.encode(), filename=name)
        async with self.client.post("/v1/files", data=form, headers=HEADERS) as response:
            return str(msgspec.json.decode(await response.read())["id"])

    async def run(self, assistant_id: str, question: str, **fields: Any) -> Any:
        """A new thread with this question, and a run on it."""
        thread = {"messages": [{"role": "user", "content": question}]}
        return await self.ask("POST", "/v1/threads/runs", {"assistant_id": assistant_id, "thread": thread, **fields})


def path_of(run: dict[str, Any]) -> str:
    """A run's own path."""
    return f"/v1/threads/{run['thread_id']}/runs/{run['id']}"


@asynccontextmanager
async def talking(sandbox: Sandbox | None = None) -> AsyncIterator[Talk]:
    """A sandbox on a free port, and a client of it."""
    served = sandbox or Sandbox(FAST, StepClock(step_s=0))
    async with TestClient(TestServer(application(served))) as client:
        yield Talk(client, served)
