from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from support.reports import COST, a_correction, a_get, a_run, an_exchange
from support.telemetry import Metrics, gauges
from wiretape.errors import UpstreamTorn
from wiretape.exchange import How
from wiretape.runs.report import AgentCreated, Usage
from wiretape.runs.sketch import ERROR
from wiretape.telemetry.apart import Known
from wiretape.telemetry.options import TelemetryOptions

NONE_ENDED = {how.value: 0 for how in How}
"""Streams by how they ended, from the start."""


def test_a_run_counts_once_with_its_outcome() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run())
    metrics.sink.run(a_run(outcome="failed", error="server_error"))
    assert metrics.values("wiretape.runs", "wiretape.run.outcome") == {"completed": 1, "failed": 1}
    assert metrics.values("wiretape.runs", "error.type") == {None: 1, "server_error": 1}


def test_better_figures_are_counted_and_add_nothing() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run())
    before = metrics.values("wiretape.run.usage.input_tokens"), metrics.values("wiretape.runs")
    metrics.sink.correction(a_correction())
    metrics.sink.correction(a_correction(foreign=True))
    assert metrics.values("wiretape.run.corrections") == {None: 1}
    assert (metrics.values("wiretape.run.usage.input_tokens"), metrics.values("wiretape.runs")) == before


def test_a_foreign_run_has_no_metrics() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run(foreign=True))
    named = [name for name in metrics.read() if "run." in name or "gen_ai" in name]
    assert named == ["wiretape.run.corrections"]
    assert metrics.values(*named) == {None: 0}


def test_tokens_are_counted_from_the_run_alone() -> None:
    metrics = Metrics()
    metrics.sink.exchange(an_exchange())
    metrics.sink.run(a_run())
    assert metrics.values("wiretape.run.usage.input_tokens") == {None: 200}
    assert metrics.values("wiretape.run.usage.cached_input_tokens") == {None: 50}
    assert metrics.values("wiretape.run.usage.output_tokens") == {None: 40}
    assert metrics.values("wiretape.run.usage.reasoning_output_tokens") == {None: 10}
    assert metrics.values("gen_ai.client.token.usage", "gen_ai.token.type") == {"input": 200, "output": 40}


def test_tokens_that_were_told_as_none_are_a_zero_that_is_there() -> None:
    """A series that begins with its first count has no rise to show for it."""
    metrics = Metrics()
    metrics.sink.run(a_run(usage=Usage(prompt=200, completion=40)))
    assert metrics.values("wiretape.run.usage.cached_input_tokens") == {None: 0}
    assert metrics.values("wiretape.run.usage.reasoning_output_tokens") == {None: 0}


def test_cost_is_counted_in_dollars_once_a_run() -> None:
    metrics = Metrics()
    for number in range(3):
        metrics.sink.run(a_run(run_id=f"run_{number}", cost=COST))
    assert metrics.values("wiretape.run.cost") == {None: pytest.approx(3 * 837_500e-9)}
    assert "wiretape.run.cost_missing" not in metrics.read()


def test_an_unknown_cost_is_counted_by_what_is_missing_and_is_never_zero() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run())
    metrics.sink.run(a_run(usage=None, cost=structs.replace(COST, nano_usd=None)))
    metrics.sink.run(a_run(foreign=True))
    assert metrics.values("wiretape.run.cost_missing", "wiretape.reason") == {"price": 1, "usage": 1}
    assert "wiretape.run.cost" not in metrics.read()


def test_unknown_usage_is_counted_and_never_zero() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run(usage=None))
    assert metrics.values("wiretape.run.usage_missing", "wiretape.run.outcome") == {"completed": 1}
    assert metrics.points("gen_ai.client.token.usage") == []


def test_times_of_a_streamed_run() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run())
    assert metrics.values("gen_ai.client.operation.duration") == {None: 0.4}
    assert metrics.values("gen_ai.client.operation.time_to_first_chunk") == {None: 0.03}
    ((gaps),) = metrics.points("gen_ai.client.operation.time_per_output_chunk")
    assert (gaps.count, gaps.max, gaps.sum) == (3, pytest.approx(0.003, rel=ERROR), pytest.approx(0.006, rel=ERROR))
    assert metrics.values("wiretape.run.phase.duration", "wiretape.phase") == {
        "queue": 0.005,
        "model": 0.185,
        "tool_wait": 0.21,
    }
    assert metrics.values("wiretape.run.time_to_first_event", "gen_ai.request.model") == {"gpt-4o": 0.01}


