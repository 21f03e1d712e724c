"""Small recordings of our own, composed from the wire reference: one stream in each `.sse` file.

`function_call` pauses its run, `tool_outputs` finishes it; the others are whole runs, but for `error`,
whose run goes on somewhere else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wiretape.dialects import assistants
from wiretape.dialects.events import Fact
from wiretape.exchange import Chunk, Ending, Head, How, Request, Trace
from wiretape.runs.observer import RunOptions, Runs, Watch
from wiretape.runs.report import Correction, RunReport
from wiretape.runs.sketch import Sketch
from wiretape.wire.sse import Frame, Framer

MS = 1_000_000
S = 1_000_000_000
WALL = 1_767_225_600 * S
"""2026-01-01T00:00:00Z, the time the recordings start at."""
NAMES = ("function_call", "tool_outputs", "code_interpreter", "failed", "error")
SSE = ((b"Content-Type", b"text/event-stream; charset=utf-8"),)
JSON = ((b"Content-Type", b"application/json"),)
CALLS = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [{"id": "c", "type": "function"}]}}
FUNCTION_RUN = "run_5UELhUOuZAzHx4LP4AzUdIG1"


def stream(name: str) -> bytes:
    """The bytes of a recording."""
    return (Path(__file__).parent / "recordings" / f"{name}.sse").read_bytes()


def frames(body: bytes) -> list[Frame]:
    """Its frames."""
    framer = Framer()
    return framer.feed(body) + framer.finish()


def facts(body: bytes) -> list[Fact]:
    """What its events say."""
    return [fact for frame in frames(body) if frame.data is not None for fact in assistants.event(frame)]


def run(status: str = "queued", run_id: str = "run_1", **fields: Any) -> bytes:
    """A run as JSON."""
    told = {"id": run_id, "object": "thread.run", "status": status, "thread_id": "thread_1", "assistant_id": "asst_1"}
    return json.dumps(told | {"model": "gpt-4o"} | fields).encode()


def done(run_id: str = "run_1", prompt: int = 10, completion: int = 5, **fields: Any) -> bytes:
    """A completed run as JSON, with its tokens."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return run("completed", run_id, usage=usage, **fields)


def listed(*items: bytes) -> bytes:
    """A list answer."""
    return json.dumps({"object": "list", "data": [json.loads(item) for item in items]}).encode()


def event(name: str, data: bytes) -> bytes:
    """An event of a stream."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


class Desk:
    """A Runs with its reports, and exchanges as one call each; time moves only where it is told."""

    def __init__(self, **options: Any) -> None:
        self.reports: list[RunReport] = []
        self._ids = iter(range(1, 10_000))
        self.corrections: list[Correction] = []
        self.runs = Runs(RunOptions(**options), self.reports.append, self._ids.__next__, self.corrections.append)

    def request(self, method: str, target: str, at_ns: int, **fields: Any) -> Request:
        trace = Trace(trace_id=next(self._ids), server_span_id=next(self._ids), client_span_id=next(self._ids))
        return Request(method, target, (), at_ns, WALL + at_ns, **({"trace": trace} | fields))

    def watch(self, method: str, target: str, at_ns: int = 0, **fields: Any) -> Watch:
        return self.runs.watch(self.request(method, target, at_ns, **fields), mode="forward", cassette=None)

    def exchange(
        self,
        method: str,
        target: str,
        answer: bytes | list[bytes],
        *,
        asked: bytes = b"",
        status: int = 200,
        at_ns: int = 0,
        step_ns: int = MS,
        ending: Ending | None = None,
        **fields: Any,
    ) -> Watch:
        """One exchange; each piece of the answer comes `step_ns` after the one before."""
        watch = self.watch(method, target, at_ns, **fields)
        pieces = [answer] if isinstance(answer, bytes) else answer
        headers = SSE if pieces and pieces[0].startswith((b"event:", b"data:", b":")) else JSON
        if asked:
            watch.sent(Chunk(asked, at_ns))
        watch.head(Head(status, headers, at_ns + step_ns))
        for number, piece in enumerate(pieces, 2):
            watch.chunk(Chunk(piece, at_ns + number * step_ns))
        watch.end(ending or Ending(How.COMPLETE, at_ns + (len(pieces) + 2) * step_ns))
        return watch

    def start(self, answer: bytes | list[bytes], **fields: Any) -> Watch:
        asked = json.dumps({"assistant_id": "asst_1", "model": "gpt-4o-mini", "stream": True}).encode()
        return self.exchange("POST", "/v1/threads/thread_1/runs", answer, **({"asked": asked} | fields))

    def poll(self, answer: bytes, run_id: str = "run_1", **fields: Any) -> Watch:
        return self.exchange("GET", f"/v1/threads/thread_1/runs/{run_id}", answer, **fields)

    def submit(self, answer: bytes | list[bytes], run_id: str = "run_1", **fields: Any) -> Watch:
        target = f"/v1/threads/thread_1/runs/{run_id}/submit_tool_outputs"
        return self.exchange("POST", target, answer, **fields)


def pieces(body: bytes) -> list[bytes]:
    """A stream, one piece for each frame."""
    return [frame.raw for frame in frames(body)]


def only(desk: Desk) -> RunReport:
    """The report of the one run there was."""
    assert [report.run_id for report in desk.reports] == [desk.reports[0].run_id]
    return desk.reports[0]


def streamed(*statuses: str, run_id: str = "run_1") -> list[bytes]:
    """A stream that tells these states, and its end."""
    told = [event(f"thread.run.{status}", run(status, run_id)) for status in statuses]
    return [*told, b"event: done\ndata: [DONE]\n\n"]


def text(value: str = "a") -> bytes:
    """A message delta."""
    data = {"id": "m", "delta": {"content": [{"index": 0, "type": "text", "text": {"value": value}}]}}
    return event("thread.message.delta", json.dumps(data).encode())


def completed(**fields: Any) -> bytes:
    """The event of a completed run."""
    return event("thread.run.completed", done(**fields))


def sketch(*gaps_ns: int) -> Sketch:
    """A sketch of these lengths."""
    made = Sketch()
    made.add_all(gaps_ns)
    return made
