from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from support.reports import (
    RUN_SPAN_ID,
    RUNS,
    SUBMIT,
    SUBMIT_TRACE,
    TRACE,
    a_get,
    a_run,
    a_submit,
    an_exchange,
    at,
)
from support.streams import sketch
from support.telemetry import Spans
from wiretape.exchange import How, Trace
from wiretape.runs.report import AgentCreated, StepReport, ToolReport, Usage
from wiretape.telemetry.tree import tree

CALLERS = Trace(trace_id=0xF9, server_span_id=0xB2, client_span_id=0xC2, parent_span_id=0xF1)


def test_a_run_with_tools_is_one_tree() -> None:
    spans = Spans()
    spans.sink.exchange(an_exchange())
    spans.sink.run(a_run())
    spans.sink.exchange(a_submit())
    assert tree(spans.all).splitlines() == [
        f"SERVER POST {RUNS}  100.0 ms",
        "└ CLIENT invoke_agent Math Tutor  400.0 ms",
        "  ├ CLIENT POST  99.0 ms",
        "  ├ INTERNAL run_step tool_calls  280.0 ms",
        "  │ ├ INTERNAL execute_tool code_interpreter  30.0 ms",
        "  │ └ INTERNAL execute_tool get_weather  210.0 ms",
        f"  ├ SERVER POST {SUBMIT}  100.0 ms",
        "  ├ CLIENT POST  99.0 ms",
        "  └ INTERNAL run_step message_creation  70.0 ms",
    ]


def test_the_tree_is_the_same_in_whatever_order_the_reports_come() -> None:
    there, back = Spans(), Spans()
    there.sink.exchange(an_exchange())
    there.sink.exchange(a_submit())
    there.sink.run(a_run())
    back.sink.run(a_run())
    back.sink.exchange(a_submit())
    back.sink.exchange(an_exchange())
    assert tree(back.all) == tree(there.all)


def test_ids_are_those_chosen_at_the_request_head() -> None:
    spans = Spans()
    spans.sink.exchange(an_exchange())
    spans.sink.run(a_run())
    assert {span.context.trace_id for span in spans.all} == {TRACE.trace_id}
    assert spans[f"POST {RUNS}"].context.span_id == TRACE.server_span_id
    assert spans["POST"].context.span_id == TRACE.client_span_id
    assert spans["invoke_agent Math Tutor"].context.span_id == RUN_SPAN_ID
    assert spans["invoke_agent Math Tutor"].parent.span_id == TRACE.server_span_id


def test_times_are_those_of_the_reports() -> None:
    spans = Spans()
    spans.sink.exchange(an_exchange())
    server, client = spans[f"POST {RUNS}"], spans["POST"]
    assert (server.start_time, server.end_time) == (at(0), at(100))
    assert (client.start_time, client.end_time) == (at(1), at(100))


def test_a_callers_span_is_the_parent_and_the_run_a_link() -> None:
    spans = Spans()
    spans.sink.exchange(a_submit(trace=CALLERS))
    server, client = spans[f"POST {SUBMIT}"], spans["POST"]
    assert server.context.trace_id == CALLERS.trace_id
    assert (server.parent.span_id, server.parent.is_remote) == (CALLERS.parent_span_id, True)
    ((link),) = server.links
    assert (link.context.trace_id, link.context.span_id) == (TRACE.trace_id, RUN_SPAN_ID)
    assert dict(link.attributes) == {"wiretape.run.id": "run_1"}
    # The upstream exchange stays in the run's tree, and says whose it was.
    assert (client.context.trace_id, client.parent.span_id) == (TRACE.trace_id, RUN_SPAN_ID)
    assert [link.context.span_id for link in client.links] == [CALLERS.server_span_id]


def test_a_run_joined_too_late_to_share_its_trace_is_linked() -> None:
    spans = Spans()
    alone = Trace(trace_id=0xF9, server_span_id=0xB2, client_span_id=0xC2)
    spans.sink.exchange(a_submit(trace=alone, run_key=None))
    server = spans[f"POST {SUBMIT}"]
    assert server.parent is None
    assert [(link.context.span_id, dict(link.attributes)) for link in server.links] == [(RUN_SPAN_ID, {})]


def test_a_poll_brings_its_own_client_span_below_its_server_span() -> None:
    spans = Spans()
    spans.sink.exchange(a_submit(method="GET", route="/v1/threads/{thread_id}/runs/{run_id}"))
    server, client = spans["GET /v1/threads/{thread_id}/runs/{run_id}"], spans["GET"]
    assert server.parent.span_id == RUN_SPAN_ID
    assert client.parent.span_id == SUBMIT_TRACE.server_span_id


def test_an_exchange_outside_any_run_is_a_pair() -> None:
    spans = Spans()
    spans.sink.exchange(a_get())
    assert tree(spans.all).splitlines() == ["SERVER GET /v1/assistants  100.0 ms", "└ CLIENT GET  99.0 ms"]
    assert spans["GET /v1/assistants"].parent is None


