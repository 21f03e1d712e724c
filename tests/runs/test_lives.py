"""Lives of runs that are not one stream from begin to end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.streams import CALLS, MS, SSE, Desk, S, completed, done, event, listed, only, run, streamed, text
from wiretape.exchange import Chunk, Ending, Head, How
from wiretape.runs.report import RunReport, Usage
from wiretape.runs.watch import Watch

GET, POST, RUNS = "GET", "POST", "/v1/threads/thread_1/runs"
RUN = f"{RUNS}/run_1"
TORN = Ending(How.UPSTREAM_FAILED, 5 * S, "upstream_torn")
LEFT = Ending(How.CLIENT_LEFT, 5 * S)
PAUSE = run("requires_action", required_action=CALLS)


def streaming(desk: Desk, *statuses: str, run_id: str = "run_1", at_ns: int = 0) -> Watch:
    """A stream that has told these states, and goes on."""
    watch = desk.watch(POST, RUNS, at_ns)
    watch.head(Head(200, SSE, at_ns + 1))
    for number, piece in enumerate(streamed(*statuses, run_id=run_id)[:-1], 1):
        watch.chunk(Chunk(piece, at_ns + number * MS))
    return watch


def finishes_by_poll(desk: Desk) -> None:
    desk.start(streamed("in_progress")[:1], ending=LEFT)
    desk.poll(done(), at_ns=9 * S)


def finishes_by_list(desk: Desk) -> None:
    desk.start(run())
    desk.exchange(GET, RUNS, listed(done(), done("run_2")), at_ns=9 * S)


def finishes_by_change(desk: Desk) -> None:
    desk.start(run())
    desk.exchange(POST, RUN, done(), at_ns=9 * S)


def hands_in_elsewhere(desk: Desk) -> None:
    """Another proxy relayed the hand-in: this one sees that the run went on, and that it ended."""
    desk.start(PAUSE)
    desk.poll(run("in_progress"), at_ns=8 * S)
    desk.poll(done(), at_ns=9 * S)


def is_cancelled(desk: Desk) -> None:
    watch = streaming(desk, "in_progress")
    watch.chunk(Chunk(text(), S))
    desk.exchange(POST, f"{RUN}/cancel", run("cancelling"), at_ns=2 * S)
    watch.chunk(Chunk(event("thread.run.cancelled", run("cancelled")), 9 * S + 2 * MS))
    watch.end(Ending(How.COMPLETE, 10 * S))


def is_cancelled_and_polled(desk: Desk) -> None:
    desk.start(streamed("in_progress")[:1], ending=LEFT)
    desk.exchange(POST, f"{RUN}/cancel", run("cancelling"), at_ns=6 * S)
    desk.poll(run("cancelled"), at_ns=9 * S)


def completes_though_it_was_to_be_cancelled(desk: Desk) -> None:
    desk.start(run("in_progress"))
    desk.exchange(POST, f"{RUN}/cancel", run("cancelling"), at_ns=6 * S)
    desk.poll(done(), at_ns=9 * S)


ENDED = [
    (finishes_by_poll, "completed", 1, 1),
    (finishes_by_list, "completed", 1, 0),
    (finishes_by_change, "completed", 2, 0),
    (hands_in_elsewhere, "completed", 1, 2),
    (is_cancelled, "cancelled", 2, 0),
    (is_cancelled_and_polled, "cancelled", 2, 1),
    (completes_though_it_was_to_be_cancelled, "completed", 2, 1),
]


@pytest.mark.parametrize(("live", "outcome", "exchanges", "polls"), ENDED)
def test_a_run_of_ours_ends_wherever_that_is_seen(
    live: Callable[[Desk], None], outcome: str, exchanges: int, polls: int
) -> None:
    desk = Desk()
    live(desk)
    (report,) = [report for report in desk.reports if report.run_id == "run_1"]
    assert (report.foreign, report.outcome, report.error) == (False, outcome, None)
    assert (report.exchanges, report.polls, report.duration_ns) == (exchanges, polls, 9 * S + 2 * MS)
    assert report.usage == (Usage(10, 5) if outcome == "completed" else None)
    assert desk.runs.open == 0


def test_a_hand_in_that_another_proxy_relayed_leaves_what_it_took_unknown() -> None:
    desk = Desk()
    hands_in_elsewhere(desk)
    assert (only(desk).tool_wait_ns, only(desk).steps[0].tools[0].end_ns) == (None, None)


def test_a_tool_that_was_cancelled_with_its_run_ends_with_its_step() -> None:
    desk = Desk()
    desk.start(PAUSE)
    details = b'{"tool_calls": [{"id": "c", "type": "function"}]}'
    step = b'{"object": "thread.run.step", "id": "s", "run_id": "run_1", "status": "cancelled", "step_details": %s}'
    desk.exchange(GET, f"{RUN}/steps", listed(step % details), at_ns=6 * S)
    desk.poll(run("cancelled"), at_ns=9 * S)
    (told,) = only(desk).steps
    assert (told.end_ns, [tool.end_ns for tool in told.tools]) == (told.end_ns, [told.end_ns])


def two_at_once(desk: Desk) -> list[RunReport]:
    """Two runs of one thread, their streams in turns; the second fails."""
    one, two = streaming(desk, "in_progress"), streaming(desk, "in_progress", run_id="run_2", at_ns=S)
    for number in range(2, 6):
        one.chunk(Chunk(text(), number * S))
        two.chunk(Chunk(text(), number * S + number * MS))
    two.chunk(Chunk(event("thread.run.failed", run("failed", "run_2", last_error={"code": "server_error"})), 7 * S))
    one.chunk(Chunk(completed(), 8 * S))
    two.end(Ending(How.COMPLETE, 9 * S))
    one.end(Ending(How.COMPLETE, 9 * S))
    return desk.reports


def test_two_runs_on_one_thread_keep_apart() -> None:
    two, one = two_at_once(Desk())
    assert [(report.run_id, report.outcome, report.error) for report in (one, two)] == [
        ("run_1", "completed", None),
        ("run_2", "failed", "server_error"),
    ]
    assert (one.first_token_ns, two.first_token_ns) == (2 * S, S + 2 * MS)
    assert (one.gaps.quantile(100), two.gaps.quantile(1)) == (pytest.approx(S, rel=0.01), pytest.approx(S, rel=0.01))
    assert (one.usage, two.usage, one.gaps.count, two.gaps.count) == (Usage(10, 5), None, 3, 3)
    assert (one.trace == two.trace, one.span_id == two.span_id) == (False, False)


GIVEN_UP = [
    ("its expiry", {"created_at": 100, "expires_at": 700}, 660 * S),
    ("its expiry though it was written to later", {"created_at": 100, "expires_at": 102}, 65 * S),
    ("its silence", {}, 905 * S),
]


@pytest.mark.parametrize(("stamps", "until_ns"), [row[1:] for row in GIVEN_UP], ids=[row[0] for row in GIVEN_UP])
def test_a_run_is_given_up_by(stamps: dict[str, int], until_ns: int) -> None:
    desk = Desk()
    desk.start([event("thread.run.in_progress", run("in_progress", **stamps))], ending=TORN)
    desk.runs.sweep(until_ns)
    assert desk.runs.open == 1
    desk.runs.sweep(until_ns + 1)
    report = only(desk)
    assert (report.outcome, report.status, report.error) == ("abandoned", "in_progress", "upstream_torn")
    assert (report.usage, report.usage_source, report.duration_ns) == (None, "none", None)
    assert report.end_ns - report.start_ns == 5 * S


def test_every_length_between_two_pieces_of_content_is_counted_however_many_there_are() -> None:
    desk = Desk()
    desk.start([*streamed("in_progress")[:1], *[text()] * 2000, completed()])
    assert list(only(desk).gaps.lengths()) == [(pytest.approx(MS, rel=0.01), 1999)]


def test_foreign_runs_give_way_first_then_the_oldest_of_ours() -> None:
    desk = Desk(runs_open_max=2)
    desk.start(run(run_id="old"))
    desk.poll(run(run_id="theirs"), "theirs")
    for run_id in ("new", "newer"):
        desk.start(run(run_id=run_id))
    assert [(report.run_id, report.foreign, report.outcome) for report in desk.reports] == [
        ("theirs", True, "abandoned"),
        ("old", False, "abandoned"),
    ]
    assert (desk.runs.evicted, desk.runs.open) == (2, 2)


def test_a_run_that_gave_way_is_corrected_when_its_end_is_seen() -> None:
    desk = Desk(runs_open_max=1)
    for run_id in ("run_1", "run_2"):
        desk.start(run(run_id=run_id))
    desk.poll(done(), at_ns=S)
    assert [(one.run_id, one.outcome, one.usage) for one in desk.corrections] == [("run_1", "completed", Usage(10, 5))]


def test_a_hand_in_for_a_run_that_was_not_known_counts_for_it_once_it_is() -> None:
    desk = Desk()
    poll = desk.watch(GET, RUN, S)
    desk.submit(streamed("queued", "in_progress")[:2], at_ns=2 * S, asked=b'{"tool_outputs": [{"tool_call_id": "c"}]}')
    poll.head(Head(200, ((b"content-type", b"application/json"),), 2 * S))
    poll.chunk(Chunk(PAUSE, S + MS))
    poll.end(Ending(How.COMPLETE, 3 * S))
    desk.poll(done(), at_ns=4 * S)
    report = only(desk)
    assert (report.foreign, report.exchanges, report.polls) == (True, 1, 2)
    assert [tool.end_ns for tool in report.steps[0].tools] == [desk.request(GET, RUN, 2 * S).wall_ns]


def test_a_hand_in_for_one_run_begins_no_leg_of_another_that_its_stream_tells_of() -> None:
    desk = Desk()
    desk.start(PAUSE)
    desk.start(streamed("in_progress", run_id="run_2")[:1], ending=LEFT)
    desk.submit([*streamed("in_progress")[:1], completed(), *streamed("failed", run_id="run_2")[:1]], at_ns=6 * S)
    other = desk.reports[1]
    assert (other.run_id, other.model_ns, other.tool_wait_ns) == ("run_2", 6 * S + 2 * MS, None)


def test_all_that_comes_at_the_time_of_the_end_belongs_to_the_run() -> None:
    desk = Desk()
    desk.start([b"".join([*streamed("queued", "in_progress")[:2], completed()])])
    assert (only(desk).queue_ns, only(desk).model_ns) == (0, 0)


def test_how_a_stream_broke_after_the_end_is_not_why_the_run_failed() -> None:
    desk = Desk()
    watch = streaming(desk, "in_progress")
    desk.poll(run("failed"), at_ns=3 * S)
    watch.end(TORN)
    assert (only(desk).outcome, only(desk).error) == ("failed", None)
