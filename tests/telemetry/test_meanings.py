"""The reference has a line for every attribute and field that leaves, and for no other."""

from __future__ import annotations

import pytest

from support.reports import COST, a_correction, a_get, a_run, a_submit, an_exchange
from support.telemetry import Lines, Spans
from wiretape.exchange import How, Trace
from wiretape.runs.report import AgentCreated
from wiretape.telemetry.generations import LATEST, RELEASED
from wiretape.telemetry.log import LogSink
from wiretape.telemetry.meanings import ATTRIBUTES, LOG_FIELDS

KEY = "0" * 32
CALLERS = Trace(trace_id=0xF9, server_span_id=0xB2, client_span_id=0xC2, parent_span_id=0xF1)
EXCHANGES = (
    an_exchange(mode="record", cassette="weather", key_hash=KEY, agent_created=AgentCreated("a", "b", "c")),
    a_get(
        how=How.UPSTREAM_FAILED, code="upstream_torn", played="miss", upstream_processing_ms=5, upstream_request_id="r"
    ),
    a_submit(trace=CALLERS),
)
RUNS = (
    a_run(mode="record", cassette="weather", key_hash=KEY, cost=COST),
    a_run(outcome="failed", error="server_error", usage=None),
)


def on_spans(profile: str) -> set[str]:
    spans = Spans(profile, keys={KEY: "web"})
    for exchange in EXCHANGES:
        spans.sink.exchange(exchange)
    for run in RUNS:
        spans.sink.run(run)
    links = [link for span in spans.all for link in span.links]
    return {name for one in (*spans.all, *links) for name in one.attributes}


def test_every_attribute_has_a_meaning_and_is_emitted() -> None:
    on_metrics = {name for one in (*RELEASED.instruments, *LATEST.instruments) for name in one.attributes}
    assert on_spans("otel") | on_spans("openinference") | on_metrics == set(ATTRIBUTES)


def test_every_field_of_a_line_has_a_meaning_and_is_written() -> None:
    lines = Lines()
    sink = LogSink(lines.logger)
    for exchange in EXCHANGES:
        sink.exchange(exchange)
    for run in RUNS:
        sink.run(run)
    sink.correction(a_correction())
    assert {name for line in lines.all for name in line} == set(LOG_FIELDS)
    assert {name for line in lines.all for name in line.get("tokens", {})} == {"input", "cached", "output", "reasoning"}


@pytest.mark.parametrize("table", [ATTRIBUTES, LOG_FIELDS])
def test_a_meaning_is_a_sentence(table: dict[str, str]) -> None:
    assert all(meaning.endswith(".") for meaning in table.values())
