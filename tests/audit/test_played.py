"""A tape told to the tracker once more; the commands' tests hold its rows against those of live runs."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from support.golden import FOLDER
from wiretape.audit.played import Origin, play
from wiretape.cassette.format import Ended, Header, Interaction, Tape
from wiretape.edge.store import load
from wiretape.exchange import How
from wiretape.runs.observer import RunOptions
from wiretape.testing import CollectingSink

ORIGIN = Origin(cassette="talk", upstream="default", recorded_ns=1_750_000_000 * 10**9)


def told(tape: Tape) -> CollectingSink:
    kept = CollectingSink()
    assert play(tape, ORIGIN, RunOptions(), kept) == len(tape.interactions)
    return kept


def a_tape(*interactions: Interaction) -> Tape:
    return Tape(header=Header(id="one"), interactions=interactions)


def test_a_tape_without_exchanges_tells_nothing() -> None:
    assert told(a_tape()).exchanges == []


def test_an_exchange_that_never_had_a_head_is_one_that_failed() -> None:
    (report,) = told(
        a_tape(Interaction(index=1, method="GET", target="/v1/models", how=Ended.UPSTREAM_FAILED))
    ).exchanges
    assert (report.status, report.how, report.code) == (None, How.UPSTREAM_FAILED, "upstream_unreachable")
    assert (report.head_ns, report.first_chunk_ns, report.start_ns) == (None, None, ORIGIN.recorded_ns)


def test_a_stream_that_broke_off_is_torn_again() -> None:
    torn = Interaction(index=1, method="GET", target="/v1/models", status=200, body=b"{", how=Ended.UPSTREAM_FAILED)
    (report,) = told(a_tape(torn)).exchanges
    assert (report.status, report.how, report.code, report.bytes_out) == (200, How.UPSTREAM_FAILED, "upstream_torn", 1)


def test_what_the_recorder_cut_is_nobodys_failure() -> None:
    cut = Interaction(index=1, method="GET", target="/v1/models", status=200, how=Ended.RECORDER)
    (report,) = told(a_tape(cut)).exchanges
    assert (report.how, report.code) == (How.CANCELLED, None)


def test_a_run_whose_end_was_not_recorded_is_abandoned() -> None:
    tape = load(FOLDER / "polled-run.tape.jsonl")
    begun = [one for one in tape.interactions if one.method == "POST"]
    (run,) = told(Tape(header=tape.header, interactions=begun)).runs
    assert (run.outcome, run.usage, run.duration_ns) == ("abandoned", None, None)


def test_the_same_tape_tells_the_same_twice_and_another_has_other_ids() -> None:
    tape = load(FOLDER / "tool-run.tape.jsonl")
    one, two = told(tape), told(tape)
    assert (one.runs, one.exchanges) == (two.runs, two.exchanges)
    other = told(Tape(header=Header(id="another"), interactions=tape.interactions))
    ids = [{report.trace.server_span_id for report in kept.exchanges} for kept in (one, other)]
    assert ids[0] & ids[1] == set()


def test_exchanges_are_told_by_their_times_and_not_by_their_places() -> None:
    tape = load(FOLDER / "text-run.tape.jsonl")
    (run,) = told(tape).runs
    assert (run.outcome, run.foreign, run.exchanges, run.polls) == ("completed", False, 1, 0)
    backwards = Tape(header=tape.header, interactions=tape.interactions[::-1])
    assert told(backwards).runs[0].usage == run.usage


def test_an_import_without_times_has_none_and_no_exchanges() -> None:
    """They would be the pace that replay makes up for it, or 0."""
    tape = load(FOLDER / "tool-run.tape.jsonl")
    untimed = tuple(replace(one, chunks=(), times_known=False) for one in tape.interactions)
    kept = told(Tape(header=tape.header, interactions=untimed))
    (run,), (timed,) = kept.runs, told(tape).runs
    assert kept.exchanges == []
    assert (run.usage, run.outcome, run.events, run.steps[0].id) == (
        timed.usage,
        timed.outcome,
        timed.events,
        timed.steps[0].id,
    )
    assert {run.duration_ns, run.first_event_ns, run.first_token_ns, run.queue_ns, run.model_ns, run.tool_wait_ns} == {
        None
    }
    assert run.gaps.count == 0
    assert {step.end_ns for step in run.steps} == {tool.end_ns for step in run.steps for tool in step.tools} == {None}


def test_better_figures_seen_after_the_end_are_told_with_or_without_times() -> None:
    tape = load(FOLDER / "polled-run.tape.jsonl")
    runs = [one for one in tape.interactions if b'"object":"thread.run"' in one.body.replace(b'": "', b'":"')]
    ended = next(one for one in runs if b'"completed"' in one.body)
    poor = replace(ended, body=msgspec.json.encode(msgspec.json.decode(ended.body) | {"usage": None}), chunks=())
    better = replace(ended, index=99, t0_ms=ended.t0_ms + 60_000)
    for times_known in (True, False):
        seen = (*(one for one in tape.interactions if one.method == "POST"), poor, better)
        kept = told(a_tape(*(replace(one, times_known=times_known, chunks=()) for one in seen)))
        assert [run.usage for run in kept.runs] == [None]
        assert [one.usage for one in kept.corrections] == [told(tape).runs[0].usage]