def test_nothing_sent_upstream_has_no_client_span() -> None:
    spans = Spans()
    spans.sink.exchange(a_get(upstream_start_ns=None, mode="replay", cassette="weather"))
    (server,) = spans.all
    assert server.attributes["wiretape.cassette"] == "weather"


def test_creating_an_assistant_is_create_agent_between_the_pair() -> None:
    spans = Spans()
    created = AgentCreated(id="asst_1", name="Math Tutor", model="gpt-4o")
    spans.sink.exchange(a_get(method="POST", agent_created=created))
    assert tree(spans.all).splitlines() == [
        "SERVER POST /v1/assistants  100.0 ms",
        "└ CLIENT create_agent Math Tutor  99.0 ms",
        "  └ CLIENT POST  99.0 ms",
    ]
    assert dict(spans["create_agent Math Tutor"].attributes) == {
        "gen_ai.operation.name": "create_agent",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.agent.id": "asst_1",
        "gen_ai.agent.name": "Math Tutor",
        "server.address": "api.example",
        "server.port": 443,
    }


def test_an_agent_without_a_name_is_create_agent_alone() -> None:
    spans = Spans()
    nameless = AgentCreated(id="asst_1", name=None, model=None)
    spans.sink.exchange(a_get(method="POST", agent_created=nameless, upstream_start_ns=None))
    assert spans["create_agent"].start_time == at(0)


def test_server_and_client_attributes() -> None:
    spans = Spans()
    spans.sink.exchange(an_exchange())
    assert dict(spans[f"POST {RUNS}"].attributes) == {
        "http.request.method": "POST",
        "http.route": RUNS,
        "http.response.status_code": 200,
        "wiretape.mode": "forward",
    }
    assert dict(spans["POST"].attributes) == {
        "http.request.method": "POST",
        "url.template": RUNS,
        "http.response.status_code": 200,
        "server.address": "api.example",
        "server.port": 443,
    }


def test_an_upstream_without_a_known_place_has_no_server_attributes() -> None:
    spans = Spans()
    spans.sink.exchange(an_exchange(upstream="elsewhere"))
    spans.sink.run(a_run(upstream="elsewhere"))
    assert not [name for span in spans.all for name in span.attributes if name.startswith("server.")]
    assert spans["invoke_agent Math Tutor"].attributes["gen_ai.provider.name"] == "openai"


def test_what_is_not_known_of_a_run_is_left_out() -> None:
    spans = Spans()
    times = dict.fromkeys(("first_event_ns", "first_token_ns", "queue_ns", "model_ns", "tool_wait_ns"))
    names = dict.fromkeys(("assistant_name", "model", "model_requested", "thread_id", "usage"))
    spans.sink.run(a_run(**times, **names, gaps=sketch(), outcome="abandoned", status="queued", steps=()))
    (span,) = spans.all
    assert span.name == "invoke_agent"
    assert not [name for name in span.attributes if "usage." in name or name.endswith("_s") or "model" in name]


def test_tokens_are_on_the_run_alone() -> None:
    spans = Spans()
    spans.sink.run(a_run())
    assert dict(spans["run_step tool_calls"].attributes) == {}


def test_tool_attributes() -> None:
    spans = Spans()
    spans.sink.run(a_run())
    assert dict(spans["execute_tool get_weather"].attributes) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "get_weather",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "call_2",
    }


def test_a_step_and_a_tool_without_an_end_end_with_the_run() -> None:
    spans = Spans()
    tool = ToolReport(call_id="c", type="mystery", name="mystery", start_ns=at(40))
    step = StepReport(id="s", type="tool_calls", status="failed", start_ns=at(30), error="server_error", tools=(tool,))
    spans.sink.run(a_run(steps=(step,)))
    assert spans["run_step tool_calls"].end_time == at(400)
    assert spans["execute_tool mystery"].end_time == at(400)
    assert "gen_ai.tool.type" not in spans["execute_tool mystery"].attributes
    assert spans["run_step tool_calls"].status.status_code is StatusCode.ERROR


def test_no_span_ends_before_it_starts() -> None:
    spans = Spans()
    spans.sink.run(a_run(steps=(StepReport(id="s", type="message_creation", status="x", start_ns=at(500)),)))
    assert spans["run_step message_creation"].end_time == at(500)


def test_a_foreign_run_has_no_spans() -> None:
    spans = Spans()
    spans.sink.run(a_run(foreign=True))
    spans.sink.run(a_run(trace=None))
    assert spans.all == ()


def test_what_the_caller_did_not_sample_is_not_exported() -> None:
    spans = Spans()
    unsampled = Trace(trace_id=1, server_span_id=2, client_span_id=3, sampled=False)
    spans.sink.exchange(an_exchange(trace=unsampled, run_trace=unsampled))
    spans.sink.run(a_run(trace=unsampled))
    assert spans.all == ()


