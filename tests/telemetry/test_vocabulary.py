from __future__ import annotations

from support.telemetry import Metrics, gauges
from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.instrument import Kind

HTTP = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300, 600)
LATENCY = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
PHASES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6)
FIRST_EVENT = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
OVERHEAD = (25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3)

TABLE = [
    ("http.server.request.duration", "s", HTTP),
    ("http.client.request.duration", "s", HTTP),
    ("gen_ai.client.operation.duration", "s", LATENCY),
    ("gen_ai.client.operation.time_to_first_chunk", "s", LATENCY),
    ("gen_ai.client.operation.time_per_output_chunk", "s", LATENCY),
    ("gen_ai.client.token.usage", "{token}", TOKENS),
    ("wiretape.run.usage.input_tokens", "{token}", ()),
    ("wiretape.run.usage.cached_input_tokens", "{token}", ()),
    ("wiretape.run.usage.output_tokens", "{token}", ()),
    ("wiretape.run.usage.reasoning_output_tokens", "{token}", ()),
    ("wiretape.runs", "{run}", ()),
    ("wiretape.run.usage_missing", "{run}", ()),
    ("wiretape.run.corrections", "{run}", ()),
    ("wiretape.run.cost", "{USD}", ()),
    ("wiretape.run.cost_missing", "{run}", ()),
    ("wiretape.run.phase.duration", "s", PHASES),
    ("wiretape.run.time_to_first_event", "s", FIRST_EVENT),
    ("wiretape.proxy.overhead", "s", OVERHEAD),
    ("wiretape.stream.ended", "{stream}", ()),
    ("wiretape.cassette.hits", "{exchange}", ()),
    ("wiretape.cassette.misses", "{exchange}", ()),
    ("wiretape.decoder.errors", "{error}", ()),
    ("wiretape.events.unknown", "{event}", ()),
    ("wiretape.trailers.dropped", "{message}", ()),
    ("wiretape.connections.refused", "{connection}", ()),
    ("wiretape.upstream.incidents", "{incident}", ()),
    ("wiretape.stream.drained", "{stream}", ()),
    ("wiretape.telemetry.dropped", "{report}", ()),
    ("wiretape.ledger.purged", "{row}", ()),
    ("wiretape.connections.active", "{connection}", ()),
    ("wiretape.streams.active", "{stream}", ()),
    ("wiretape.runs.open", "{run}", ()),
    ("wiretape.stream.buffered_bytes", "By", ()),
    ("wiretape.telemetry.queue", "{report}", ()),
    ("wiretape.event_loop.lag", "s", ()),
    ("wiretape.event_loop.errors", "{error}", ()),
]


def test_names_units_and_buckets_are_those_of_the_design() -> None:
    assert [(i.name, i.unit, i.buckets) for i in v.INSTRUMENTS] == TABLE


def test_every_instrument_has_help_that_is_a_sentence() -> None:
    assert all(i.help.endswith(".") for i in v.INSTRUMENTS)


def test_no_metric_carries_an_id() -> None:
    assert not [name for i in v.INSTRUMENTS for name in i.attributes if name.endswith(".id")]


def test_the_meter_is_given_what_the_table_says() -> None:
    metrics = Metrics(
        told=gauges(
            connections_active=lambda: 1,
            connections_refused=lambda: {"overloaded": 1},
            upstream_incidents=lambda: {"interim": 1},
            loop_errors=lambda: {"SSLError": 1},
            streams_drained=lambda: {"end": 1},
            stream_buffered_bytes=lambda: 1,
            event_loop_lag_s=lambda: 0.5,
        )
    )
    feed_all(metrics)
    found = metrics.read()
    assert {name: (m.unit, m.description) for name, m in found.items()} == {
        i.name: (i.unit, i.help) for i in v.INSTRUMENTS
    }
    for instrument in v.INSTRUMENTS:
        if instrument.kind is Kind.HISTOGRAM:
            bounds = {point.explicit_bounds for point in found[instrument.name].data.data_points}
            assert bounds == {tuple(map(float, instrument.buckets))}


def test_points_carry_only_the_attributes_of_the_table() -> None:
    metrics = Metrics()
    feed_all(metrics)
    allowed = {i.name: set(i.attributes) for i in v.INSTRUMENTS}
    for name, metric in metrics.read().items():
        for point in metric.data.data_points:
            assert set(point.attributes) <= allowed[name], name


def feed_all(metrics: Metrics) -> None:
    """Make every instrument tell something."""
    from support.reports import COST, a_run, an_exchange
    from wiretape.exchange import How
    from wiretape.runs.report import AgentCreated

    agent = AgentCreated(id="asst_1", name="Tutor", model="gpt-4o")
    metrics.sink.exchange(an_exchange(played="hit", agent_created=agent, overhead_chunks_ns=(9_000,)))
    metrics.sink.exchange(an_exchange(played="miss", how=How.UPSTREAM_FAILED, decoder_errors=1, events_unknown=2))
    metrics.sink.run(a_run(cost=COST))
    metrics.sink.run(a_run(outcome="failed", usage=None, error="server_error"))
