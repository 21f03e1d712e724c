"""Whole exchanges in any interleaving: each tells its own in order, and the report is the same whoever comes first.

A leg's number is taken when an exchange is asked for, and a hand-in counts from the head of its answer: so those come
in their true order here, as they do on the wire. What is not the same is what comes after the report.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.streams import CALLS, SSE, Desk, S, completed, event, listed, only, run, text
from wiretape.exchange import Chunk, Ending, Head, How
from wiretape.runs.report import RunReport
from wiretape.runs.watch import Watch

GET, POST, RUNS = "GET", "POST", "/v1/threads/thread_1/runs"
RUN = f"{RUNS}/run_1"
JSON = ((b"Content-Type", b"application/json"),)
PAUSE = run("requires_action", required_action=CALLS, created_at=1_767_225_600)


class Told(NamedTuple):
    """An exchange: what was asked at which second, and what came when."""

    method: str
    target: str
    asked_s: int
    body: bytes
    pieces: list[tuple[int, bytes]]
    streamed: bool = True


def step(step_id: str, status: str = "in_progress", **fields: Any) -> bytes:
    told = {"object": "thread.run.step", "id": step_id, "run_id": "run_1", "type": "tool_calls", "status": status}
    return json.dumps(told | fields).encode()


DETAILS = {"type": "tool_calls", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "tide"}}]}
USAGE = {"prompt_tokens": 3, "completion_tokens": 4}
DONE_STEP = step("s", "completed", usage=USAGE, created_at=1_767_225_602, step_details=DETAILS)
START = Told(
    POST,
    RUNS,
    0,
    b'{"assistant_id": "asst_1", "model": "m"}',
    [
        (1, event("thread.run.created", run(created_at=1_767_225_600))),
        (3, event("thread.run.in_progress", run("in_progress"))),
        (4, event("thread.run.step.created", step("s"))),
        (5, text() + text()),
        (7, text()),
        (8, event("thread.run.requires_action", PAUSE) + b"event: done\ndata: [DONE]\n\n"),
    ],
)
SUBMIT = Told(
    POST,
    f"{RUN}/submit_tool_outputs",
    15,
    b'{"tool_outputs": [{"tool_call_id": "c", "output": "x"}]}',
    [
        (17, event("thread.run.step.completed", DONE_STEP)),
        (18, event("thread.run.queued", run())),
        (20, event("thread.run.in_progress", run("in_progress"))),
        (21, event("thread.run.step.created", step("t"))),
        (22, text()),
        (26, text()),
        (27, completed()),
    ],
)
POLLS = [
    Told(GET, RUN, asked_s, b"", [(answered_s, body)], streamed=False)
    for asked_s, answered_s, body in (
        (2, 6, run("in_progress")),
        (9, 10, PAUSE),
        (11, 19, PAUSE),
        (23, 24, run("in_progress")),
        (28, 29, run("completed", usage={"prompt_tokens": 10, "completion_tokens": 5})),
    )
]
LISTS = [
    Told(GET, RUNS, 12, b"", [(14, listed(PAUSE))], streamed=False),
    Told(GET, f"{RUN}/steps", 13, b"", [(16, listed(step("s")))], streamed=False),
    Told(GET, f"{RUN}/steps", 24, b"", [(25, listed(DONE_STEP, step("t")))], streamed=False),
]
CANCEL = Told(POST, f"{RUN}/cancel", 25, b"", [(26, run("cancelling"))], streamed=False)
EXCHANGES = sorted([START, SUBMIT, *POLLS, *LISTS, CANCEL], key=lambda told: told.asked_s)
Call = Callable[[], None]


def begun(desk: Desk, told: Told) -> tuple[Watch, list[Call]]:
    """The exchange up to the head of its answer, and the calls that are left."""
    watch = desk.watch(told.method, told.target, told.asked_s * S)
    watch.sent(Chunk(told.body, told.asked_s * S))
    watch.head(Head(200, SSE if told.streamed else JSON, told.asked_s * S + 1))
    calls: list[Call] = [partial(watch.chunk, Chunk(piece, at_s * S)) for at_s, piece in told.pieces]
    calls.append(partial(watch.end, Ending(How.COMPLETE, told.pieces[-1][0] * S)))
    return watch, calls


def reported(exchanges: list[Told], next_of: Callable[[list[list[Call]]], list[Call]]) -> RunReport:
    """The report when `next_of` chooses whose call comes next; the stream that began the run ends last."""
    desk = Desk()
    _, first = begun(desk, START)
    first.pop(0)()
    waiting = [calls for told in exchanges if told is not START for _, calls in [begun(desk, told)]]
    waiting.append(first)
    last = first.pop()
    while waiting := [calls for calls in waiting if calls]:
        next_of(waiting).pop(0)()
    last()
    return only(desk)


def in_turn(waiting: list[list[Call]]) -> list[Call]:
    """In the order of their times."""
    return min(waiting, key=lambda calls: calls[0].args[0].at_ns)  # type: ignore[attr-defined]  # they are partials


TRUE = reported(EXCHANGES, in_turn)


def test_the_true_order_gives_these_figures() -> None:
    assert (TRUE.queue_ns, TRUE.model_ns, TRUE.tool_wait_ns) == (2 * S, 5 * S + 7 * S, 7 * S)
    assert (TRUE.first_token_ns, TRUE.gaps.count, TRUE.duration_ns) == (5 * S, 3, 27 * S)
    assert (TRUE.polls, TRUE.exchanges, [one.id for one in TRUE.steps]) == (5, 3, ["s", "t"])


@given(st.randoms(use_true_random=False))
def test_exchanges_may_be_interleaved_in_any_way(chance: Random) -> None:
    assert reported(EXCHANGES, chance.choice) == TRUE


@given(st.lists(st.sampled_from([*POLLS, *LISTS]), max_size=5), st.randoms(use_true_random=False))
def test_reading_again_changes_nothing_but_the_number_of_polls(again: list[Told], chance: Random) -> None:
    exchanges = sorted([*EXCHANGES, *again], key=lambda told: told.asked_s)
    told = reported(exchanges, chance.choice)
    polls = sum(one in POLLS for one in again)
    carried = tuple(replace(one, trace=mine.trace) for one, mine in zip(told.carried, TRUE.carried, strict=True))
    assert replace(told, polls=told.polls - polls, carried=carried) == TRUE
