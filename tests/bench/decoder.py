"""Microseconds for an event, ours against the openai SDK's decoder, in one run over the same bytes.

    python tests/bench/decoder.py [rounds]

211 events, one read for each event. What is wanted is said at the end, and whether it was met; nothing is asserted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import openai
from msgspec import Struct
from openai._streaming import SSEDecoder, Stream
from openai.types.beta import AssistantStreamEvent

from wiretape.dialects import assistants
from wiretape.dialects.assistants.decode import decode
from wiretape.exchange import Chunk, Ending, Head, How, Request
from wiretape.runs.bodies import StreamAnswer
from wiretape.runs.observer import RunOptions, Runs
from wiretape.wire.sse import Framer

_CLIENT = openai.OpenAI(api_key="sk-none")
TIMES = "\N{MULTIPLICATION SIGN}"
TIMES_LESS = 50.0
"""What is wanted: the SDK's CPU for an event over ours."""
EVENT_STREAM = ((b"content-type", b"text/event-stream"),)
TEXT_DELTAS = 200
MESSAGE = "msg_h4NmWI1YxNOkWft1K6iG3tTw"
OURS = "all of it, as the tee does: `Watch`, from chunk to report"
READS = "the same by a stream's reader, which knows what is alike"
SDK_READS = "openai SDK: `Stream`, as `create(stream=True)` gives it"
SDK = "openai SDK: `AssistantEventHandler` over it, as `runs.stream()` gives it"
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
    message = {"id": MESSAGE, "object": "thread.message", "role": "assistant"}
    for name in ("created", "in_progress"):
        yield f"thread.message.{name}", _json({**message, "status": "in_progress", "content": []})
    for at in range(TEXT_DELTAS):
        part = {"index": 0, "type": "text", "text": {"value": f" word{at}"}}
        delta = {"id": MESSAGE, "object": "thread.message.delta", "delta": {"content": [part]}}
        yield "thread.message.delta", _json(delta)
    text = {"value": "".join(f" word{at}" for at in range(TEXT_DELTAS)), "annotations": []}
    whole = {**message, "status": "completed", "content": [{"type": "text", "text": text}]}
    yield "thread.message.completed", _json(whole)
    yield from _step("completed", "completed")
    run = {"id": "run_1", "object": "thread.run", "status": "completed"} | RUN_TAIL
    yield (
        "thread.run.completed",
        _json(run | {"usage": {"prompt_tokens": 9, "completion_tokens": 200, "total_tokens": 209}}),
    )
    yield "done", "[DONE]"


def _step(status: str, *names: str) -> Iterator[tuple[str, str]]:
    details = {"type": "message_creation", "message_creation": {"message_id": MESSAGE}}
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


def read(pieces: list[bytes]) -> None:
    answer = StreamAnswer(assistants, EVENT_STREAM, RunOptions())
    for piece in pieces:
        answer.feed(piece)


def watched(pieces: list[bytes]) -> None:
    runs = Runs(RunOptions(), lambda _: None, lambda: 1)
    watch = runs.watch(Request("POST", "/v1/threads/t/runs", (), 0, 0), mode="forward", cassette=None)
    watch.head(Head(200, EVENT_STREAM, 1))
    for at_ns, piece in enumerate(pieces, 2):
        watch.chunk(Chunk(piece, at_ns))
    watch.end(Ending(How.COMPLETE, len(pieces) + 2))


def sdk_framing(pieces: list[bytes]) -> None:
    for _ in SSEDecoder().iter_bytes(iter(pieces)):
        pass


class _Response:
    """What the SDK reads a stream from; its HTTP client costs nothing here."""

    request = None

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def iter_bytes(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None: ...


def _sdk(pieces: list[bytes]) -> Stream[AssistantStreamEvent]:
    return Stream(cast_to=cast("Any", AssistantStreamEvent), response=cast("Any", _Response(pieces)), client=_CLIENT)


def sdk_raw(pieces: list[bytes]) -> None:
    for _ in _sdk(pieces):
        pass


def sdk_helper(pieces: list[bytes]) -> None:
    handler = openai.AssistantEventHandler()
    handler._init(_sdk(pieces))
    handler.until_done()


def measured(work: Callable[[list[bytes]], None], pieces: list[bytes], rounds: int) -> float:
    """The best of the rounds, in microseconds for an event."""
    best = min(_timed(work, pieces) for _ in range(rounds))
    return best / len(pieces) / 1000


def _timed(work: Callable[[list[bytes]], None], pieces: list[bytes]) -> int:
    start = time.thread_time_ns()
    work(pieces)
    return time.thread_time_ns() - start


class Found(Struct, frozen=True):
    """Microseconds for an event, by variant."""

    costs: dict[str, float]

    def rows(self) -> list[dict[str, str]]:
        """A row for each variant."""
        return [{"variant": name, "µs/event": f"{cost:.2f}"} for name, cost in self.costs.items()]

    def targets(self) -> list[dict[str, str]]:
        """What was wanted, and whether it was met: decoding alone, and with all that either keeps of it."""
        pairs = {"decoding": (SDK_READS, READS), "with the run that it tells of": (SDK, OURS)}
        return [{"the SDK's CPU over ours": what, "": self._verdict(*pair)} for what, pair in pairs.items()]

    def _verdict(self, theirs: str, ours: str) -> str:
        ratio = self.costs[theirs] / self.costs[ours]
        return f"≥ {TIMES_LESS:g}{TIMES}: {ratio:.1f}{TIMES}, {'met' if ratio >= TIMES_LESS else '**missed**'}"


def measure(rounds: int = 200) -> Found:
    """Measure every variant."""
    pieces = stream()
    joined = [b"".join(pieces[at : at + 16]) for at in range(0, len(pieces), 16)]
    few = max(rounds // 4, 3)
    return Found(
        {
            "framing": measured(framing, pieces, rounds),
            "framing, typed decode": measured(typed, pieces, rounds),
            "framing, typed decode, facts": measured(facts, pieces, rounds),
            READS: measured(read, pieces, rounds),
            "framing, typed decode, facts, 16 events a read": measured(facts, joined, rounds)
            * len(joined)
            / len(pieces),
            OURS: measured(watched, pieces, rounds),
            "openai SDK: `SSEDecoder` alone": measured(sdk_framing, pieces, few),
            SDK_READS: measured(sdk_raw, pieces, few),
            SDK: measured(sdk_helper, pieces, few),
        }
    )


if __name__ == "__main__":
    found = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    for name, cost in found.costs.items():
        print(f"{name:76}{cost:>8.2f}")  # noqa: T201  a script speaks to its caller
    for row in found.targets():
        print(*row.values(), sep=": ")  # noqa: T201  as above