def test_operation_attributes_of_a_run() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run(outcome="expired"))
    (point,) = metrics.points("gen_ai.client.operation.duration")
    assert dict(point.attributes) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "server.address": "api.example",
        "server.port": 443,
        "error.type": "expired",
    }


def test_a_polled_run_has_no_first_chunk() -> None:
    metrics = Metrics()
    unseen = dict.fromkeys(("first_event_ns", "queue_ns", "model_ns", "tool_wait_ns"))
    metrics.sink.run(a_run(streamed=False, **unseen))
    metrics.sink.run(a_run(streamed=True, first_token_ns=None, **unseen))
    names = metrics.read()
    assert "gen_ai.client.operation.time_to_first_chunk" not in names
    assert "wiretape.run.phase.duration" not in names
    assert "wiretape.run.time_to_first_event" not in names


def test_an_abandoned_run_is_counted_but_has_no_duration() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run(outcome="abandoned", duration_ns=None, usage=None, streamed=False))
    assert metrics.values("wiretape.runs", "wiretape.run.outcome") == {"abandoned": 1}
    assert metrics.points("gen_ai.client.operation.duration") == []


def test_creating_an_agent_is_an_operation() -> None:
    metrics = Metrics()
    metrics.sink.exchange(an_exchange(agent_created=AgentCreated(id="asst_1", name=None, model=None)))
    assert metrics.values("gen_ai.client.operation.duration", "gen_ai.operation.name") == {"create_agent": 0.1}


def test_http_durations() -> None:
    metrics = Metrics()
    metrics.sink.exchange(a_get(status=404))
    (server,) = metrics.points("http.server.request.duration")
    (client,) = metrics.points("http.client.request.duration")
    common = {"http.request.method": "GET", "http.response.status_code": 404}
    assert (server.sum, client.sum) == (0.1, 0.099)
    assert dict(server.attributes) == common | {"http.route": "/v1/assistants"}
    assert dict(client.attributes) == common | {"url.template": "/v1/assistants", "error.type": "404"}


def test_overhead_by_phase() -> None:
    metrics = Metrics()
    metrics.sink.exchange(an_exchange(overhead_chunks_ns=(10_000, 20_000)))
    metrics.sink.exchange(an_exchange(head_ns=None))
    counts = {dict(p.attributes)["wiretape.phase"]: p.count for p in metrics.points("wiretape.proxy.overhead")}
    assert counts == {"request": 2, "first_byte": 1, "chunk": 2}


def test_what_never_went_upstream_has_no_client_duration_and_no_overhead() -> None:
    metrics = Metrics()
    metrics.sink.exchange(an_exchange(upstream_start_ns=None, played="hit"))
    names = metrics.read()
    assert "http.client.request.duration" not in names
    assert "wiretape.proxy.overhead" not in names
    assert metrics.values("wiretape.cassette.hits") == {None: 1}


def test_a_stream_that_was_torn_before_its_first_event_is_counted() -> None:
    metrics = Metrics()
    metrics.sink.exchange(an_exchange(how=How.UPSTREAM_FAILED, code="upstream_torn", events=0))
    assert metrics.values("wiretape.stream.ended", "wiretape.reason") == {**NONE_ENDED, "upstream_failed": 1}


def test_a_torn_stream_is_named_as_the_error_of_its_run() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run(outcome="abandoned", error=UpstreamTorn.code, duration_ns=None, usage=None))
    assert metrics.values("wiretape.runs", "error.type") == {"upstream_torn": 1}


def test_streams_misses_errors_and_unknown_events_are_counted() -> None:
    metrics = Metrics()
    metrics.sink.exchange(an_exchange(how=How.CLIENT_LEFT, decoder_errors=2, events_unknown=3))
    metrics.sink.exchange(a_get(played="miss"))
    assert metrics.values("wiretape.stream.ended", "wiretape.reason") == {**NONE_ENDED, "client_left": 1}
    assert metrics.values("wiretape.decoder.errors") == {None: 2}
    assert metrics.values("wiretape.events.unknown") == {None: 3}
    assert metrics.values("wiretape.cassette.misses") == {None: 1}


def test_plain_counters_are_there_from_the_start() -> None:
    metrics = Metrics()
    plain = ("wiretape.decoder.errors", "wiretape.events.unknown", "wiretape.cassette.hits", "wiretape.cassette.misses")
    assert [metrics.values(name) for name in plain] == [{None: 0}] * 4


