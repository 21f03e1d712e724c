"""What a run's lengths are, by hand: recorded streams on a clock of our own, and the ways to get them wrong.

Frame n of a stream comes n² ms after its request, so that no two frames are as far apart as two others.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from support.corpora import Recorded, files
from support.streams import CALLS, FUNCTION_RUN, JSON, MS, SSE, WALL, Desk, S, done, only, pieces, run, sketch, stream
from wiretape.exchange import Chunk, Ending, Head, How
from wiretape.runs.report import RunReport, Usage

POST, THREAD = "POST", "/v1/threads/thread_1/runs"


def clock(frame: int) -> int:
    """When a frame comes after its request."""
    return frame * frame * MS


class Stream(NamedTuple):
    """By the numbers of their frames, from 1: its begin, its end, and each step's content from first to last."""

    queued: int
    working: int
    ended: int
    content: tuple[tuple[int, int], ...]


TEXT, ARGS, CODE = "text", "tool_args", "code"
TRUTHS = [
    ("runs_streamed_create.yml", 0, TEXT, [Stream(1, 3, 25, ((8, 22),))]),
    ("runs_streamed_create.yml", 1, TEXT, [Stream(1, 3, 25, ((8, 22),))]),
    ("FileSearchStreamingWorks.json", 0, TEXT, [Stream(1, 3, 23, ((12, 20),))]),
    ("FileSearchStreamingWorks@965e45fd.json", 0, TEXT, [Stream(1, 3, 23, ((12, 20),))]),
    ("StreamingRunWorks.json", 0, TEXT, [Stream(1, 3, 43, ((8, 40),))]),
    ("StreamingRunWorks@d2a95f68.json", 0, TEXT, [Stream(1, 3, 33, ((8, 30),))]),
    ("StreamingToolCall().json", 0, ARGS, [Stream(2, 4, 9, ((8, 8),)), Stream(2, 3, 50, ((8, 47),))]),
    ("StreamingToolCall()@7c85f140.json", 0, ARGS, [Stream(2, 4, 9, ((8, 8),)), Stream(2, 3, 79, ((8, 76),))]),
    (
        "test_streaming_existing_assistant@5089455d.yaml",
        0,
        TEXT,
        [Stream(1, 3, 212, ((8, 151), (157, 178), (185, 209)))],
    ),
    (
        "test_streaming_existing_assistant_with_events_with_content.yaml",
        0,
        CODE,
        [Stream(1, 3, 96, ((7, 61), (67, 93)))],
    ),
    ("test_streaming_new_assistant.yaml", 0, CODE, [Stream(1, 3, 94, ((7, 62), (68, 91)))]),
    ("test_streaming_new_assistant@08ce9ccb.yaml", 0, TEXT, [Stream(1, 3, 195, ((8, 87), (93, 147), (154, 192)))]),
    (
        "test_streaming_new_assistant_with_events_with_no_content.yaml",
        0,
        CODE,
        [Stream(1, 3, 96, ((7, 63), (69, 93)))],
    ),
]
"""Recording, which of its streamed runs, the kind of its first content, and its streams; counted by hand."""


def played(desk: Desk, one: Recorded, asked_ns: int) -> None:
    """An exchange, each frame of its answer on the clock."""
    watch = desk.watch(one.method, one.target, asked_ns)
    watch.sent(Chunk(one.request, asked_ns))
    watch.head(Head(one.status, SSE if one.streamed else JSON, asked_ns))
    for number, piece in enumerate(pieces(one.body) if one.streamed else [one.body], 1):
        watch.chunk(Chunk(piece, asked_ns + clock(number)))
    watch.end(Ending(How.COMPLETE, asked_ns + clock(400)))


@pytest.mark.parametrize(("name", "which", "kind", "streams"), TRUTHS)
def test_a_recorded_run_has_the_lengths_that_its_frames_say(
    name: str, which: int, kind: str, streams: list[Stream]
) -> None:
    (exchanges,) = [exchanges for path, exchanges in files() if path.name == name]
    desk = Desk()
    for number, one in enumerate(exchanges):
        played(desk, one, number * 1000 * S)
    told = [report for report in desk.reports if report.streamed][which]
    asked = [number * 1000 * S for number, one in enumerate(exchanges) if one.streamed and one.status == 200][which:]
    first = streams[0]
    assert (told.first_event_ns, told.first_token_kind) == (clock(1), kind)
    assert told.first_token_ns == clock(first.content[0][0])
    assert told.queue_ns == clock(first.working) - clock(first.queued)
    assert told.model_ns == sum(clock(one.ended) - clock(one.working) for one in streams)
    waits = [asked[at + 1] - asked[at] - clock(one.ended) for at, one in enumerate(streams[:-1])]
    assert told.tool_wait_ns == (sum(waits) if waits else None)
    assert told.duration_ns == asked[len(streams) - 1] - asked[0] + clock(streams[-1].ended)
    frames = [frame for one in streams for begin, end in one.content for frame in range(begin, end)]
    assert told.gaps == sketch(*(clock(frame + 1) - clock(frame) for frame in frames))


