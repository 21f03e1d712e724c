from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.streams import (
    CALLS,
    FUNCTION_RUN,
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
    pieces,
    run,
    sketch,
    stream,
    streamed,
    text,
)
from wiretape.dialects import assistants
from wiretape.exchange import Chunk, Ending, Head, How
from wiretape.runs.observer import Seen
from wiretape.runs.report import AgentCreated, Usage
from wiretape.telemetry.attributes import run_error

LEFT = Ending(How.CLIENT_LEFT, 9 * MS)
GET, POST, RUN = "GET", "POST", "/v1/threads/thread_1/runs/run_1"


class TestStreams:
    def test_a_run_over_two_streams_is_one_report(self) -> None:
        desk = Desk()
        desk.start(pieces(stream("function_call")))
        assert (desk.reports, desk.runs.open) == ([], 1)
        desk.submit(pieces(stream("tool_outputs")), run_id=FUNCTION_RUN, at_ns=S)
        report = only(desk)
        assert desk.runs.open == 0
        assert (report.status, report.outcome, report.error, report.foreign) == ("completed", "completed", None, False)
        assert (report.usage, report.usage_source) == (Usage(264, 25), "run")
        assert (report.exchanges, report.polls, report.events, report.streamed) == (2, 0, 24, True)
        assert [one.route.rpartition("/")[2] for one in report.carried] == ["runs", "submit_tool_outputs"]

    def test_its_times_are_arrivals_from_the_creating_request_on(self) -> None:
        desk = Desk()
        desk.start(pieces(stream("function_call")))
        desk.submit(pieces(stream("tool_outputs")), run_id=FUNCTION_RUN, at_ns=S)
        report = only(desk)
        assert (report.first_event_ns, report.first_token_ns) == (2 * MS, 9 * MS)
        assert report.first_token_kind == "tool_args"
        assert report.queue_ns == 2 * MS
        assert report.model_ns == 7 * MS + 8 * MS
        assert report.tool_wait_ns == S - 11 * MS
        assert (report.start_ns, report.end_ns, report.duration_ns) == (WALL, WALL + S + 13 * MS, S + 13 * MS)
        assert report.gaps == sketch(MS, MS)

    def test_its_function_call_lasts_from_requires_action_to_the_hand_in(self) -> None:
        desk = Desk()
        desk.start(pieces(stream("function_call")))
        desk.submit(pieces(stream("tool_outputs")), run_id=FUNCTION_RUN, at_ns=S)
        tools, message = only(desk).steps
        (call,) = tools.tools
        assert (call.name, call.by_client) == ("tide_height", True)
        assert (call.start_ns, call.end_ns) == (WALL + 11 * MS, WALL + S)
        assert (tools.usage, message.usage) == (Usage(118, 16), Usage(146, 9))

    def test_a_hosted_tool_belongs_to_its_step(self) -> None:
        desk = Desk()
        desk.start(pieces(stream("code_interpreter")))
        report = only(desk)
        (tool,) = report.steps[0].tools
        assert (tool.type, tool.by_client, tool.end_ns) == ("code_interpreter", False, report.steps[0].end_ns)
        assert report.first_token_kind == "code"

    def test_a_run_that_fails_tells_its_code(self) -> None:
        desk = Desk()
        desk.start(pieces(stream("failed")))
        report = only(desk)
        assert (report.outcome, report.error, report.usage) == ("failed", "rate_limit_exceeded", Usage(0, 0))

    def test_an_expired_run_says_so(self) -> None:
        desk = Desk()
        desk.start(streamed("queued", "expired"))
        assert (only(desk).error, only(desk).usage_source) == ("expired", "none")

    def test_an_error_event_is_kept_and_the_run_stays_open(self) -> None:
        desk = Desk()
        desk.start(pieces(stream("error")))
        assert desk.runs.open == 1
        desk.runs.sweep(10_000 * S)
        assert (only(desk).outcome, only(desk).error, only(desk).status) == ("abandoned", "server_error", "in_progress")

    def test_an_error_before_any_run_belongs_to_none(self) -> None:
        desk = Desk()
        watch = desk.start([event("error", b'{"code": "x"}'), text()])
        assert (desk.runs.open, watch.seen.events) == (0, 2)

    def test_a_run_known_by_its_steps_alone_is_followed(self) -> None:
        desk = Desk()
        step = {"id": "s", "run_id": "run_1", "type": "message_creation"}
        desk.submit([event("thread.run.step.created", json.dumps(step).encode())])
        desk.runs.close(S)
        assert (only(desk).status, only(desk).foreign, len(only(desk).steps)) == ("queued", True, 1)

    def test_a_step_without_a_run_belongs_to_the_run_of_the_stream(self) -> None:
        desk = Desk()
        desk.start([*streamed("queued")[:1], event("thread.run.step.created", b'{"id": "s"}'), completed()])
        assert [step.id for step in only(desk).steps] == ["s"]

    def test_a_step_of_no_run_at_all_is_passed_over(self) -> None:
        desk = Desk()
        desk.start([event("thread.run.step.created", b'{"id": "s"}')])
        assert desk.runs.open == 0

    def test_the_last_event_counts_without_its_blank_line(self) -> None:
        desk = Desk()
        desk.start([*streamed("queued")[:1], text(), completed().rstrip() + b"\n"])
        assert only(desk).usage == Usage(10, 5)

    def test_a_bad_event_never_kills_the_rest(self) -> None:
        """Neither one that cannot be read nor one that is too large."""
        desk = Desk(frame_bytes_max=1000)
        watch = desk.start([*streamed("queued")[:1], event("x", b"{"), text("a" * 2000), completed()])
        assert (only(desk).usage, watch.seen.decoder_errors) == (Usage(10, 5), 1)

    def test_content_that_was_not_ended_counts(self) -> None:
        desk = Desk()
        desk.start([*streamed("queued")[:1], text().rstrip()], ending=LEFT)
        desk.poll(done())
        assert (only(desk).first_token_ns, only(desk).first_token_kind) == (3 * MS, "text")

    def test_several_runs_in_one_stream_are_told_apart(self) -> None:
        desk = Desk()
        desk.start([*streamed("queued", "completed")[:2], *streamed("queued", "completed", run_id="run_2")])
        assert [(report.run_id, report.foreign) for report in desk.reports] == [("run_1", False), ("run_2", True)]

    def test_data_only_envelopes_are_followed(self) -> None:
        """LiteLLM and Astra."""
        desk = Desk()
        told = [("created", run()), ("completed", done())]
        desk.start([b'data: {"event": "thread.run.%s", "data": %s}\n\n' % (n.encode(), d) for n, d in told])
        assert only(desk).usage == Usage(10, 5)