def test_counters_whose_values_are_known_are_there_from_the_start() -> None:
    metrics = Metrics(told=gauges(connections_refused=lambda: {"overloaded": 2, "other": 1}))
    assert metrics.values("wiretape.stream.ended", "wiretape.reason") == NONE_ENDED
    assert metrics.values("wiretape.connections.refused", "wiretape.reason") == {
        **dict.fromkeys(("bad_request", "handshake_failed", "headers_too_large"), 0),
        "overloaded": 2,
        "other": 1,
    }


def test_runs_without_usage_are_a_zero_that_is_there_where_a_run_had_some() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run())
    assert metrics.values("wiretape.run.usage_missing", "wiretape.run.outcome") == {"completed": 0}
    metrics.sink.run(a_run(usage=None))
    assert metrics.values("wiretape.run.usage_missing", "wiretape.run.outcome") == {"completed": 1}


def test_gauges_are_read_when_asked() -> None:
    active = [5]
    metrics = Metrics(told=gauges(streams_active=lambda: active[0]))
    assert metrics.values("wiretape.streams.active") == {None: 5}
    active[0] = 6
    assert metrics.values("wiretape.streams.active") == {None: 6}
    assert metrics.values("wiretape.runs.open") == {None: 2}
    assert metrics.values("wiretape.telemetry.queue") == {None: 1}
    assert "wiretape.event_loop.lag" not in metrics.read()


def test_what_was_dropped_is_told_by_signal() -> None:
    metrics = Metrics()
    metrics.sink.exchange(an_exchange(observers_dropped=2))
    assert metrics.values("wiretape.telemetry.dropped", "wiretape.signal") == {"ledger": 7, "observers": 2}


def test_models_beyond_the_bound_are_other() -> None:
    metrics = Metrics(TelemetryOptions(models_max=2))
    for number in range(1000):
        metrics.sink.run(a_run(model_requested=f"junk-{number}"))
    assert metrics.values("wiretape.runs", "gen_ai.request.model") == {"junk-0": 1, "junk-1": 1, "_OTHER": 998}


def test_listed_models_leave_no_room_for_others() -> None:
    known = Known(["gpt-4o"], 50)
    assert [known("gpt-4o"), known("other")] == ["gpt-4o", "_OTHER"]


@pytest.mark.parametrize("name", ["", "m" * 257])
def test_a_name_that_is_empty_or_long_is_no_label(name: str) -> None:
    known = Known([], 50)
    assert [known(name), known("m" * 256)] == ["_OTHER", "m" * 256]


def test_a_run_without_a_model_has_no_model_attribute() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run(model=None, model_requested=None))
    assert metrics.values("wiretape.runs", "gen_ai.request.model") == {None: 1}
    assert metrics.values("gen_ai.client.operation.duration", "gen_ai.request.model") == {None: 0.4}


def test_an_agent_is_shown_by_its_alias_alone() -> None:
    metrics = Metrics(TelemetryOptions(agents={"asst_1": "tutor"}))
    metrics.sink.run(a_run())
    metrics.sink.run(a_run(assistant_id="asst_2"))
    metrics.sink.run(a_run(assistant_id=None))
    assert metrics.values("wiretape.runs", "wiretape.agent.alias") == {"tutor": 1, "_OTHER": 2}


def test_an_error_the_service_made_up_is_other() -> None:
    metrics = Metrics()
    metrics.sink.run(a_run(outcome="failed", error="err_8f3a"))
    assert metrics.values("wiretape.runs", "error.type") == {"_OTHER": 1}


def test_closing_ends_nothing() -> None:
    metrics = Metrics()
    metrics.sink.close(1.0)
    metrics.sink.run(a_run())
    assert metrics.values("wiretape.runs") == {None: 1}


@given(st.lists(st.text(max_size=3)), st.integers(0, 5))
def test_no_more_names_are_told_apart_than_allowed(names: list[str], first_max: int) -> None:
    known = Known([], first_max)
    told = {known(name) for name in names} - {"_OTHER"}
    assert len(told) <= first_max


def test_more_kinds_than_are_kept_are_handed_over_and_lose_nothing() -> None:
    metrics = Metrics(TelemetryOptions(series_max=2))
    for status in (200, 201, 202, 200, 201, 202):
        metrics.sink.exchange(an_exchange(status=status))
    points = metrics.points("http.server.request.duration")
    assert {point.attributes["http.response.status_code"]: point.count for point in points} == {200: 2, 201: 2, 202: 2}