def test_every_recorded_run_that_was_streamed_to_its_end_is_in_the_table() -> None:
    runs = [path.name for path, exchanges in files() for one in exchanges if _begins(one)]
    assert sorted(runs) == sorted(name for name, *_ in TRUTHS)


def _begins(one: Recorded) -> bool:
    return one.streamed and one.status == 200 and b"event: thread.run.created" in one.body


HANDED_IN = 20 * S
"""After the run was asked for; the service's stamps of the recording say 9 s."""


def two_legs() -> RunReport:
    """Our recording of a function call: 11 frames to `done`, then 13."""
    desk = Desk()
    for name, target, asked_ns in (
        ("function_call", THREAD, 0),
        ("tool_outputs", f"{THREAD}/{FUNCTION_RUN}/submit_tool_outputs", HANDED_IN),
    ):
        played(desk, Recorded(name, POST, target, b"{}", 200, "text/event-stream", stream(name)), asked_ns)
    return only(desk)


TRAPS = {
    "the last leg is not the run: completed_at - started_at": ("duration_ns", HANDED_IN + 144 * MS, 1 * S),
    "started_at is overwritten at every resume: started_at - created_at of the end": ("queue_ns", 12 * MS, 10 * S),
    "the queue begins with run.created, whose status is queued: run.queued": ("queue_ns", 16 * MS - 4 * MS, 7 * MS),
    "a lifecycle event is no token: run.created": ("first_token_ns", 64 * MS, 4 * MS),
    "the first delta of a call is empty: its arrival": ("first_token_ns", 64 * MS, 49 * MS),
    "the first content of all is arguments: the first text": ("first_token_ns", 64 * MS, HANDED_IN + 64 * MS),
    "the first event is any": ("first_event_ns", 1 * MS, 64 * MS),
    "waiting ends with the request that hands in: the step's own stamps": ("tool_wait_ns", HANDED_IN - 100 * MS, 7 * S),
    "waiting in the queue again is no work: from run.queued": ("model_ns", 84 * MS + 135 * MS, 84 * MS + 140 * MS),
    "waiting for the client is no work: from the first in_progress": ("model_ns", 219 * MS, HANDED_IN + 128 * MS),
    "a tool's time is no gap: from the last argument to the first text": ("gaps", sketch(17 * MS, 17 * MS), None),
    "deltas are no tokens: their number": ("usage", Usage(264, 25), Usage(0, 4)),
    "tokens are told once, by the run or by its steps: both": ("usage", Usage(264, 25), Usage(528, 50)),
}
"""What is mistaken for what: a field of the report, what it is, and what it would be."""


@pytest.mark.parametrize(("field", "right", "wrong"), TRAPS.values(), ids=TRAPS)
def test_a_wrong_way_that_looks_right_is_not_taken(field: str, right: object, wrong: object) -> None:
    assert (getattr(two_legs(), field), right == wrong) == (right, False)


def test_tokens_of_a_run_that_waits_are_not_told() -> None:
    """The hosted service says null there; documents show numbers."""
    desk = Desk()
    usage = {"prompt_tokens": 9, "completion_tokens": 9}
    desk.start(run("requires_action", required_action=CALLS, usage=usage))
    desk.runs.close(S)
    assert (only(desk).usage, only(desk).usage_source) == (None, "none")


def test_a_step_that_waits_for_its_function_is_longer_than_the_wait() -> None:
    report = two_legs()
    (call,) = report.steps[0].tools
    assert (call.start_ns, call.end_ns) == (WALL + 100 * MS, WALL + HANDED_IN)
    assert (report.steps[0].start_ns, report.steps[0].end_ns) == (WALL + 25 * MS, WALL + HANDED_IN + 1 * MS)


def test_a_hosted_tool_lasts_from_its_first_piece_to_the_end_of_its_step() -> None:
    desk = Desk()
    recorded = Recorded("", POST, THREAD, b"{}", 200, "text/event-stream", stream("code_interpreter"))
    played(desk, recorded, 0)
    (tool,) = only(desk).steps[0].tools
    assert (tool.start_ns, tool.end_ns) == (WALL + clock(6), WALL + clock(10))


def test_pairs_of_events_with_the_same_data_are_one_step_each() -> None:
    report = two_legs()
    assert (report.events, [step.type for step in report.steps]) == (24, ["tool_calls", "message_creation"])
    assert [step.start_ns for step in report.steps] == [WALL + clock(5), WALL + HANDED_IN + clock(4)]


def test_the_phases_of_a_polled_run_are_those_that_its_polls_saw() -> None:
    desk = Desk()
    desk.start(run(started_at=None))
    for at_s, status in ((2, "queued"), (4, "in_progress"), (6, "in_progress")):
        desk.poll(run(status, started_at=WALL // S + 1), at_ns=at_s * S)
    desk.poll(done(started_at=WALL // S + 1, completed_at=WALL // S + 7), at_ns=8 * S)
    assert (only(desk).queue_ns, only(desk).model_ns, only(desk).duration_ns) == (4 * S, 4 * S, 8 * S + 2 * MS)
    assert (only(desk).first_token_ns, only(desk).gaps.count) == (None, 0)
