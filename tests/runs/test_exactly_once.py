"""Whatever carries a run, and whatever breaks: one report, and with its corrections the tokens that were told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from support.streams import MS, Desk, S, completed, done, listed, run, streamed, text
from wiretape.exchange import Ending, How
from wiretape.runs.report import Usage

RUNS = "/v1/threads/thread_1/runs"
ENDS_S = 100
"""When the service ends the run: reads before that show it at work, later ones its tokens."""
TOKENS = Usage(10, 5)
CUTS = st.sampled_from([How.UPSTREAM_FAILED, How.CLIENT_LEFT, How.CANCELLED])
READS = st.lists(
    st.tuples(st.integers(10, 200), st.sampled_from(["poll", "list", "stale", "sweep", "again", "change"])), max_size=12
)


def began(desk: Desk, pieces: int, how: How) -> None:
    """The creating exchange, cut after some pieces; whole with all of them."""
    told = [*streamed("created", "queued", "in_progress")[:3], text(), text(), completed()]
    is_whole = pieces == len(told)
    ending = Ending(How.COMPLETE if is_whole else how, 9 * S)
    desk.start(told[:pieces], ending=ending)


def read(desk: Desk, at_s: int, how: str) -> None:
    seen = done() if at_s >= ENDS_S else run("in_progress")
    if how == "poll":
        desk.poll(seen, at_ns=at_s * S)
    elif how == "list":
        desk.exchange("GET", RUNS, listed(seen, done("other")), at_ns=at_s * S)
    elif how == "stale":
        desk.poll(run("queued"), at_ns=at_s * S)
    elif how == "change":
        desk.exchange("POST", f"{RUNS}/run_1", seen, at_ns=at_s * S)
    elif how == "again":
        desk.start([completed()] if at_s >= ENDS_S else streamed("queued"), at_ns=at_s * S, step_ns=MS)
    else:
        desk.runs.sweep(10_000 * S)


@given(st.integers(1, 6), CUTS, READS)
def test_a_run_is_reported_once_and_its_tokens_are_those_that_were_told(
    pieces: int, how: How, reads: list[tuple[int, str]]
) -> None:
    desk = Desk()
    began(desk, pieces, how)
    for at_s, kind in sorted(reads):
        read(desk, at_s, kind)
    desk.runs.close(300 * S)
    (report,) = [report for report in desk.reports if report.run_id == "run_1"]
    better = [correction.usage for correction in desk.corrections if correction.run_id == "run_1"]
    was_told = pieces == 6 or any(at_s >= ENDS_S and kind not in {"stale", "sweep"} for at_s, kind in reads)
    assert not report.foreign
    assert [report.usage, *better][-1] == (TOKENS if was_told else None)
    assert len(better) == (report.outcome == "abandoned" and was_told)
    assert len({one.run_id for one in desk.reports}) == len(desk.reports)
