"""Microseconds for an event, ours against the openai SDK's decoder, in one run over the same bytes.

    python tests/bench/decoder.py [rounds]

211 events, 53 KB, one read for each event, as `performance.md` has it. Nothing is asserted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import cast

from openai._models import construct_type
from openai._streaming import SSEDecoder
from openai.types.beta import AssistantStreamEvent

from wiretape.dialects import assistants
from wiretape.dialects.assistants.decode import decode
from wiretape.exchange import Chunk, Ending, Head, How, Request
from wiretape.runs.observer import RunOptions, Runs
from wiretape.wire.sse import Framer

TEXT_DELTAS = 200
RUN_TAIL = {
    "created_at": 1767225600,
    "assistant_id": "asst_NfZwRJhyj5PzSJxkKIv6IK65",
    "thread_id": "thread_2wFQsVFOs3CfYlcdgDs25sPd",
    "started_at": None,
    "expires_at": 1767226200,
    "cancelled_at": None,
    "failed_at": None,
    "completed_at": None,
    "required_action": None,
    "last_error": None,
    "model": "gpt-4o",
    "instructions": "Write at length.",
    "tools": [],
    "tool_resources": {},
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "reasoning_effort": None,
    "max_completion_tokens": None,
    "max_prompt_tokens": None,
    "truncation_strategy": {"type": "auto", "last_messages": None},
    "incomplete_details": None,
    "usage": None,
    "response_format": "auto",
    "tool_choice": "auto",
    "parallel_tool_calls": True,
}


def stream() -> list[bytes]:
    """A text run, one piece for each event."""
    return [f"event: {name}\ndata: {data}\n\n".encode() for name, data in _events()]


def _events() -> Iterator[tuple[str, str]]:
    for name in ("created", "queued", "in_progress"):
        status = "queued" if name == "created" else name
        yield f"thread.run.{name}", _json({"id": "run_1", "object": "thread.run", "status": status} | RUN_TAIL)
    yield from _step("in_progress", "created", "in_progress")
    for name in ("created", "in_progress"):
        yield f"thread.message.{name}", _json({"id": "msg_1", "object": "thread.message", "content": []})
    for at in range(TEXT_DELTAS):
        part = {"index": 0, "type": "text", "text": {"value": f" word{at}"}}
        delta = {"id": "msg_h4NmWI1YxNOkWft1K6iG3tTw", "object": "thread.message.delta", "delta": {"content": [part]}}
        yield "thread.message.delta", _json(delta)
    yield "thread.message.completed", _json({"id": "msg_1", "object": "thread.message", "content": []})
    yield from _step("completed", "completed")
    run = {"id": "run_1", "object": "thread.run", "status": "completed"} | RUN_TAIL
    yield (
        "thread.run.completed",
        _json(run | {"usage": {"prompt_tokens": 9, "completion_tokens": 200, "total_tokens": 209}}),
    )
    yield "done", "[DONE]"


def _step(status: str, *names: str) -> Iterator[tuple[str, str]]:
    details = {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}
    step = {"id": "step_1", "object": "thread.run.step", "run_id": "run_1", "type": "message_creation"}
    return ((f"thread.run.step.{name}", _json(step | {"status": status, "step_details": details})) for name in names)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def framing(pieces: list[bytes]) -> None:
    framer = Framer()
    for piece in pieces:
        framer.feed(piece)


def typed(pieces: list[bytes]) -> None:
    framer = Framer()
    for piece in pieces:
        for frame in framer.feed(piece):
            decode(frame.event, frame.data or b"")


def facts(pieces: list[bytes]) -> None:
    framer = Framer()
    for piece in pieces:
        for frame in framer.feed(piece):
            assistants.event(frame)


def watched(pieces: list[bytes]) -> None:
    runs = Runs(RunOptions(), lambda _: None, lambda: 1)
    watch = runs.watch(Request("POST", "/v1/threads/t/runs", (), 0, 0), mode="forward", cassette=None)
    watch.head(Head(200, ((b"content-type", b"text/event-stream"),), 1))
    for at_ns, piece in enumerate(pieces, 2):
        watch.chunk(Chunk(piece, at_ns))
    watch.end(Ending(How.COMPLETE, len(pieces) + 2))


def sdk_framing(pieces: list[bytes]) -> None:
    for _ in SSEDecoder().iter_bytes(iter(pieces)):
        pass


def sdk(pieces: list[bytes]) -> None:
    for sse in SSEDecoder().iter_bytes(iter(pieces)):
        if sse.data.startswith("[DONE]"):
            break
        construct_type(type_=cast("type", AssistantStreamEvent), value={"event": sse.event, "data": sse.json()})


def measured(work: Callable[[list[bytes]], None], pieces: list[bytes], rounds: int) -> float:
    """The best of the rounds, in microseconds for an event."""
    best = min(_timed(work, pieces) for _ in range(rounds))
    return best / len(pieces) / 1000


def _timed(work: Callable[[list[bytes]], None], pieces: list[bytes]) -> int:
    start = time.perf_counter_ns()
    work(pieces)
    return time.perf_counter_ns() - start


def rows(rounds: int = 200) -> list[dict[str, str]]:
    """Measure every variant; a row for each."""
    pieces = stream()
    joined = [b"".join(pieces[at : at + 16]) for at in range(0, len(pieces), 16)]
    few = max(rounds // 20, 3)
    found = {
        "framing": measured(framing, pieces, rounds),
        "framing, typed decode": measured(typed, pieces, rounds),
        "framing, typed decode, facts": measured(facts, pieces, rounds),
        "the same, 16 events a read": measured(facts, joined, rounds) * len(joined) / len(pieces),
        "all of it: `Watch`, from chunk to report": measured(watched, pieces, rounds),
        "openai SDK: `SSEDecoder`": measured(sdk_framing, pieces, few),
        "openai SDK: `SSEDecoder`, JSON, construct": measured(sdk, pieces, few),
    }
    return [{"variant": name, "µs/event": f"{cost:.2f}"} for name, cost in found.items()]


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else 200):
        print(f"{row['variant']:44}{row['µs/event']:>10}")  # noqa: T201  a script speaks to its caller