ERROR, UNSET = StatusCode.ERROR, StatusCode.UNSET


@pytest.mark.parametrize(
    ("changes", "server", "client"),
    [
        ({}, (UNSET, None), (UNSET, None)),
        ({"status": 404}, (UNSET, None), (ERROR, "404")),
        ({"status": 500}, (ERROR, "500"), (ERROR, "500")),
        ({"how": How.CLIENT_LEFT}, (UNSET, None), (UNSET, None)),
        ({"how": How.CLIENT_LEFT, "status": 500}, (UNSET, None), (ERROR, "500")),
        ({"how": How.CANCELLED}, (ERROR, "cancelled"), (UNSET, None)),
        ({"how": How.CANCELLED, "code": "shutting_down"}, (ERROR, "shutting_down"), (UNSET, None)),
        ({"how": How.UPSTREAM_FAILED}, (ERROR, "upstream_failed"), (ERROR, "upstream_failed")),
        (
            {"how": How.UPSTREAM_FAILED, "code": "upstream_timeout", "status": 504, "head_ns": None},
            (ERROR, "upstream_timeout"),
            (ERROR, "upstream_timeout"),
        ),
        (
            {"how": How.REFUSED, "code": "upstream_unreachable", "status": 502, "head_ns": None},
            (ERROR, "upstream_unreachable"),
            (ERROR, "upstream_unreachable"),
        ),
        ({"how": How.CLIENT_LEFT, "status": None, "head_ns": None}, (UNSET, None), (UNSET, None)),
    ],
)
def test_status_and_error_type_of_the_pair(
    changes: dict[str, object], server: tuple[StatusCode, str | None], client: tuple[StatusCode, str | None]
) -> None:
    spans = Spans()
    spans.sink.exchange(a_get(**changes))
    found = [spans["GET /v1/assistants"], spans["GET"]]
    assert [(span.status.status_code, span.attributes.get("error.type")) for span in found] == [server, client]


def test_an_answer_of_our_own_has_no_upstream_status() -> None:
    spans = Spans()
    spans.sink.exchange(a_get(how=How.REFUSED, code="upstream_timeout", status=504, head_ns=None))
    assert "http.response.status_code" not in spans["GET"].attributes


@pytest.mark.parametrize(
    ("changes", "status", "error", "reasons"),
    [
        ({}, UNSET, None, ("stop",)),
        ({"outcome": "failed", "error": "server_error"}, ERROR, "server_error", ("error",)),
        ({"outcome": "failed"}, ERROR, "failed", ("error",)),
        ({"outcome": "expired", "error": "expired"}, ERROR, "expired", ("error",)),
        ({"outcome": "cancelled"}, UNSET, None, None),
        ({"outcome": "abandoned"}, UNSET, None, None),
        ({"outcome": "abandoned", "error": "upstream_timeout"}, ERROR, "upstream_timeout", None),
        ({"outcome": "incomplete", "error": "max_prompt_tokens"}, UNSET, None, ("length",)),
        ({"outcome": "incomplete", "error": "content_filter"}, UNSET, None, ("content_filter",)),
        ({"outcome": "incomplete"}, UNSET, None, ("length",)),
    ],
)
def test_status_error_and_finish_reason_of_a_run(
    changes: dict[str, object], status: StatusCode, error: str | None, reasons: tuple[str, ...] | None
) -> None:
    spans = Spans()
    spans.sink.run(a_run(steps=(), **changes))
    (span,) = spans.all
    found = (span.status.status_code, span.attributes.get("error.type"))
    assert found == (status, error)
    assert span.attributes.get("gen_ai.response.finish_reasons") == reasons


def test_an_unknown_method_never_names_a_span() -> None:
    spans = Spans()
    spans.sink.exchange(a_get(method="SECRET"))
    assert [span.name for span in spans.all] == ["HTTP /v1/assistants", "HTTP"]
    assert {span.attributes["http.request.method"] for span in spans.all} == {"_OTHER"}


def test_attribute_values_and_names_are_bounded_between_characters() -> None:
    spans = Spans()
    spans.sink.run(a_run(assistant_name="é" * 9000, steps=()))
    (span,) = spans.all
    assert span.attributes["gen_ai.agent.name"] == "é" * 4096
    assert len(span.name.encode()) <= 8192


def test_made_spans_pass_the_batch_processor() -> None:
    exporter = InMemorySpanExporter()
    processor = BatchSpanProcessor(exporter)
    spans = Spans()
    spans.sink.exchange(an_exchange())
    spans.sink.run(a_run())
    for span in spans.all:
        processor.on_end(span)
    processor.shutdown()
    assert tree(exporter.get_finished_spans()) == tree(spans.all)
    assert all(span.to_json() for span in exporter.get_finished_spans())


def test_closing_holds_nothing_back() -> None:
    spans = Spans()
    spans.sink.run(a_run(usage=Usage(1, 1)))
    before = spans.all
    spans.sink.close(1.0)
    assert spans.all == before
