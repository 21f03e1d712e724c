"""Real traffic of others through the whole observer: every recording, exchange by exchange, in its order."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from support.corpora import Recorded, files, hand_edited
from support.streams import FUNCTION_RUN, Desk, S, event, frames, listed, pieces, stream
from wiretape.runs.report import RunReport, Usage


def replayed(exchanges: list[Recorded], desk: Desk) -> list[RunReport]:
    """Feed a recording; the reports so far."""
    for number, one in enumerate(exchanges):
        answer = pieces(one.body) if one.streamed else one.body
        desk.exchange(
            one.method, one.target, answer, asked=one.request, status=one.status, at_ns=number * S, step_ns=1000
        )
    return desk.reports


def summed(report: RunReport) -> Usage:
    told = [step.usage for step in report.steps if step.usage is not None]
    return Usage(
        sum(usage.prompt for usage in told),
        sum(usage.completion for usage in told),
        sum(usage.cached for usage in told),
        sum(usage.reasoning for usage in told),
    )


def last_run(body: bytes) -> dict[str, Any] | None:
    """The last snapshot of the run that a stream told."""
    runs = [json.loads(frame.data or b"") for frame in frames(body) if frame.event.startswith("thread.run.c")]
    return runs[-1] if runs else None


def test_every_streamed_run_is_reported_once_with_the_tokens_of_its_steps() -> None:
    streamed = 0
    for path, exchanges in files():
        desk = Desk()
        for report in replayed(exchanges, desk):
            if report.streamed and report.outcome == "completed":
                assert (path.name, report.usage, report.usage_source) == (path.name, summed(report), "run")
                assert not report.foreign
                assert report.first_token_ns is not None
                assert report.queue_ns is not None
                streamed += 1
    assert streamed >= 12


def test_tokens_count_once_however_often_the_runs_are_read_again() -> None:
    for _, exchanges in files():
        desk = Desk()
        before = list(replayed(exchanges, desk))
        still_open = desk.runs.open
        snapshots = [run for one in exchanges if one.streamed and (run := last_run(one.body))]
        for snapshot in snapshots:
            body = json.dumps(snapshot).encode()
            desk.poll(body, run_id=snapshot["id"])
            desk.exchange("GET", "/v1/threads/thread_1/runs", listed(body, body))
        replayed(exchanges, desk)
        assert (desk.reports, desk.runs.open) == (before, still_open)
        assert max(Counter(report.run_id for report in before).values(), default=1) == 1


def test_every_terminal_run_of_the_recordings_is_reported_with_the_tokens_it_told() -> None:
    for path, exchanges in files():
        desk = Desk()
        replayed(exchanges, desk)
        reports = {report.run_id: report for report in desk.reports}
        for one in exchanges:
            told = json.loads(one.body) if not one.streamed and one.status == 200 and one.body.startswith(b"{") else {}
            if told.get("object") == "thread.run" and told["status"] == "completed" and told.get("usage"):
                usage = reports[told["id"]].usage
                assert usage is not None
                assert (path.name, usage.prompt, usage.completion) == (
                    path.name,
                    told["usage"]["prompt_tokens"],
                    told["usage"]["completion_tokens"],
                )


def test_no_recording_has_an_event_that_does_not_decode() -> None:
    for path, exchanges in files():
        for one in exchanges:
            if one.streamed:
                watch = Desk().exchange(one.method, one.target, pieces(one.body), asked=one.request)
                assert (path.name, watch.seen.decoder_errors, watch.seen.events_unknown) == (path.name, 0, 0)


def test_hand_edited_streams_harm_nothing() -> None:
    """Without blank lines many events are one block under the last name, whose data is no JSON or the end mark."""
    for name, body in hand_edited():
        desk = Desk()
        seen = desk.start([body]).seen
        assert (name, seen.events) == (name, 1)
        is_torn = body.count(b"data:") > 1 and not body.endswith(b"event: done\n")
        assert (name, seen.decoder_errors) == (name, is_torn)


@pytest.mark.parametrize("names", [("function_call", "tool_outputs"), ("code_interpreter",)])
def test_our_recordings_add_up_as_the_foreign_ones_do(names: tuple[str, ...]) -> None:
    desk = Desk()
    desk.start(pieces(stream(names[0])))
    for name in names[1:]:
        desk.submit(pieces(stream(name)), run_id=FUNCTION_RUN, at_ns=S)
    (report,) = desk.reports
    assert (report.usage, report.usage_source) == (summed(report), "run")
    snapshot = json.dumps(last_run(stream(names[-1]))).encode()
    desk.poll(snapshot, run_id=report.run_id)
    desk.exchange("GET", "/v1/threads/thread_1/runs", listed(snapshot))
    desk.start([event("thread.run.completed", snapshot)])
    assert len(desk.reports) == 1
