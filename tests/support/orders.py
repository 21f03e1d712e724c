"""Whole streams to break: the shortest of each shape, as events with data that tests may change, and sandbox runs."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from support.assistants import TIME, WEATHER
from support.streams import frames
from wiretape.runs.order import Finding, order
from wiretape.sandbox import api
from wiretape.sandbox.life import Leg, Life
from wiretape.sandbox.server import DONE, frame
from wiretape.sandbox.state import Sandbox, SandboxOptions
from wiretape.testing import EPOCH_S

START = ("POST", "/v1/threads/runs")
RESUME = ("POST", "/v1/threads/t/runs/r/submit_tool_outputs")
EITHER = ("GET", "/v1/threads/t/runs")
Event = tuple[str, Any]
"""A name without its `thread.`, and data: an object, or text as it is sent."""


def findings(body: bytes, asked: tuple[str, str] = EITHER) -> list[Finding]:
    """What is found in a stream's bytes."""
    check = order(*asked)
    assert check is not None
    for one in frames(body):
        if one.data is not None:
            check.feed(one.event, one.data)
    return check.finish()


def found(events: list[Event], asked: tuple[str, str] = EITHER) -> list[tuple[int, str, str]]:
    """Number, rule and severity of each finding in these events."""
    check = order(*asked)
    assert check is not None
    for name, told in events:
        data = told if isinstance(told, bytes) else json.dumps(told).encode()
        check.feed(full(name), data)
    return [(one.number, one.rule, str(one.severity)) for one in check.finish()]


def full(name: str) -> str:
    """An event's whole name."""
    return name if name in {"done", "error", ""} else f"thread.{name}"


def used(count: int) -> dict[str, int]:
    """Usage of so many tokens on either side."""
    return {"prompt_tokens": count, "completion_tokens": count, "total_tokens": 2 * count}


def run(status: str, /, **fields: Any) -> Event:
    """An event of a run; `created` is queued."""
    state = "queued" if status == "created" else status
    told = {"id": "run", "object": "thread.run", "thread_id": "thread", "status": state}
    is_over = status in {"completed", "incomplete", "failed", "cancelled", "expired"}
    return f"run.{status}", told | {"expires_at": None, "usage": used(1) if is_over else None} | fields


def step(status: str, step_id: str = "step", /, **fields: Any) -> Event:
    """An event of a step that makes the message `msg`."""
    state = "in_progress" if status == "created" else status
    told = {"id": step_id, "run_id": "run", "thread_id": "thread", "status": state, "type": "message_creation"}
    usage = None if state == "in_progress" else used(1)
    details = {"type": "message_creation", "message_creation": {"message_id": "msg"}}
    return f"run.step.{status}", told | {"step_details": details, "usage": usage} | fields


def tools(status: str, /, *calls: Any, **fields: Any) -> Event:
    """An event of a step that calls tools."""
    return step(
        status, **({"type": "tool_calls", "step_details": {"type": "tool_calls", "tool_calls": calls}} | fields)
    )


def function(arguments: str, **fields: Any) -> dict[str, Any]:
    """A call or a piece of one."""
    return {"type": "function", "function": {"name": "f", "arguments": arguments}} | fields


def piece(*calls: Any, step_id: str = "step") -> Event:
    """A delta of a step."""
    return "run.step.delta", {"id": step_id, "delta": {"step_details": {"type": "tool_calls", "tool_calls": calls}}}


def message(status: str, text: str = "", /, **fields: Any) -> Event:
    """An event of the message `msg`."""
    state = "in_progress" if status == "created" else status
    content = [{"type": "text", "text": {"value": text, "annotations": []}}] if text else []
    told = {"id": "msg", "run_id": "run", "thread_id": "thread", "status": state, "content": content}
    return f"message.{status}", told | fields


def words(value: str, **fields: Any) -> Event:
    """A delta of the message."""
    delta = {"content": [{"index": 0, "type": "text", "text": {"value": value}}]}
    return "message.delta", {"id": "msg", "delta": delta} | fields