class TestPolls:
    def test_a_polled_run_is_one_report(self) -> None:
        desk = Desk()
        desk.start(run())
        for number, status in enumerate(("queued", "in_progress", "in_progress")):
            desk.poll(run(status), at_ns=(number + 1) * S)
        desk.poll(done(), at_ns=4 * S)
        report = only(desk)
        assert (report.polls, report.exchanges, report.streamed) == (4, 1, False)
        assert (report.queue_ns, report.model_ns, report.duration_ns) == (2 * S, 2 * S, 4 * S + 2 * MS)
        assert (report.first_event_ns, report.first_token_ns, report.gaps.count) == (None, None, 0)
        assert (report.model_requested, report.model) == ("gpt-4o-mini", "gpt-4o")

    def test_tools_of_a_polled_run_are_timed_though_nobody_read_its_steps(self) -> None:
        desk = Desk()
        desk.start(run())
        desk.poll(run("in_progress"), at_ns=S)
        desk.poll(run("requires_action", required_action=CALLS), at_ns=2 * S)
        desk.submit(run("queued"), at_ns=5 * S, asked=b'{"tool_outputs": [{"tool_call_id": "c"}]}')
        desk.poll(done(), at_ns=6 * S)
        report = only(desk)
        assert report.tool_wait_ns == 3 * S - 2 * MS
        assert [(step.id, len(step.tools)) for step in report.steps] == [("", 1)]
        assert report.steps[0].tools[0].end_ns == WALL + 5 * S

    def test_steps_read_before_the_end_are_part_of_the_report(self) -> None:
        desk = Desk()
        desk.start(run())
        step = {"object": "thread.run.step", "id": "s", "run_id": "run_1", "status": "completed", "created_at": 5}
        usage = {"prompt_tokens": 3, "completion_tokens": 4}
        desk.exchange(GET, f"{RUN}/steps", listed(json.dumps(step | {"usage": usage}).encode()))
        desk.poll(run("completed"))
        assert (only(desk).usage, only(desk).usage_source) == (Usage(3, 4), "steps")

    def test_steps_of_a_run_we_do_not_know_open_none(self) -> None:
        desk = Desk()
        step = b'{"object": "thread.run.step", "id": "s", "run_id": "run_1"}'
        desk.exchange(GET, f"{RUN}/steps", listed(step))
        assert desk.runs.open == 0

    def test_a_slow_poll_does_not_speak_for_the_next_leg(self) -> None:
        desk = Desk()
        desk.start(run("requires_action", required_action=CALLS))
        slow = desk.watch(GET, RUN, S)
        desk.submit(run("queued"), at_ns=2 * S)
        slow.head(Head(200, ((b"content-type", b"application/json"),), 3 * S))
        slow.chunk(Chunk(run("requires_action", required_action=CALLS), 3 * S))
        slow.end(Ending(How.COMPLETE, 3 * S))
        desk.poll(run("in_progress"), at_ns=4 * S)
        desk.poll(done(), at_ns=5 * S)
        assert (only(desk).tool_wait_ns, only(desk).model_ns) == (2 * S - 2 * MS, S)

    def test_a_hand_in_that_was_refused_starts_no_leg(self) -> None:
        desk = Desk()
        desk.start(run("requires_action", required_action=CALLS))
        desk.submit(b'{"error": {}}', status=400, at_ns=S)
        desk.submit(run("queued"), at_ns=3 * S)
        desk.poll(done(), at_ns=4 * S)
        assert (only(desk).tool_wait_ns, only(desk).exchanges) == (3 * S - 2 * MS, 3)
        assert [one.status for one in only(desk).carried] == [200, 400, 200]

    def test_a_cancelled_run_is_carried_by_the_cancelling_exchange(self) -> None:
        desk = Desk()
        desk.start(run())
        desk.exchange(POST, f"{RUN}/cancel", run("cancelling"), at_ns=S)
        desk.poll(run("cancelled"), at_ns=2 * S)
        assert (only(desk).outcome, only(desk).error, only(desk).exchanges) == ("cancelled", None, 2)

    def test_a_compressed_answer_is_read(self) -> None:
        desk = Desk()
        watch = desk.watch(POST, "/v1/threads/runs")
        watch.head(Head(200, ((b"content-type", b"application/json"), (b"content-encoding", b"gzip")), 1))
        watch.chunk(Chunk(gzip.compress(done()), 2))
        watch.end(Ending(How.COMPLETE, 3))
        assert only(desk).usage == Usage(10, 5)

    def test_a_body_that_came_with_no_chunk_is_timed_by_its_end(self) -> None:
        desk = Desk()
        assert desk.start([b"{}"]).seen.decoder_errors == 0
        assert desk.poll(b"").seen.decoder_errors == 1

    def test_mixed_with_a_stream_it_is_still_one_report(self) -> None:
        desk = Desk()
        desk.start(streamed("created", "queued", "in_progress"), ending=LEFT)
        desk.poll(run("in_progress"), at_ns=S)
        desk.poll(done(), at_ns=2 * S)
        desk.poll(done(), at_ns=3 * S)
        assert (only(desk).polls, only(desk).streamed, only(desk).error) == (2, True, None)


