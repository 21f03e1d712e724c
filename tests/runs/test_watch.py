from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.streams import (
    CALLS,
    MS,
    SSE,
    WALL,
    Desk,
    S,
    completed,
    done,
    event,
    listed,
    only,
    run,
    sketch,
    streamed,
    text,
)
from wiretape.exchange import Chunk, Ending, Head, How
from wiretape.runs.observer import Watch
from wiretape.runs.report import Usage

LEFT = Ending(How.CLIENT_LEFT, 9 * MS)
GET, POST, RUN = "GET", "POST", "/v1/threads/thread_1/runs/run_1"


def test_an_event_without_its_blank_line_may_be_the_first() -> None:
    desk = Desk()
    desk.start([streamed("created")[0].rstrip()], ending=LEFT)
    desk.runs.close(9 * S)
    assert (only(desk).events, only(desk).first_event_ns) == (1, 2 * MS)


def test_of_two_steps_that_come_in_one_read_the_first_has_the_first_token() -> None:
    call = {"delta": {"step_details": {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}}}
    steps = [
        event(f"thread.run.step.{name}", json.dumps({"id": step, "run_id": "run_1"} | more).encode())
        for name, step, more in (("created", "s", {}), ("delta", "s", call), ("created", "t", {}))
    ]
    desk = Desk()
    desk.start([b"".join([*streamed("created")[:1], *steps, text(), completed()])])
    assert only(desk).first_token_kind == "tool_args"


