"""The names of each generation, as they leave; the second is semantic-conventions-genai's."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.reports import a_run, an_exchange
from support.telemetry import PEERS, Lines, Metrics, gauges
from wiretape.runs.report import AgentCreated
from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.generations import LATEST, RELEASED, Generation
from wiretape.telemetry.options import TelemetryOptions
from wiretape.telemetry.series import limits, width
from wiretape.telemetry.setup import telemetry

OPERATION = {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "server.address", "server.port"}
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)

Row = tuple[str, str, tuple[float, ...], set[str], float]
"""Name, unit, buckets (none for a counter), attributes, and the sum of what the test tells."""

NAMES: list[tuple[Generation, list[Row]]] = [
    (
        RELEASED,
        [
            ("gen_ai.client.operation.duration", "s", SECONDS, OPERATION, 0.5),
            ("gen_ai.client.operation.time_to_first_chunk", "s", SECONDS, OPERATION, 0.03),
            ("gen_ai.client.operation.time_per_output_chunk", "s", SECONDS, OPERATION, 0.006),
            ("gen_ai.client.token.usage", "{token}", TOKENS, OPERATION | {"gen_ai.token.type"}, 240),
        ],
    ),
    (
        LATEST,
        [
            ("gen_ai.client.operation.duration", "s", SECONDS, OPERATION, 0.5),
            ("gen_ai.client.inference.time_to_first_chunk", "s", SECONDS, OPERATION, 0.03),
            ("gen_ai.client.inference.time_per_output_chunk", "s", SECONDS, OPERATION, 0.006),
            ("gen_ai.client.inference.operation.input_tokens", "{token}", TOKENS, OPERATION, 200),
            ("gen_ai.client.inference.operation.output_tokens", "{token}", TOKENS, OPERATION, 40),
            *(
                (f"gen_ai.client.inference.usage.{kind}", "{token}", (), OPERATION | {"gen_ai.token.modality"}, spent)
                for kind, spent in {
                    "input_tokens": 200,
                    "output_tokens": 40,
                    "cache_read.input_tokens": 50,
                    "reasoning.output_tokens": 10,
                }.items()
            ),
        ],
    ),
]


@pytest.mark.parametrize(("generation", "rows"), NAMES)
def test_names_units_buckets_and_attributes(generation: Generation, rows: list[Row]) -> None:
    metrics = Metrics(names=generation)
    metrics.sink.run(a_run())
    metrics.sink.exchange(an_exchange(agent_created=AgentCreated("asst_1", "Tutor", "gpt-4o")))
    found = {name: metric for name, metric in metrics.read().items() if name.startswith("gen_ai.")}
    assert set(found) == {name for name, *_ in rows}
    for name, unit, buckets, attributes, total in rows:
        points = found[name].data.data_points
        assert found[name].unit == unit
        assert {getattr(point, "explicit_bounds", ()) for point in points} == {buckets}
        assert {key for point in points for key in point.attributes} == attributes
        assert sum(getattr(p, "sum", None) or getattr(p, "value", 0) for p in points) == pytest.approx(total, rel=0.02)


def test_a_runs_error_is_on_durations_and_not_on_tokens_that_were_spent() -> None:
    metrics = Metrics(names=LATEST)
    metrics.sink.run(a_run(outcome="failed", error="server_error"))
    told = {
        name
        for name in metrics.read()
        if name.startswith("gen_ai.") and metrics.values(name, "error.type").get(None) is None
    }
    assert told == {name for name, _, buckets, *_ in NAMES[1][1] if buckets}


@pytest.mark.parametrize("generation", [RELEASED, LATEST])
def test_what_is_wiretapes_own_has_one_name(generation: Generation) -> None:
    ours = {one.name for one in v.INSTRUMENTS if not one.name.startswith("gen_ai.")}
    assert {one.name for one in generation.instruments if not one.name.startswith("gen_ai.")} == ours
    assert len({one.name for one in generation.instruments}) == len(generation.instruments)
    if generation is RELEASED:
        assert {one.name for one in generation.instruments} == {one.name for one in v.INSTRUMENTS}


def test_the_newest_names_stay_within_the_bound_too() -> None:
    found = limits(LATEST.instruments, 5000)
    most = sum(width(one) * (found[one.name] + (one.sets_max != 1)) for one in LATEST.instruments) + 1
    assert most <= 5000
    assert min(found[one.name] for one in LATEST.instruments if not one.sets_max) >= 15


@pytest.mark.parametrize(
    ("opt_in", "name"),
    [
        ("", "gen_ai_client_token_usage"),
        ("http/dup", "gen_ai_client_token_usage"),
        ("gen_ai_latest_experimental", "gen_ai_client_inference_usage_input_tokens"),
    ],
)
def test_the_variable_picks_the_generation(opt_in: str, name: str) -> None:
    environ = {"OTEL_SEMCONV_STABILITY_OPT_IN": opt_in}
    made = telemetry(TelemetryOptions(), gauges(), Lines().logger, peers=PEERS, environ=environ)
    made.sinks[1].run(a_run())
    families = text_string_to_metric_families(made.prometheus()[0].decode())
    tokens = {family.name for family in families if family.name.startswith("gen_ai") and "token" in family.name}
    assert name in tokens
    assert {"gen_ai_client_token_usage" in tokens, any("inference" in one for one in tokens)} == {True, False}
    assert made.shutdown(30) == []