class TestCountedOnce:
    def test_reads_after_the_end_count_nothing(self) -> None:
        desk = Desk()
        desk.start([*streamed("created")[:1], completed()])
        desk.poll(done(prompt=99))
        desk.exchange(GET, "/v1/threads/thread_1/runs", listed(done(), done()))
        desk.exchange(GET, f"{RUN}/steps", listed(b'{"object": "thread.run.step", "id": "s", "run_id": "run_1"}'))
        desk.start([*streamed("created")[:1], completed()])
        assert (only(desk).usage, desk.runs.open) == (Usage(10, 5), 0)

    def test_tokens_before_the_end_are_not_final(self) -> None:
        desk = Desk()
        desk.start(run("requires_action", usage={"prompt_tokens": 5, "completion_tokens": 5}))
        desk.poll(run("completed"))
        assert (only(desk).usage, only(desk).usage_source) == (None, "none")

    def test_the_report_waits_for_the_exchange_that_brought_the_end(self) -> None:
        desk = Desk()
        watch = desk.watch(POST, "/v1/threads/thread_1/runs")
        watch.head(Head(200, SSE, 1))
        watch.chunk(Chunk(b"".join([*streamed("created")[:1], completed()]), 2))
        desk.poll(done())
        assert (desk.reports, desk.runs.open) == ([], 1)
        watch.end(Ending(How.COMPLETE, 9))
        assert [one.end_ns for one in only(desk).carried] == [WALL + 9]
        assert only(desk).polls == 1

    def test_an_exchange_that_never_ends_is_swept_with_what_it_told(self) -> None:
        """As when its observer was dropped."""
        desk = Desk()
        watch = desk.watch(POST, "/v1/threads/thread_1/runs")
        watch.head(Head(200, SSE, 1))
        watch.chunk(Chunk(b"".join([*streamed("created")[:1], completed()]), 2))
        desk.runs.sweep(10_000 * S)
        watch.end(Ending(How.COMPLETE, 20_000 * S))
        assert (only(desk).outcome, only(desk).usage) == ("completed", Usage(10, 5))

    def test_a_list_of_old_runs_is_foreign(self) -> None:
        desk = Desk()
        watch = desk.exchange(GET, "/v1/threads/thread_1/runs", listed(done("run_1"), done("run_2"), run(run_id="x")))
        assert [(one.run_id, one.foreign, one.trace, one.span_id) for one in desk.reports] == [
            ("run_1", True, None, 0),
            ("run_2", True, None, 0),
        ]
        assert (desk.runs.open, watch.seen.run_key) == (0, None)

    def test_a_list_may_bring_the_end_of_our_run(self) -> None:
        desk = Desk()
        desk.start(run())
        desk.exchange(GET, "/v1/threads/thread_1/runs", listed(done()), at_ns=S)
        assert (only(desk).foreign, only(desk).polls, only(desk).duration_ns) == (False, 0, S + 2 * MS)

    def test_a_run_that_was_listed_before_its_creation_was_answered_is_ours(self) -> None:
        desk = Desk()
        desk.exchange(GET, "/v1/threads/thread_1/runs", listed(run()), at_ns=S)
        desk.start(run(), at_ns=0)
        desk.poll(done(), at_ns=2 * S)
        assert (only(desk).foreign, only(desk).start_ns) == (False, WALL)

    def test_runs_of_two_upstreams_with_one_id_are_two(self) -> None:
        desk = Desk()
        desk.start(run(), upstream="a")
        desk.start(run(), upstream="b")
        desk.runs.close(S)
        assert [report.upstream for report in desk.reports] == ["a", "b"]

    @given(st.permutations(["queued", "in_progress", "requires_action", "cancelling", "completed", "completed"]))
    def test_polls_in_any_order_finish_once_with_the_same_tokens(self, statuses: list[str]) -> None:
        desk = Desk()
        desk.start(run())
        for number, status in enumerate(statuses):
            desk.poll(done() if status == "completed" else run(status), at_ns=number * S)
        assert (only(desk).usage, only(desk).usage_source, desk.runs.open) == (Usage(10, 5), "run", 0)

    @given(st.lists(st.sampled_from(["function_call", "tool_outputs"]), max_size=5))
    def test_a_stream_seen_again_counts_nothing(self, names: list[str]) -> None:
        desk = Desk()
        for name in [*names, "function_call", "tool_outputs", *names]:
            exchange = desk.start if name == "function_call" else desk.submit
            exchange(pieces(stream(name)), **({} if name == "function_call" else {"run_id": FUNCTION_RUN}))
        assert only(desk).usage == Usage(264, 25)