class TestForeign:
    def test_a_run_of_another_process_has_no_durations(self) -> None:
        desk = Desk()
        for number, status in enumerate(("queued", "in_progress", "requires_action")):
            desk.poll(run(status), at_ns=number * S)
        desk.submit([*streamed("queued", "in_progress")[:2], completed()], at_ns=9 * S)
        report = only(desk)
        assert (report.foreign, report.usage) == (True, Usage(10, 5))
        assert (report.duration_ns, report.queue_ns, report.model_ns, report.tool_wait_ns) == (None,) * 4
        assert (report.first_event_ns, report.first_token_ns) == (None, None)

    @pytest.mark.parametrize(("created_s", "start_s"), [(WALL // S - 50, -50), (WALL // S + 50, 1), (None, 1)])
    def test_it_began_when_the_service_says_but_not_after_it_was_seen(
        self, created_s: int | None, start_s: int
    ) -> None:
        desk = Desk()
        desk.poll(done(created_at=created_s), at_ns=S)
        assert (only(desk).start_ns, only(desk).end_ns) == (WALL + start_s * S, WALL + S + 2 * MS)

    def test_a_list_opens_no_run_that_is_not_over_and_evicts_none_of_ours(self) -> None:
        desk = Desk(runs_open_max=2)
        watch = desk.watch(POST, "/v1/threads/thread_1/runs")
        watch.head(Head(200, SSE, 1))
        watch.chunk(Chunk(streamed("in_progress")[0], 2))
        old = [run("requires_action", f"old_{number}") for number in range(9)]
        ended = [done(f"ended_{number}") for number in range(9)]
        desk.exchange(GET, "/v1/threads/thread_1/runs", listed(*old, *ended), at_ns=S)
        assert desk.runs.open == 1
        watch.chunk(Chunk(completed(), 2 * S))
        watch.end(Ending(How.COMPLETE, 3 * S))
        assert (desk.reports[-1].run_id, desk.reports[-1].usage) == ("run_1", Usage(10, 5))
        assert {report.run_id for report in desk.reports if not report.foreign} == {"run_1"}

    def test_a_list_shows_that_a_run_lives(self) -> None:
        desk = Desk()
        desk.start(run())
        desk.exchange(GET, "/v1/threads/thread_1/runs", listed(run("in_progress")), at_ns=800 * S)
        desk.runs.sweep(1700 * S)
        assert desk.runs.open == 1

    def test_a_late_list_does_not_put_a_run_back(self) -> None:
        desk = Desk()
        pause = run("requires_action", required_action=CALLS)
        desk.start(pause)
        late = desk.watch(GET, "/v1/threads/thread_1/runs", 3 * S)
        desk.submit(run("queued"), at_ns=4 * S)
        late.head(Head(200, ((b"content-type", b"application/json"),), 5 * S))
        late.chunk(Chunk(listed(pause), 5 * S))
        late.end(Ending(How.COMPLETE, 6 * S))
        desk.poll(run("in_progress"), at_ns=7 * S)
        desk.poll(done(), at_ns=9 * S)
        (call,) = only(desk).steps[0].tools
        assert (only(desk).model_ns, call.start_ns, call.end_ns) == (2 * S, WALL + 2 * MS, WALL + 4 * S)


class TestCarriedToItsEnd:
    """A run is reported when the last exchange that carries it has ended, whoever saw its end first."""

    def test_a_poll_that_sees_the_end_first_leaves_the_report_to_the_stream(self) -> None:
        desk = Desk()
        watch = desk.watch(POST, "/v1/threads/thread_1/runs")
        watch.head(Head(200, SSE, 1))
        watch.chunk(Chunk(streamed("in_progress")[0], S))
        desk.poll(done(), at_ns=2 * S)
        assert desk.reports == []
        watch.chunk(Chunk(completed(prompt=99), 3 * S))
        watch.end(Ending(How.COMPLETE, 4 * S))
        report = only(desk)
        assert (report.events, report.exchanges, report.polls, len(report.carried)) == (2, 1, 1, 1)
        assert report.usage == Usage(10, 5)

    def test_a_poll_that_brought_the_end_is_waited_for_too(self) -> None:
        desk = Desk()
        watch = desk.watch(POST, "/v1/threads/thread_1/runs")
        watch.head(Head(200, SSE, 1))
        watch.chunk(Chunk(streamed("in_progress")[0], S))
        poll = desk.watch(GET, RUN, 2 * S)
        poll.head(Head(200, SSE, 2 * S))
        poll.chunk(Chunk(completed(), 2 * S))
        watch.end(LEFT)
        assert desk.reports == []
        poll.end(Ending(How.COMPLETE, 3 * S))
        assert (only(desk).polls, only(desk).exchanges) == (1, 1)

    def test_the_stream_of_a_hand_in_is_waited_for(self) -> None:
        desk = Desk()
        desk.start(run("requires_action", required_action=CALLS))
        watch = desk.watch(POST, f"{RUN}/submit_tool_outputs", S)
        watch.head(Head(200, SSE, S))
        desk.poll(done(), at_ns=2 * S)
        assert desk.reports == []
        watch.end(Ending(How.COMPLETE, 3 * S))
        assert (only(desk).exchanges, only(desk).polls) == (2, 1)

    def test_a_stream_that_never_ends_is_swept(self) -> None:
        desk = Desk()
        watch = desk.watch(POST, "/v1/threads/thread_1/runs")
        watch.head(Head(200, SSE, 1))
        watch.chunk(Chunk(streamed("in_progress")[0], S))
        desk.poll(done(), at_ns=2 * S)
        desk.runs.sweep(10_000 * S)
        assert (only(desk).outcome, only(desk).usage) == ("completed", Usage(10, 5))


class TestHandIns:
    def test_a_hand_in_that_was_accepted_counts_though_its_stream_was_torn_at_once(self) -> None:
        desk = Desk()
        pause = run("requires_action", required_action=CALLS)
        desk.start(pause)
        torn = Ending(How.UPSTREAM_FAILED, 6 * S, "upstream_torn")
        desk.submit([b": ping\n\n"], at_ns=5 * S, ending=torn, asked=b'{"tool_outputs": [{"tool_call_id": "c"}]}')
        desk.poll(run("in_progress"), at_ns=7 * S)
        desk.poll(done(), at_ns=9 * S)
        report = only(desk)
        assert (report.tool_wait_ns, report.model_ns) == (5 * S - 2 * MS, 2 * S)
        assert report.steps[0].tools[0].end_ns == WALL + 5 * S

    def test_a_pause_that_nobody_saw_leaves_the_models_time_unknown(self) -> None:
        desk = Desk()
        desk.start(streamed("queued", "in_progress")[:2], ending=Ending(How.UPSTREAM_FAILED, 5 * S, "upstream_torn"))
        desk.submit([*streamed("queued", "in_progress")[:2], completed()], at_ns=10 * S)
        assert (only(desk).model_ns, only(desk).tool_wait_ns, only(desk).duration_ns) == (None, None, 10 * S + 4 * MS)


class TestSteps:
    def test_steps_that_are_read_while_the_run_streams_take_no_gap(self) -> None:
        desk = Desk()
        step = b'{"object": "thread.run.step", "id": "s", "run_id": "run_1"}'
        watch = desk.watch(POST, "/v1/threads/thread_1/runs")
        watch.head(Head(200, SSE, 1))
        for piece in (streamed("in_progress")[0], event("thread.run.step.created", step), text()):
            watch.chunk(Chunk(piece, S))
        desk.exchange(GET, f"{RUN}/steps", listed(step), at_ns=S)
        watch.chunk(Chunk(text(), 2 * S))
        watch.chunk(Chunk(event("thread.run.step.in_progress", step) + text(), 4 * S))
        watch.chunk(Chunk(event("thread.run.step.created", step.replace(b'"s"', b'"t"')) + text(), 9 * S))
        watch.chunk(Chunk(text() + completed(), 10 * S))
        watch.end(Ending(How.COMPLETE, 11 * S))
        assert only(desk).gaps == sketch(S, 2 * S, S)

    def test_steps_read_afterwards_are_moved_to_our_clock_and_lie_within_the_run(self) -> None:
        """The server's clock is an hour behind."""
        desk = Desk()
        created = WALL // S - 3600
        desk.start(run(created_at=created))
        stamps = [(created + 2, created + 5), (created - 9, created + 99)]
        steps = [
            {"object": "thread.run.step", "id": f"s{begin}", "run_id": "run_1", "status": "completed"}
            | {"created_at": begin, "completed_at": end}
            for begin, end in stamps
        ]
        desk.exchange(GET, f"{RUN}/steps", listed(*(json.dumps(step).encode() for step in steps)), at_ns=8 * S)
        desk.poll(done(), at_ns=10 * S)
        assert [(step.start_ns - WALL, step.end_ns and step.end_ns - WALL) for step in only(desk).steps] == [
            (0, 10 * S + 2 * MS),
            (2 * S, 5 * S),
        ]

    def test_tokens_of_some_steps_are_not_those_of_the_run(self) -> None:
        desk = Desk()
        step = {"object": "thread.run.step", "id": "a", "run_id": "run_1", "status": "completed"}
        told = step | {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}
        desk.start(run())
        other = json.dumps(step | {"id": "b", "status": "cancelled"}).encode()
        desk.exchange(GET, f"{RUN}/steps", listed(json.dumps(told).encode(), other))
        desk.poll(run("cancelled"))
        assert (only(desk).usage, only(desk).usage_source) == (None, "none")


TARGETS = {
    "start": (POST, "/v1/threads/thread_1/runs"),
    "submit": (POST, f"{RUN}/submit_tool_outputs"),
    "poll": (GET, RUN),
}


def told(desk: Desk, kind: str, statuses: list[str], how: How) -> Iterator[Callable[[int], None]]:
    """What one exchange tells its observer, call by call, each to be given its time."""
    watch: list[Watch] = []
    yield lambda at_ns: watch.append(desk.watch(*TARGETS[kind], at_ns))
    yield lambda at_ns: watch[0].head(Head(200, SSE, at_ns))
    for status in statuses:
        piece = event(f"thread.run.{status}", done() if status == "completed" else run(status)) + text()
        yield partial(feed, watch, piece)
    yield lambda at_ns: watch[0].end(Ending(how, at_ns))


def feed(watch: list[Watch], piece: bytes, at_ns: int) -> None:
    watch[0].chunk(Chunk(piece, at_ns))


STATUSES = st.lists(st.sampled_from(["queued", "in_progress", "requires_action", "completed"]), max_size=4)
EXCHANGES = st.tuples(st.sampled_from(["start", "submit", "poll"]), STATUSES, st.sampled_from(list(How)))


@given(st.lists(EXCHANGES, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_exchanges_at_once_report_a_run_that_is_over_when_the_last_has_ended(
    exchanges: list[tuple[str, list[str], How]], chance: Random
) -> None:
    desk = Desk()
    waiting = [list(told(desk, *exchange)) for exchange in exchanges]
    turns = [at for at, calls in enumerate(waiting) for _ in calls]
    chance.shuffle(turns)
    for number, at in enumerate(turns, 1):
        waiting[at].pop(0)(number * S)
    is_over = any("completed" in statuses for _, statuses, _ in exchanges)
    assert len(desk.reports) == is_over
    assert not (is_over and desk.runs.open)
    assert all((report.outcome, report.usage) == ("completed", Usage(10, 5)) for report in desk.reports)


def test_an_exchange_that_is_over_leaves_nothing_for_the_garbage_collector() -> None:
    desk = Desk()
    desk.start(run())
    gc.collect()
    gc.disable()
    try:
        watch = weakref.ref(desk.poll(run("in_progress"), at_ns=S))
        assert watch() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("ids", [("step_a", "step_b"), ("step_b", "step_a")])
def test_steps_that_come_in_one_read_keep_their_order_whatever_their_ids(ids: tuple[str, str]) -> None:
    desk = Desk()
    steps = [
        event(f"thread.run.step.{name}", json.dumps({"id": one, "run_id": "run_1", "status": status}).encode())
        for one in ids
        for name, status in (("created", "in_progress"), ("completed", "completed"))
    ]
    started, *rest = streamed("in_progress")
    desk.start([b"".join([started, *steps, completed(), *rest])])
    assert [step.id for step in only(desk).steps] == list(ids)
