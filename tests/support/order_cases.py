"""Streams that are right, and for each rule one that breaks it."""

from __future__ import annotations

from support.orders import (
    ANSWERED,
    CALLS,
    ENDED,
    MESSAGE,
    OPENED,
    RESUME,
    RESUMED,
    START,
    STEP,
    TEXT,
    TOOLS,
    Event,
    function,
    message,
    paused,
    piece,
    run,
    step,
    tools,
    used,
    words,
)

FAILURE = ("error", {"code": None, "message": "m", "param": None, "type": "server_error"})
NEW_THREAD = ("created", {"id": "thread", "object": "thread"})
REFUSAL = {"index": 0, "type": "refusal", "refusal": "no"}
IMAGE = {"index": 0, "type": "image_file", "image_file": {"file_id": "file"}}


def at(number: int, events: list[Event], *instead: Event) -> list[Event]:
    """The events with these in place of the one of that number."""
    return [*events[: number - 1], *instead, *events[number:]]


def broken_off(*events: Event) -> list[Event]:
    return [*OPENED, *events, ENDED]


GOOD = {
    "text": (START, TEXT),
    "new thread": (START, [NEW_THREAD, *TEXT]),
    "function call": (START, CALLS),
    "resumed": (RESUME, RESUMED),
    "two old steps": (RESUME, [tools("completed", id="older"), *RESUMED]),
    "no steps": (START, broken_off(run("completed", usage=used(0)))),
    "code": (
        START,
        broken_off(
            *TOOLS,
            piece(
                {"index": 0, "id": "c", "type": "code_interpreter", "code_interpreter": {"input": "", "outputs": []}}
            ),
            piece({"index": 0, "type": "code_interpreter", "code_interpreter": {"input": "1+1"}}),
            tools("completed", {"id": "c", "type": "code_interpreter", "code_interpreter": {"input": "1+1"}}),
            run("completed"),
        ),
    ),
    "failed message": (
        START,
        broken_off(*STEP, *MESSAGE, words("a"), message("incomplete", "a"), step("failed"), run("failed")),
    ),
    "bound in a message": (
        START,
        broken_off(*STEP, *MESSAGE, words("a"), message("incomplete", "a"), step("completed"), run("incomplete")),
    ),
    "failed step of tools": (START, broken_off(*TOOLS, piece(), tools("failed"), run("failed"))),
    "cancelled while queued": (START, [*OPENED[:2], run("cancelling"), run("cancelled", usage=used(0)), ENDED]),
    "expired before the first delta": (START, broken_off(*TOOLS, tools("expired"), run("expired"))),
    "error instead of a step": (START, broken_off(FAILURE)),
    "error instead of a delta": (START, at(8, TEXT, FAILURE)),
    "error and error": (START, broken_off(FAILURE, FAILURE)),
    "unknown events": (START, at(9, TEXT, ("run.step.pondering", b"\xff"), TEXT[8], ("", {"object": "odd"}))),
    "one part for a list, as at Alibaba": (
        START,
        at(8, TEXT, words("a", delta={"content": {"type": "text", "text": {"value": "a"}}})),
    ),
    "text as a string": (START, at(10, TEXT, message("completed", content="ab"))),
    "image": (START, at(8, TEXT, words("", delta={"content": [IMAGE | {"index": 1}]}), TEXT[7])),
    "refusal": (
        START,
        [*TEXT[:7], words("", delta={"content": [REFUSAL]}), message("completed", content=[REFUSAL]), *TEXT[10:]],
    ),
    "no content": (
        START,
        at(8, at(10, TEXT, message("completed", "ab")), words("a"), words("", delta={"content": None})),
    ),
    "step without usage": (START, at(11, TEXT, step("completed", usage=None))),
    "usage without a count": (START, at(11, TEXT, step("completed", usage={"prompt_tokens": 9}))),
    "run usage without a count": (START, at(12, TEXT, run("completed", usage={"prompt_tokens": 9}))),
}

