"""A run that another process goes on with: what it reports is what the first one would have reported."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from support.histories import HISTORIES, Seen
from support.histories import told as told_of
from support.streams import CALLS, MS, SSE, WALL, Desk, S, completed, done, event, only, run, streamed, text
from wiretape.errors import DecodeFailed
from wiretape.exchange import Chunk, Ending, Head, How
from wiretape.runs.facts import RunFacts
from wiretape.runs.options import RunOptions
from wiretape.runs.report import RunReport
from wiretape.runs.snapshot import VERSION, Snapshot, decode, encode, moved, restored, taken

LEFT = Ending(How.CLIENT_LEFT, 9 * S)
BEGUN = [event("thread.run.created", run(created_at=WALL // S, expires_at=WALL // S + 600)), text(), text()]
STEP = {"id": "step_1", "object": "thread.run.step", "run_id": "run_1", "type": "message_creation", "created_at": 1}


def step(status: str, **fields: Any) -> bytes:
    return event(f"thread.run.step.{status}", msgspec.json.encode(STEP | {"status": status} | fields))


STREAMS = [
    streamed("created", "queued", "in_progress"),
    [*streamed("created")[:1], step("created"), text("x"), step("completed", usage={"prompt_tokens": 1})],
    [event("thread.run.requires_action", run("requires_action", required_action=CALLS))],
    [event("thread.run.failed", run("failed", last_error={"code": "server_error"}))],
    [completed()],
    [event("error", b'{"code":"torn"}'), text()],
]
ACTS = st.sampled_from(["stream", "poll", "submit", "cancel", "steps"])


def play(desk: Desk, acts: list[tuple[str, int, int]], *, first: int = 0) -> None:
    """Exchanges about one run, one a second; each takes its pieces from the streams."""
    for number, (act, which, at_most) in enumerate(acts, first):
        pieces = STREAMS[which % len(STREAMS)][: at_most + 1]
        at: dict[str, Any] = {"at_ns": number * S, "step_ns": MS}
        match act:
            case "stream":
                desk.start(pieces, **at)
            case "poll":
                desk.poll(run("in_progress"), **at)
            case "submit":
                desk.submit(pieces, asked=b'{"tool_outputs":[{"tool_call_id":"c"}]}', **at)
            case "cancel":
                desk.exchange("POST", "/v1/threads/thread_1/runs/run_1/cancel", run("cancelling"), **at)
            case _:
                listed = msgspec.json.encode({"object": "list", "data": [STEP | {"status": "completed"}]})
                desk.exchange("GET", "/v1/threads/thread_1/runs/run_1/steps", listed, **at)


def later(desk: Desk, now_ns: int, wall_ns: int, **options: Any) -> Desk:
    """Another process, that goes on with what is open."""
    states = [encode(snapshot) for snapshot in desk.runs.all_open()]
    successor = Desk(**options)
    successor._ids, successor.runs._new_span_id = desk._ids, desk._ids.__next__  # spans are numbered on
    for state in states:
        successor.runs.restore(decode(state), now_ns, wall_ns)
    return successor


@given(st.lists(st.tuples(ACTS, st.integers(0, 5), st.integers(0, 3)), max_size=6), st.integers(0, 5), st.booleans())
def test_restored_it_reports_the_same(acts: list[tuple[str, int, int]], cut: int, own: bool) -> None:
    """Wherever it is cut in two, and whatever was seen; both clocks go on as if nothing had happened."""
    acts = [("stream" if own else "poll", 0, 1), *acts]
    alone, first = Desk(), Desk()
    play(alone, acts)
    play(first, acts[: cut + 1])
    second = later(first, (cut + 1) * S, WALL + (cut + 1) * S)
    play(second, acts[cut + 1 :], first=cut + 1)
    for desk in (alone, second):
        desk.runs.close(20 * S)
    assert told(first.reports + second.reports) == told(alone.reports)


def told(reports: list[RunReport]) -> list[RunReport]:
    """A run that was reported and is seen again is open again, for it is remembered by its own process only."""
    return reports[:1]


@given(HISTORIES, st.integers(-(2**60), 2**60))
def test_whatever_was_seen_of_it_its_report_is_the_same(history: list[Seen], now_ns: int) -> None:
    before = told_of(history)
    spans = [one.trace.client_span_id for one in before.facts.carried]
    assume(len(set(spans)) == len(spans))  # as each exchange has its own
    report, state = before.report("Tutor"), encode(taken(before, "Tutor"))
    wall_ns = before.origin.wall_ns + before.facts.last_seen_ns - before.origin.at_ns
    again = restored(decode(state), before._options, now_ns, wall_ns)
    assert again.report("Tutor") == report
    assert (again.is_over, again.facts.last_seen_ns) == (before.is_over, now_ns)


@given(st.integers(-(2**40), 2**50), st.integers(0, 2**40))
def test_its_lengths_are_those_of_the_wall_clock_whatever_the_monotonic_one_tells(jump_ns: int, slept_ns: int) -> None:
    desk = Desk()
    desk.start(BEGUN, ending=LEFT)
    (snapshot,) = desk.runs.all_open()
    now_ns, wall_ns = 20 * S + jump_ns, WALL + 20 * S + slept_ns
    again = restored(decode(encode(snapshot)), RunOptions(), now_ns, wall_ns)
    assert again._clock().wall(now_ns) == wall_ns
    again.watched_until(now_ns)
    before = taken(again, None)
    assert before.origin.wall_ns == WALL
    assert again.report(None).end_ns == wall_ns


def test_a_wall_clock_that_was_set_back_does_not_turn_time_round() -> None:
    desk = Desk()
    desk.start(BEGUN, at_ns=3 * S)
    (before,) = desk.runs.all_open()
    again = restored(decode(encode(before)), RunOptions(), 0, WALL - 100 * S)
    assert again.facts.last_seen_ns == 0
    assert again.report(None).end_ns == restored(before, RunOptions(), 0, WALL).report(None).end_ns


@given(st.integers(0, 2**60))
def test_moving_moves_every_time_and_nothing_else(by_ns: int) -> None:
    desk = Desk()
    play(desk, [("stream", 1, 9), ("stream", 2, 9), ("submit", 1, 9), ("submit", 5, 9)], first=100)
    (snapshot,) = desk.runs.all_open()
    facts = snapshot.facts
    assert moved(moved(facts, by_ns), -by_ns) == facts
    assert times(moved(facts, by_ns)) == [at_ns + by_ns for at_ns in times(facts)]
    assert len(times(facts)) > 20


def times(facts: RunFacts) -> list[int]:
    """Every number in them that is a time, for the times here are whole milliseconds and nothing else is as large."""
    found: list[int] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for name, one in value.items():
                if name not in {"gaps", "trace"}:
                    walk(one)
        elif isinstance(value, list | tuple):
            for one in value:
                walk(one)
        elif type(value) is int and value >= MS:
            found.append(value)

    walk(msgspec.to_builtins(replace(facts, events=1, polls=1, exchanges=1)))
    return found


def test_one_whose_end_was_seen_is_reported_at_once() -> None:
    """Its process was killed while the stream that told the end had not ended."""
    desk = Desk()
    watch = desk.watch("POST", "/v1/threads/thread_1/runs")

    watch.head(Head(200, SSE, MS))
    watch.chunk(Chunk(event("thread.run.created", run()) + completed(), 2 * MS))
    assert desk.reports == []
    successor = later(desk, 5 * S, WALL + 5 * S)
    assert (only(successor).outcome, successor.runs.open) == ("completed", 0)


def test_its_assistants_name_goes_along_unless_a_newer_one_is_known() -> None:
    desk = Desk()
    agent = {"id": "asst_1", "object": "assistant", "name": "Tutor", "model": "gpt-4o"}
    desk.exchange("GET", "/v1/assistants/asst_1", msgspec.json.encode(agent))
    desk.start(run())
    successor = later(desk, S, WALL + S)
    successor.poll(done())
    assert only(successor).assistant_name == "Tutor"
    renamed = Desk()
    renamed.exchange("GET", "/v1/assistants/asst_1", msgspec.json.encode(agent | {"name": "New"}))
    (snapshot,) = desk.runs.all_open()
    renamed.runs.restore(snapshot, S, WALL + S)
    renamed.poll(done())
    assert only(renamed).assistant_name == "New"


def test_one_that_is_open_already_stays_as_it_is() -> None:
    desk = Desk()
    desk.start(run())
    (snapshot,) = desk.runs.all_open()
    desk.runs.restore(snapshot, S, WALL + S)
    assert desk.runs.open == 1


def test_more_than_there_is_room_for_are_not_gone_on_with() -> None:
    desk = Desk()
    for number in range(3):
        desk.poll(run(run_id="run_0"), run_id="run_0") if number == 0 else desk.start(run(run_id=f"run_{number}"))
    successor = later(desk, S, WALL + S, runs_open_max=1)
    assert (successor.runs.open, successor.runs.evicted) == (1, 2)


def test_abandoned_are_those_that_are_named() -> None:
    desk = Desk()
    desk.start(run())
    desk.start(run(run_id="run_2"))
    desk.runs.abandon([("default", "run_2"), ("default", "never seen")], 9 * S)
    assert [(report.run_id, report.outcome, report.end_ns) for report in desk.reports] == [
        ("run_2", "abandoned", WALL + 9 * S)
    ]


@pytest.mark.parametrize("state", [b"", b"{", b"[]", b'{"version":1}', b'{"version":"1"}', b"\xff\x00", b"null"])
def test_what_is_no_snapshot_is_refused(state: bytes) -> None:
    with pytest.raises(DecodeFailed, match="the snapshot cannot be read"):
        decode(state)


def test_a_newer_form_is_refused_whatever_it_holds() -> None:
    with pytest.raises(DecodeFailed, match=f"has form {VERSION + 1}, this Wiretape knows {VERSION}"):
        decode(b'{"version":%d,"anything":"else"}' % (VERSION + 1))


@given(st.binary(max_size=200) | st.integers(0, 400).map(lambda size: example()[:size]))
def test_no_bytes_raise_anything_else(state: bytes) -> None:
    with suppress(DecodeFailed):
        assert isinstance(decode(state), Snapshot)


def example() -> bytes:
    desk = Desk()
    desk.start(BEGUN)
    return encode(desk.runs.all_open()[0])
