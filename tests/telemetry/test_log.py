from __future__ import annotations

from io import StringIO

import structlog

from support.reports import COST, a_correction, a_get, a_run, an_exchange
from support.telemetry import Lines
from wiretape.exchange import How
from wiretape.telemetry.log import LineSink, LogSink, Nowhere, line_logger, log_sink, run_fields


def test_an_exchange_is_one_json_line() -> None:
    lines = Lines()
    LogSink(lines.logger).exchange(
        an_exchange(upstream_request_id="req_1", upstream_processing_ms=88, cassette="weather", played="hit")
    )
    assert lines.all == [
        {
            "timestamp": "2025-06-15T15:06:40.100000Z",
            "event": "exchange.finished",
            "level": "info",
            "trace_id": f"{0xA1:032x}",
            "span_id": f"{0xB1:016x}",
            "upstream": "default",
            "run_id": "run_1",
            "method": "POST",
            "route": "/v1/threads/{thread_id}/runs",
            "status": 200,
            "outcome": "complete",
            "mode": "forward",
            "cassette": "weather",
            "played": "hit",
            "duration_ms": 100.0,
            "overhead_us": 1050,
            "bytes_in": 120,
            "bytes_out": 4096,
            "events": 20,
            "upstream_request_id": "req_1",
            "upstream_processing_ms": 88,
        }
    ]


def test_a_line_begins_with_when_how_grave_and_what() -> None:
    lines = Lines()
    LogSink(lines.logger).run(a_run())
    assert list(lines.all[0])[:3] == ["timestamp", "level", "event"]


def test_a_failed_exchange_says_why() -> None:
    lines = Lines()
    LogSink(lines.logger).exchange(a_get(how=How.REFUSED, status=501, code="cassette_miss"))
    (line,) = lines.all
    assert (line["outcome"], line["error.type"], line["code"]) == ("refused", "cassette_miss", "cassette_miss")
    assert "run_id" not in line


def test_a_run_is_one_json_line() -> None:
    lines = Lines()
    LogSink(lines.logger).run(a_run(cost=COST))
    assert lines.all == [
        {
            "timestamp": "2025-06-15T15:06:40.400000Z",
            "event": "run.finished",
            "level": "info",
            "trace_id": f"{0xA1:032x}",
            "upstream": "default",
            "run_id": "run_1",
            "thread_id": "thread_1",
            "assistant_id": "asst_1",
            "model": "gpt-4o-2024",
            "status": "completed",
            "outcome": "completed",
            "mode": "forward",
            "foreign": False,
            "tokens": {"input": 200, "cached": 50, "output": 40, "reasoning": 10},
            "usage_source": "run",
            "cost_nano_usd": 837_500,
            "ttfe_ms": 10.0,
            "ttft_ms": 30.0,
            "duration_ms": 400.0,
            "steps": 2,
            "tool_calls": 2,
            "polls": 1,
            "exchanges": 3,
            "events": 40,
        }
    ]


def test_better_figures_of_a_run_are_one_json_line() -> None:
    lines = Lines()
    LogSink(lines.logger).correction(a_correction())
    assert lines.all == [
        {
            "timestamp": "2025-06-15T15:06:40.900000Z",
            "event": "run.corrected",
            "level": "info",
            "upstream": "default",
            "run_id": "run_1",
            "status": "completed",
            "outcome": "completed",
            "foreign": False,
            "tokens": {"input": 210, "cached": 50, "output": 41, "reasoning": 10},
            "usage_source": "run",
        }
    ]


def test_what_is_not_known_of_a_run_is_left_out() -> None:
    lines = Lines()
    LogSink(lines.logger).run(a_run(usage=None, usage_source="none", trace=None, first_token_ns=None))
    (line,) = lines.all
    assert not {"tokens", "trace_id", "ttft_ms"} & set(line)


def test_a_terminal_gets_words_that_cannot_steer_it() -> None:
    lines = Lines()
    lines.stream.isatty = lambda: True
    sink = LogSink(line_logger(lines.stream, colors=False))
    sink.exchange(a_get(upstream_request_id="\x1b[2Jreq"))
    text = lines.stream.getvalue()
    assert "exchange.finished" in text
    assert "route=/v1/assistants" in text
    assert "\x1b" not in text


def test_structlogs_own_configuration_is_left_alone() -> None:
    before = structlog.get_config()
    LogSink(Lines().logger).run(a_run())
    assert structlog.get_config() == before
    assert not structlog.is_configured()


def test_closing_writes_nothing() -> None:
    lines = Lines()
    LogSink(lines.logger).close(1.0)
    assert lines.all == []


def test_a_run_that_nobody_saw_whole_has_no_duration() -> None:
    fields = run_fields(a_run(foreign=True, duration_ns=None))
    assert "duration_ms" not in fields


def test_lines_written_together_are_those_of_the_logger() -> None:
    lines, stream = Lines(), StringIO()
    sink = log_sink(lines.logger, stream)
    assert isinstance(sink, LineSink)
    for one in (LogSink(lines.logger), sink):
        one.exchange(an_exchange())
        one.run(a_run())
        one.correction(a_correction())
    assert (sink.gathered, stream.getvalue()) == (3, "")
    sink.flush()
    assert (sink.gathered, stream.getvalue()) == (0, lines.stream.getvalue())
    sink.close(1.0)


def test_a_terminal_gets_its_words_and_nobody_no_lines() -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    lines = Lines()
    assert isinstance(log_sink(lines.logger, Terminal()), LogSink)
    assert log_sink(lines.logger, Nowhere()) is None