BROKEN: dict[str, tuple[list[Event], list[tuple[int, str, str]]]] = {
    "run id": (at(3, TEXT, run("in_progress", id="other")), [(3, "run-id", "error")]),
    "thread id": (at(10, TEXT, message("completed", "ab", thread_id="x")), [(10, "thread-id", "error")]),
    "no end": (at(12, TEXT), [(12, "one-end", "error")]),
    "two ends": (at(12, TEXT, TEXT[11], run("failed")), [(13, "one-end", "error")]),
    "step after the end": (
        at(12, TEXT, TEXT[11], step("created", "x")),
        [(13, "one-end", "error"), (14, "one-end", "error")],
    ),
    "after done": ([*TEXT, TEXT[11]], [(14, "nothing-after-done", "error")]),
    "done twice": ([*TEXT, ENDED], [(14, "nothing-after-done", "error")]),
    "no done": (TEXT[:-1], [(12, "done", "error")]),
    "cut": (TEXT[:8], [(8, "done", "error")]),
    "cut behind an error": ([*OPENED, FAILURE], [(4, "done", "warning")]),
    "empty": ([], [(0, "done", "error")]),
    "done with other data": (at(13, TEXT, ("done", b"{}")), [(13, "done", "error")]),
    "end mark under another name": (at(13, TEXT, ("", b"[DONE]")), []),
    "unreadable": (at(9, TEXT, TEXT[8], ("message.delta", b"{")), [(10, "readable", "error")]),
    "unreadable without a name": (at(9, TEXT, TEXT[8], ("", b"{")), [(10, "readable", "error")]),
    "no opening": (TEXT[2:], [(1, "opening", "error")]),
    "not queued": (at(2, TEXT), [(2, "opening", "error")]),
    "thread late": (at(1, TEXT, TEXT[0], NEW_THREAD), [(2, "opening", "error"), (3, "opening", "error")]),
    "error in the opening": ([run("created"), FAILURE, ENDED], [(2, "opening", "warning")]),
    "old step without a queue": (at(2, RESUMED), [(2, "opening", "error")]),
    "old step without output": (at(1, RESUMED, tools("completed", function("{}"))), [(1, "resumed", "error")]),
    "old step without usage": (at(1, RESUMED, tools("completed", usage=None)), [(1, "resumed", "error")]),
    "old step of a message": (at(1, RESUMED, step("completed")), [(1, "resumed", "error")]),
    "old step twice": ([ANSWERED, *RESUMED], [(2, "resumed", "error")]),
    "steps overlap": (
        at(11, TEXT, step("created", "two"), step("in_progress", "two"), step("failed", "two")),
        [(11, "steps-overlap", "error")],
    ),
    "step left open": (broken_off(*TOOLS, piece(), run("completed")), [(7, "step-open", "error")]),
    "step left open by a failure": (broken_off(*TOOLS, piece(), run("failed")), [(7, "step-open", "warning")]),
    "step of nothing": (at(6, at(7, TEXT[:7]), step("completed"), *TEXT[11:]), [(6, "order", "error")]),
    "step not announced": (at(4, TEXT), [(4, "order", "error")]),
    "step ends twice": (at(11, TEXT, TEXT[10], TEXT[10]), [(12, "order", "error"), (13, "usage-sum", "error")]),
    "step ends under another id": (at(11, TEXT, step("completed", "x")), [(11, "announced", "error")]),
    "delta of no step": (
        broken_off(piece(), run("completed", usage=used(0))),
        [(4, "announced", "error"), (5, "step-open", "error")],
    ),
    "delta of another step": (at(7, CALLS, piece(function("{}", index=0), step_id="x")), [(7, "announced", "error")]),
    "delta of another message": (at(9, TEXT, words("b", id="x")), [(9, "announced", "error")]),
    "delta without an id": (at(9, TEXT, words("b", id=None)), [(9, "announced", "error")]),
    "message ends under another id": (at(10, TEXT, message("completed", "ab", id="x")), [(10, "announced", "error")]),
    "message outside": (
        [*OPENED, *MESSAGE, run("completed", usage=used(0)), ENDED],
        [(4, "message-in-step", "error"), (6, "step-open", "error")],
    ),
    "delta outside": (
        [*OPENED, words("a"), run("completed", usage=used(0)), ENDED],
        [(4, "message-in-step", "error"), (5, "step-open", "error")],
    ),
    "message in a step of tools": (
        at(
            6,
            at(7, broken_off(*TOOLS, *MESSAGE, *TEXT[7:10], *[tools("completed")], run("completed")), MESSAGE[1]),
            MESSAGE[0],
        ),
        [(6, "message-in-step", "error")],
    ),
    "another message than the step's": (
        [(n, d | {"id": "x"} if n.startswith("message.") else d) for n, d in TEXT],
        [(6, "message-in-step", "error")],
    ),
    "message not announced": (at(6, TEXT), [(6, "order", "error")]),
    "message ends out of nothing": (
        broken_off(*STEP, message("completed"), step("completed"), run("completed")),
        [(6, "order", "error")],
    ),
    "tools in a step of a message": (
        broken_off(*STEP, piece(function("", index=0, id="c")), step("completed"), run("completed")),
        [(6, "step-type", "error")],
    ),
    "step before its message": (
        [*TEXT[:9], TEXT[10], TEXT[9], *TEXT[11:]],
        [(10, "message-first", "error"), (11, "message-in-step", "error"), (12, "step-open", "error")],
    ),
    "text": (at(9, TEXT), [(9, "text", "error")]),
    "text swapped": (at(8, at(9, TEXT, TEXT[7]), TEXT[8]), [(10, "text", "error")]),
    "text of half a message": (
        broken_off(*STEP, *MESSAGE, message("incomplete", "a"), step("failed"), run("failed")),
        [(8, "text", "warning")],
    ),
    "arguments of the pause": (at(7, CALLS), [(7, "arguments", "error")]),
    "arguments of the step": (
        broken_off(*TOOLS, piece(function("{", index=0, id="c")), tools("completed", function("{}")), run("completed")),
        [(7, "arguments", "error")],
    ),
    "calls not listed": (at(8, CALLS, paused()), [(8, "calls", "warning")]),
    "no action": (at(8, CALLS, run("requires_action")), [(8, "calls", "warning")]),
    "pause out of nothing": (broken_off(paused()), [(4, "order", "error")]),
    "call without an id": (at(6, CALLS), [(6, "call-id", "warning"), (7, "calls", "warning")]),
    "call with two ids": (at(6, CALLS, CALLS[5], CALLS[5]), [(7, "call-id", "warning")]),
    "no usage": (at(12, TEXT, run("completed", usage=None)), [(12, "usage", "error")]),
    "no usage of a failure": (broken_off(run("failed", usage=None)), [(4, "usage", "warning")]),
    "expiry": (at(12, TEXT, run("completed", expires_at=9)), [(12, "expires-at", "error")]),
    "usage sum": (at(12, TEXT, run("completed", usage=used(2))), [(12, "usage-sum", "error")]),
    "usage sum of a failure": (broken_off(run("failed", usage=used(2))), [(4, "usage-sum", "warning")]),
    "less usage than the steps of a resumed run": (
        at(12, RESUMED, run("completed", usage=used(1))),
        [(12, "usage-sum", "error")],
    ),
    "pair of runs": (at(2, TEXT, run("queued", model="m")), [(2, "pair", "error")]),
    "pair of steps": (at(5, TEXT, step("in_progress", created_at=1)), [(5, "pair", "error")]),
    "pair of messages": (at(7, TEXT, message("in_progress", created_at=1)), [(7, "pair", "error")]),
    "status": (at(12, TEXT, run("completed", status="incomplete")), [(12, "status", "warning")]),
    "out of cancelling": (
        broken_off(run("cancelling"), *STEP, *TEXT[5:10], step("completed"), run("completed")),
        [(5, "order", "warning")],
    ),
}
