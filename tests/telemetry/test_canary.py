"""No header, query, body or key leaves through telemetry: reports hold none, and nothing else is read."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from support.reports import a_run, an_exchange
from support.telemetry import Lines, Metrics, Spans
from wiretape.runs.report import Correction, ExchangeReport, RunReport
from wiretape.telemetry.log import LogSink

ALLOWED_TEXTS = {
    *("method", "route", "how", "code", "upstream", "session", "mode", "cassette", "played", "upstream_request_id"),
    *("run_id", "thread_id", "assistant_id", "assistant_name", "model_requested", "model", "status", "outcome"),
    *("error", "first_token_kind", "usage_source", "key_hash"),
}
"""The reports' fields that are text. A new one must be looked at here before it can leave."""

IDS = ("thread_canary", "run_canary", "asst_canary", "sess_canary", "req_canary")


def test_reports_have_no_room_for_headers_queries_or_bodies() -> None:
    texts = {
        field.name
        for report in (ExchangeReport, RunReport, Correction)
        for field in msgspec.structs.fields(report)
        if "str" in str(field.type) and "Carried" not in str(field.type) and field.name != "run_key"
    }
    assert texts | {"how"} == ALLOWED_TEXTS


def test_no_id_reaches_a_metric() -> None:
    metrics = Metrics()
    metrics.sink.exchange(
        an_exchange(run_key=("default", IDS[1]), session=IDS[3], upstream_request_id=IDS[4]),
    )
    metrics.sink.run(a_run(thread_id=IDS[0], run_id=IDS[1], assistant_id=IDS[2]))
    text = str([point.attributes for metric in metrics.read().values() for point in metric.data.data_points])
    assert not [name for name in IDS if name in text]


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_a_line_is_one_line_whatever_the_upstream_calls_its_things(name: str) -> None:
    lines = Lines()
    sink = LogSink(lines.logger)
    sink.exchange(an_exchange(upstream_request_id=name, cassette=name))
    sink.run(a_run(model=name, error=name, assistant_name=name))
    assert len(lines.stream.getvalue().split("\n")) == 3


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_spans_take_any_name(name: str) -> None:
    spans = Spans()
    spans.sink.run(a_run(assistant_name=name, model=name, error=name))
    assert spans.all[0].attributes["gen_ai.agent.name"] == name
