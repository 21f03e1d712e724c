"""Reports as tests need them: each builder gives a whole one, and takes what the test is about."""

from __future__ import annotations

from msgspec import structs

from support.streams import sketch
from wiretape.exchange import How, Trace
from wiretape.runs.cost import Cost, Price
from wiretape.runs.report import Correction, ExchangeReport, RunReport, StepReport, ToolReport, Usage

START_NS = 1_750_000_000_000_000_000
MS = 1_000_000
RUNS = "/v1/threads/{thread_id}/runs"
SUBMIT = "/v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs"
KEY = ("default", "run_1")
PRICE = Price(model="gpt-4o", input_pico=2_500_000, cached_pico=1_250_000, output_pico=10_000_000, source="config")
COST = Cost(PRICE.nano_usd(200, 50, 40), PRICE, PRICE.version)
"""Of `a_run`: 837,500 nanodollars."""
TRACE = Trace(trace_id=0xA1, server_span_id=0xB1, client_span_id=0xC1)
SUBMIT_TRACE = Trace(trace_id=0xA1, server_span_id=0xB2, client_span_id=0xC2)
RUN_SPAN_ID = 0xD1


def at(ms: float) -> int:
    """Nanoseconds since the epoch, `ms` after the scene began."""
    return START_NS + int(ms * MS)


def an_exchange(**changes: object) -> ExchangeReport:
    """A forwarded POST that created a run and streamed it, 100 ms long."""
    report = ExchangeReport(
        trace=TRACE,
        method="POST",
        route=RUNS,
        status=200,
        how=How.COMPLETE,
        upstream="default",
        session="default",
        mode="forward",
        start_ns=at(0),
        end_ns=at(100),
        upstream_start_ns=at(1),
        head_ns=at(10),
        first_chunk_ns=at(11),
        overhead_request_ns=MS,
        overhead_head_ns=50_000,
        bytes_in=120,
        bytes_out=4096,
        chunks=9,
        events=20,
        streamed=True,
        run_key=KEY,
        run_trace=TRACE,
        run_span_id=RUN_SPAN_ID,
    )
    return structs.replace(report, **changes)


def a_get(**changes: object) -> ExchangeReport:
    """A GET that belongs to no run."""
    outside = {
        "method": "GET",
        "route": "/v1/assistants",
        "events": 0,
        "streamed": False,
        "run_key": None,
        "run_trace": None,
    }
    return structs.replace(an_exchange(**outside, run_span_id=None), **changes)


def a_submit(**changes: object) -> ExchangeReport:
    """The exchange that fed tools' outputs to the run; its caller sent no trace."""
    joined = {"trace": SUBMIT_TRACE, "route": SUBMIT, "start_ns": at(300), "end_ns": at(400)}
    return structs.replace(an_exchange(**joined, upstream_start_ns=at(301), head_ns=at(310)), **changes)


def a_run(**changes: object) -> RunReport:
    """A run of 400 ms: a tool of the service, a tool of the client, then a message."""
    tools = (
        ToolReport(call_id="call_1", type="code_interpreter", name="code_interpreter", start_ns=at(30), end_ns=at(60)),
        ToolReport(
            call_id="call_2", type="function", name="get_weather", start_ns=at(90), end_ns=at(300), by_client=True
        ),
    )
    report = RunReport(
        upstream="default",
        run_id="run_1",
        thread_id="thread_1",
        assistant_id="asst_1",
        assistant_name="Math Tutor",
        model_requested="gpt-4o",
        model="gpt-4o-2024",
        streamed=True,
        status="completed",
        outcome="completed",
        start_ns=at(0),
        end_ns=at(400),
        first_event_ns=10 * MS,
        first_token_ns=30 * MS,
        first_token_kind="code",
        queue_ns=5 * MS,
        model_ns=185 * MS,
        tool_wait_ns=210 * MS,
        duration_ns=400 * MS,
        gaps=sketch(1 * MS, 3 * MS, 2 * MS),
        usage=Usage(prompt=200, completion=40, cached=50, reasoning=10),
        usage_source="run",
        polls=1,
        exchanges=3,
        events=40,
        steps=(
            StepReport(
                id="step_1",
                type="tool_calls",
                status="completed",
                start_ns=at(20),
                end_ns=at(300),
                usage=Usage(prompt=100, completion=20),
                tools=tools,
            ),
            StepReport(id="step_2", type="message_creation", status="completed", start_ns=at(320), end_ns=at(390)),
        ),
        trace=TRACE,
        span_id=RUN_SPAN_ID,
    )
    return structs.replace(report, **changes)


def a_correction(**changes: object) -> Correction:
    """Half a second after the run, its own tokens where the report had those of its steps."""
    report = Correction(
        upstream="default",
        run_id="run_1",
        at_ns=at(900),
        foreign=False,
        status="completed",
        outcome="completed",
        usage=Usage(prompt=210, completion=41, cached=50, reasoning=10),
        usage_source="run",
    )
    return structs.replace(report, **changes)