class TestEnds:
    @pytest.mark.parametrize(
        ("ending", "error"),
        [
            (Ending(How.UPSTREAM_FAILED, 9, "upstream_torn"), "upstream_torn"),
            (Ending(How.UPSTREAM_FAILED, 9), "upstream_failed"),
            (LEFT, None),
            (Ending(How.CANCELLED, 9, "shutting_down"), None),
        ],
    )
    def test_a_broken_stream_leaves_the_run_open_and_says_how(self, ending: Ending, error: str | None) -> None:
        desk = Desk()
        desk.start([*streamed("in_progress")[:1], text()], ending=ending)
        assert desk.runs.open == 1
        desk.runs.sweep(10_000 * S)
        report = only(desk)
        assert (report.outcome, report.error, report.usage, report.usage_source) == ("abandoned", error, None, "none")
        assert report.carried[0].how is ending.how

    def test_a_client_that_left_after_the_end_is_no_error(self) -> None:
        desk = Desk()
        desk.start([*streamed("created")[:1], completed()], ending=LEFT)
        assert (only(desk).outcome, only(desk).error) == ("completed", None)

    def test_a_run_is_abandoned_a_minute_after_its_expiry(self) -> None:
        desk = Desk()
        stamp = WALL // S + 77_000
        desk.start(run(created_at=stamp, expires_at=stamp + 600))
        desk.runs.sweep(660 * S)
        assert desk.runs.open == 1
        desk.runs.sweep(660 * S + 1)
        assert (only(desk).outcome, only(desk).status) == ("abandoned", "queued")
        assert (only(desk).duration_ns, only(desk).end_ns) == (None, WALL + 2 * MS)

    def test_a_foreign_run_expires_by_the_wall_clock(self) -> None:
        desk = Desk()
        desk.poll(run(expires_at=WALL // S + 600), at_ns=100 * S)
        desk.runs.sweep(660 * S)
        assert desk.runs.open == 1
        desk.runs.sweep(661 * S)
        assert only(desk).foreign

    def test_a_run_that_told_no_expiry_is_abandoned_after_a_silence(self) -> None:
        desk = Desk()
        desk.start(run())
        desk.poll(run("in_progress"), at_ns=800 * S)
        desk.runs.sweep(1700 * S)
        assert desk.runs.open == 1
        desk.runs.sweep(1701 * S)
        assert only(desk).polls == 1

    def test_a_run_that_still_writes_is_not_abandoned(self) -> None:
        desk = Desk()
        watch = desk.watch(POST, "/v1/threads/runs")
        watch.head(Head(200, SSE, 1))
        watch.chunk(Chunk(streamed("in_progress")[0], 2))
        watch.chunk(Chunk(text(), 2000 * S))
        desk.runs.sweep(2100 * S)
        assert desk.runs.open == 1

    def test_closing_reports_what_is_open(self) -> None:
        desk = Desk()
        desk.start(run())
        desk.runs.close(5 * S)
        assert (only(desk).outcome, only(desk).duration_ns, desk.runs.open) == ("abandoned", None, 0)
        assert only(desk).end_ns == WALL + 5 * S

    def test_a_run_that_failed_for_no_reason_told_has_none_of_its_clients(self) -> None:
        desk = Desk()
        desk.start(streamed("in_progress", "requires_action"), ending=LEFT)
        desk.submit(streamed("queued", "failed"), ending=LEFT, at_ns=S)
        assert (only(desk).outcome, only(desk).error, run_error(only(desk))) == ("failed", None, "failed")

    @pytest.mark.parametrize("last", ["requires_action", "in_progress"])
    def test_a_stream_torn_behind_its_end_mark_lost_nothing(self, last: str) -> None:
        desk = Desk()
        desk.start(streamed("queued", last), ending=Ending(How.UPSTREAM_FAILED, 9 * MS, "upstream_torn"))
        desk.runs.sweep(10_000 * S)
        assert (only(desk).outcome, only(desk).error) == ("abandoned", None)

    def test_a_stream_torn_before_its_end_mark_is_an_error_though_the_run_paused(self) -> None:
        desk = Desk()
        torn = Ending(How.UPSTREAM_FAILED, 9 * MS, "upstream_torn")
        desk.start(streamed("queued", "requires_action")[:-1], ending=torn)
        desk.runs.sweep(10_000 * S)
        assert only(desk).error == "upstream_torn"

    def test_an_abandoned_run_ends_with_its_last_content_or_its_stream(self) -> None:
        desk = Desk()
        watch = desk.watch(POST, "/v1/threads/runs")
        watch.head(Head(200, SSE, 1))
        watch.chunk(Chunk(streamed("in_progress")[0], 2))
        watch.chunk(Chunk(text(), 9 * S))
        desk.runs.sweep(10_000 * S)
        assert only(desk).end_ns == WALL + 9 * S
        desk = Desk()
        desk.start([*streamed("in_progress")[:1], text()], ending=Ending(How.UPSTREAM_FAILED, 60 * S))
        desk.runs.sweep(10_000 * S)
        assert only(desk).end_ns == only(desk).carried[0].end_ns == WALL + 60 * S

    def test_too_many_open_runs_push_out_the_oldest(self) -> None:
        desk = Desk(runs_open_max=1)
        desk.start(run(run_id="a"))
        desk.start(run(run_id="b"))
        assert (only(desk).run_id, only(desk).outcome, desk.runs.evicted) == ("a", "abandoned", 1)

    def test_carried_exchanges_are_bounded_and_counted(self) -> None:
        desk = Desk(carried_max=1)
        desk.start(run())
        desk.exchange(POST, RUN, run())
        desk.poll(done())
        assert (len(only(desk).carried), only(desk).exchanges) == (1, 2)

    def test_an_exchange_without_a_trace_is_counted_and_not_carried(self) -> None:
        desk = Desk()
        desk.start(done(), trace=None)
        assert (only(desk).carried, only(desk).exchanges, only(desk).trace) == ((), 1, None)


class TestSeen:
    @pytest.mark.parametrize(("headers", "streamed"), [(SSE, True), ((), False)])
    def test_an_event_stream_is_one_whether_or_not_an_event_came(
        self, headers: tuple[tuple[bytes, bytes], ...], streamed: bool
    ) -> None:
        desk = Desk()
        for target in (RUN, "/v1/responses"):
            watch = desk.watch(GET, target)
            watch.head(Head(200, headers, 1))
            watch.end(Ending(How.UPSTREAM_FAILED, 2, "upstream_torn"))
            assert (watch.seen.streamed, watch.seen.events) == (streamed, 0)

    def test_it_can_be_read_at_any_time_though_the_dialect_raises(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def boom(*_: object) -> None:
            raise RuntimeError

        desk = Desk()
        watch = desk.watch(POST, f"{RUN}/submit_tool_outputs")
        calls: list[Callable[[], None]] = [
            lambda: watch.sent(Chunk(b"{}", 0)),
            lambda: watch.head(Head(200, SSE, 1)),
            lambda: watch.chunk(Chunk(completed(), 2)),
            lambda: watch.end(Ending(How.COMPLETE, 3)),
        ]
        for name in ("asked", "event", "answer"):
            monkeypatch.setattr(assistants, name, boom)
        for call in calls:
            with suppress(RuntimeError):
                call()
            assert watch.seen.run_key == ("default", "run_1")

    def test_the_creating_exchange_names_its_run_and_trace(self) -> None:
        desk = Desk()
        watch = desk.start(streamed("created", "queued"))
        assert watch.seen.run_key == ("default", "run_1")
        assert watch.seen.run_trace is watch._request.trace
        assert watch.seen.run_span_id is not None
        assert (watch.seen.route, watch.seen.events) == ("/v1/threads/{thread_id}/runs", 3)

    def test_a_later_exchange_joins_the_trace_of_the_creating_one(self) -> None:
        desk = Desk()
        first = desk.start(run())
        request = desk.request(POST, f"{RUN}/submit_tool_outputs?x=1", S)
        joined = desk.runs.joined(request)
        assert joined is not None
        assert (joined.trace, joined.span_id) == (first.seen.run_trace, first.seen.run_span_id)
        assert desk.poll(run()).seen.run_trace is joined.trace

    @pytest.mark.parametrize("target", ["/v1/files", "/v1/threads/thread_1", "/v1/threads/thread_1/runs/run_2"])
    def test_other_paths_join_nothing(self, target: str) -> None:
        desk = Desk()
        desk.start(run())
        assert desk.runs.joined(desk.request(GET, target, 0)) is None

    def test_a_foreign_run_has_no_trace_to_join(self) -> None:
        desk = Desk()
        watch = desk.poll(run())
        assert desk.runs.joined(desk.request(GET, RUN, 0)) is None
        expected = Seen(route="/v1/threads/{thread_id}/runs/{run_id}", run_key=("default", "run_1"))
        assert watch.seen == expected

    def test_an_unknown_path_is_watched_without_being_read(self) -> None:
        desk = Desk()
        watch = desk.exchange(POST, "/v1/embeddings", b"{}", asked=b"{}")
        assert watch.seen == Seen(route="/*")

    def test_a_known_path_without_runs_is_not_read(self) -> None:
        desk = Desk()
        assert desk.exchange(POST, "/v1/threads", b"no JSON").seen == Seen(route="/v1/threads")

    def test_a_refusal_is_not_read(self) -> None:
        desk = Desk()
        watch = desk.start(b'{"error": {"message": "busy"}}', status=400)
        assert (watch.seen, desk.runs.open) == (Seen(route="/v1/threads/{thread_id}/runs"), 0)

    def test_an_answer_that_is_neither_json_nor_a_stream_is_not_read(self) -> None:
        desk = Desk()
        watch = desk.watch(GET, RUN)
        watch.head(Head(200, ((b"content-type", b"text/html"),), 1))
        watch.chunk(Chunk(b"<html>", 2))
        watch.end(Ending(How.COMPLETE, 3))
        assert watch.seen.decoder_errors == 0

    def test_a_stream_in_an_unknown_coding_is_counted(self) -> None:
        desk = Desk()
        watch = desk.watch(POST, "/v1/threads/runs")
        watch.head(Head(200, (*SSE, (b"content-encoding", b"br")), 1))
        watch.chunk(Chunk(b"\0", 2))
        watch.end(Ending(How.COMPLETE, 3))
        assert watch.seen.decoder_errors == 1

    def test_what_is_not_understood_is_counted(self) -> None:
        desk = Desk()
        odd = event("thread.run.queued", run(request_id="q", status_code=1))
        watch = desk.start([event("thread.run.paused", b"{}"), odd, event("thread.run.queued", b"{")], asked=b"{")
        seen = watch.seen
        assert (seen.events, seen.events_unknown, seen.fields_unknown, seen.decoder_errors) == (3, 1, 2, 2)

    def test_a_created_assistant_is_told_and_names_its_runs(self) -> None:
        desk = Desk()
        agent = b'{"object": "assistant", "id": "asst_1", "name": "Tide", "model": "gpt-4o"}'
        watch = desk.exchange(POST, "/v1/assistants", agent)
        assert watch.seen.agent_created == AgentCreated("asst_1", "Tide", "gpt-4o")
        desk.start(done())
        assert only(desk).assistant_name == "Tide"

    def test_listed_assistants_are_named_too_but_not_created(self) -> None:
        desk = Desk()
        agents = [b'{"object": "assistant", "id": "asst_%d", "name": "N%d"}' % (at, at) for at in range(3)]
        assert desk.exchange(GET, "/v1/assistants", listed(*agents)).seen.agent_created is None
        desk.start(done())
        assert only(desk).assistant_name == "N1"

    def test_the_asked_assistant_stands_in_where_the_run_names_none(self) -> None:
        desk = Desk()
        desk.exchange(POST, "/v1/assistants", b'{"object": "assistant", "id": "asst_1", "name": "Tide"}')
        desk.start(b'{"object": "thread.run", "id": "r", "status": "failed"}')
        assert (only(desk).assistant_id, only(desk).assistant_name) == ("asst_1", "Tide")

    def test_an_exchange_that_got_no_answer_says_so(self) -> None:
        desk = Desk()
        desk.start(run())
        watch = desk.watch(POST, f"{RUN}/submit_tool_outputs", S)
        watch.end(Ending(How.UPSTREAM_FAILED, 2 * S, "upstream_unreachable"))
        assert watch.seen.run_key == ("default", "run_1")
        desk.poll(done())
        assert [one.status for one in only(desk).carried] == [200, None]


NAMES = [
    "run.queued",
    "run.completed",
    "run.requires_action",
    "run.step.created",
    "run.step.completed",
    "message.delta",
]
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["run_1", "run_2", "s"]),
        "run_id": st.sampled_from(["run_1", None]),
        "status": st.sampled_from(["queued", "completed", "x"]),
        "usage": st.just({"prompt_tokens": 1, "completion_tokens": 1}),
        "required_action": st.just(CALLS),
        "expires_at": st.integers(-5, 10**13),
        "created_at": st.integers(-5, 10**13),
        "delta": st.just({"content": [{"text": {"value": "x"}}]}),
        "error": st.just({"code": "c"}),
    },
)
EVENTS = st.tuples(st.sampled_from([*(f"thread.{name}" for name in NAMES), "error", "done", "x", ""]), BODIES)
EXCHANGES = st.tuples(
    st.sampled_from(["start", "submit", "poll", "list"]), st.lists(EVENTS, max_size=6), st.sampled_from(list(How))
)


@given(st.lists(EXCHANGES, max_size=6), st.integers(1, 3))
def test_random_exchanges_never_raise_and_report_each_run_once(
    exchanges: list[tuple[str, list[tuple[str, dict[str, Any]]], How]], runs_open_max: int
) -> None:
    desk = Desk(runs_open_max=runs_open_max)
    for number, (name, events, how) in enumerate(exchanges):
        told = [event(name, json.dumps(body).encode()) for name, body in events]
        ending = Ending(how, (number + 1) * S)
        if name == "list":
            bodies = [json.dumps({"object": "thread.run"} | body).encode() for _, body in events]
            desk.exchange(GET, "/v1/threads/thread_1/runs", listed(*bodies), at_ns=number * S, ending=ending)
        else:
            getattr(desk, name)(told if name != "poll" else b"".join(told), at_ns=number * S, ending=ending)
        desk.runs.sweep(number * S)
    desk.runs.close(99 * S)
    keys = [(report.upstream, report.run_id) for report in desk.reports]
    assert len(keys) == len(set(keys))
    assert desk.runs.open == 0
    assert all((report.duration_ns or 0) >= 0 and report.end_ns >= report.start_ns for report in desk.reports)