def paused(*calls: Any, **fields: Any) -> Event:
    """The pause that waits for these calls."""
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}
    return run("requires_action", **({"required_action": action} | fields))


ENDED: Event = ("done", b"[DONE]")
OPENED = [run("created"), run("queued"), run("in_progress")]
STEP = [step("created"), step("in_progress")]
MESSAGE = [message("created"), message("in_progress")]
TOOLS = [tools("created"), tools("in_progress")]
TEXT = [
    *OPENED,
    *STEP,
    *MESSAGE,
    words("a"),
    words("b"),
    message("completed", "ab"),
    step("completed"),
    run("completed"),
    ENDED,
]
"""Numbers: 3 in progress, 4-5 step, 6-7 message, 8-9 deltas, 10-11 completed, 12 end, 13 done."""
CALLS = [
    *OPENED,
    *TOOLS,
    piece(function("", index=0, id="call")),
    piece(function("{}", index=0)),
    paused(function("{}", id="call")),
    ENDED,
]
"""Numbers: 4-5 step, 6-7 deltas, 8 pause, 9 done."""
ANSWERED = tools("completed", {"type": "function", "function": {"arguments": "{}", "output": "ok"}, "id": "call"})
RESUMED = [ANSWERED, run("queued"), run("in_progress"), *[(n, d | {"id": "two"}) for n, d in STEP], *TEXT[5:10]]
RESUMED += [step("completed", "two"), run("completed", usage=used(3)), ENDED]
"""Numbers: 1 the old step, 2 queued, 3 in progress, … 12 end; a step of an earlier stream used the third token."""


class Stage:
    """A sandbox without a server, and whole streams of its runs."""

    def __init__(self, seed: int) -> None:
        self._sandbox = Sandbox(SandboxOptions(seed=seed))
        self._now_s = EPOCH_S
        self._agent = self._ask(api.create_assistant, {"model": "m", "tools": [WEATHER, TIME]}).id

    def streams(self, question: str, cancel_after_s: float | None, **metadata: str) -> list[tuple[bytes, bool]]:
        """The streams of one run, each with whether it resumes one; cancelled so long after its beginning."""
        thread = {"messages": [{"role": "user", "content": question}]}
        asked = {"assistant_id": self._agent, "thread": thread, "stream": True, "metadata": metadata}
        life = self._ask(api.create_thread_and_run, asked)
        streams = [(self._played(life, life.leg, cancel_after_s), False)]
        if life.run.status == "requires_action":
            calls = life.run.required_action.submit_tool_outputs.tool_calls
            outputs = [{"tool_call_id": call.id, "output": '{"temperature_c": 21}'} for call in calls]
            ids = {"thread_id": life.run.thread_id, "run_id": life.run.id}
            self._ask(api.submit_tool_outputs, {"tool_outputs": outputs, "stream": True}, **ids)
            streams.append((self._played(life, life.leg, None), True))
        return streams

    def _ask(self, endpoint: api.Endpoint, sent: Any, **ids: str) -> Any:
        body = msgspec.json.encode(sent)
        return endpoint(self._sandbox, api.Call(ids=ids, query={}, body=body, now_s=self._now_s))

    def _played(self, life: Life, leg: Leg, cancel_after_s: float | None) -> bytes:
        if cancel_after_s is not None:
            self._wait(life, cancel_after_s)
            self._cancel(life)
        while not life.run.ended and life.run.status != "requires_action":
            self._wait(life, max(0.0, (life.due_s or 0.0) - self._now_s))
        return b"".join(frame(beat) for beat in leg.played) + DONE

    def _wait(self, life: Life, wait_s: float) -> None:
        self._now_s += wait_s
        life.advance(self._now_s)

    def _cancel(self, life: Life) -> None:
        if not life.run.ended and life.run.status != "requires_action":
            life.cancel(self._now_s, 0.02)
