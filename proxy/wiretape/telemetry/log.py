"""Reports to log lines: one when an exchange ends, one when a run ends, one when better figures of it come later.

Never a header, a query, a body or a key: lines are made of the reports' fields alone, which hold none.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TextIO

import msgspec
import structlog
from opentelemetry.trace import format_span_id, format_trace_id
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from wiretape.runs.report import Correction, ExchangeReport, RunReport, Usage
from wiretape.telemetry.attributes import run_error, server_error, tool_calls

Fields = dict[str, object]

_INFO: Final = 20
_FIRST: Final = ("timestamp", "level", "event")
"""What a reader's eye looks for at the start of a JSON line."""

_SECONDS_KEPT: Final = 16
"""Seconds whose text is remembered: thousands of lines may have the same one."""


class Nowhere(io.StringIO):
    """Where log lines go that nobody asked for."""

    dropped = 0

    def end(self, within_s: float) -> None:
        """Nothing waits."""

    def write(self, text: str) -> int:
        """Forget the text."""
        return len(text)


def line_logger(stream: TextIO, *, colors: bool = True) -> FilteringBoundLogger:
    """A logger of its own, outside structlog's process-wide configuration: JSON lines, or words on a terminal.

    Colours only where the stream is a terminal and `colors` allows them (`NO_COLOR` is the caller's to read).
    """
    terminal = stream.isatty()
    shape: list[Processor] = [_printable, structlog.dev.ConsoleRenderer(colors=colors)] if terminal else [_json]
    stamp = structlog.processors.MaybeTimeStamper(fmt="iso", utc=True)
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[structlog.processors.add_log_level, stamp, *shape],
        wrapper_class=structlog.make_filtering_bound_logger(_INFO),
        context_class=dict,
        cache_logger_on_first_use=True,
    ).bind()
    return logger


def _json(_: WrappedLogger, __: str, event: EventDict) -> str:
    first = {name: event.pop(name) for name in _FIRST}
    return msgspec.json.encode({**first, **event}).decode()


def _printable(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Values that came over the wire must not steer the terminal."""
    return {name: _escaped(value) for name, value in event.items()}


def _escaped(value: Any) -> Any:  # noqa: ANN401 - structlog's border
    return ascii(value) if isinstance(value, str) and not value.isprintable() else value


class LogSink:
    """Writes one line per report to the logger."""

    name = "log"

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self._logger = logger

    def exchange(self, report: ExchangeReport) -> None:
        """`exchange.finished`."""
        self._logger.info("exchange.finished", **exchange_fields(report))

    def run(self, report: RunReport) -> None:
        """`run.finished`."""
        self._logger.info("run.finished", **run_fields(report))

    def correction(self, report: Correction) -> None:
        """`run.corrected`."""
        self._logger.info("run.corrected", **correction_fields(report))

    def close(self, deadline_s: float) -> None:
        """Each line was flushed when it was written."""


class LineSink:
    """Writes the same as JSON lines to a stream itself, all that came together at once: the logger costs twice that."""

    name = "log"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[str] = []

    @property
    def gathered(self) -> int:
        """Lines that are held until `flush`."""
        return len(self._lines)

    def exchange(self, report: ExchangeReport) -> None:
        """`exchange.finished`."""
        self._lines.append(_line("exchange.finished", exchange_fields(report)))

    def run(self, report: RunReport) -> None:
        """`run.finished`."""
        self._lines.append(_line("run.finished", run_fields(report)))

    def correction(self, report: Correction) -> None:
        """`run.corrected`."""
        self._lines.append(_line("run.corrected", correction_fields(report)))

    def flush(self) -> None:
        """Write the lines that are held."""
        lines, self._lines = self._lines, []
        self._stream.write("".join(lines))
        self._stream.flush()

    def close(self, deadline_s: float) -> None:
        """Write the lines that are held."""
        self.flush()


def log_sink(logger: FilteringBoundLogger, stream: TextIO) -> LineSink | LogSink | None:
    """The sink for what `line_logger` made of this stream; none where nobody reads it."""
    if isinstance(stream, Nowhere):
        return None
    return LogSink(logger) if stream.isatty() else LineSink(stream)


def _line(event: str, fields: Fields) -> str:
    line = {"timestamp": fields.pop("timestamp"), "level": "info", "event": event, **fields}
    return msgspec.json.encode(line).decode() + "\n"


def exchange_fields(report: ExchangeReport) -> Fields:
    """What a line says of an exchange; fields that are not known are left out."""
    trace = report.trace
    fields: Fields = {
        "timestamp": _iso(report.end_ns),
        "trace_id": format_trace_id(trace.trace_id),
        "span_id": format_span_id(trace.server_span_id),
        "upstream": report.upstream,
        "run_id": None if report.run_key is None else report.run_key[1],
        "method": report.method,
        "route": report.route,
        "status": report.status,
        "outcome": report.how.value,
        "error.type": server_error(report),
        "code": report.code,
        "mode": report.mode,
        "cassette": report.cassette,
        "played": report.played,
        "duration_ms": _ms(report.end_ns - report.start_ns),
        "overhead_us": (report.overhead_request_ns + report.overhead_head_ns) // 1000,
        "bytes_in": report.bytes_in,
        "bytes_out": report.bytes_out,
        "events": report.events,
        "upstream_request_id": report.upstream_request_id,
        "upstream_processing_ms": report.upstream_processing_ms,
    }
    return _known(fields)


def run_fields(report: RunReport) -> Fields:
    """What a line says of a run; fields that are not known are left out."""
    fields: Fields = {
        "timestamp": _iso(report.end_ns),
        "trace_id": None if report.trace is None else format_trace_id(report.trace.trace_id),
        "upstream": report.upstream,
        "run_id": report.run_id,
        "thread_id": report.thread_id,
        "assistant_id": report.assistant_id,
        "model": report.model or report.model_requested,
        "status": report.status,
        "outcome": report.outcome,
        "error.type": run_error(report),
        "error": report.error,
        "mode": report.mode,
        "cassette": report.cassette,
        "foreign": report.foreign,
        "tokens": _tokens(report.usage),
        "usage_source": report.usage_source,
        "cost_nano_usd": None if report.cost is None else report.cost.nano_usd,
        "ttfe_ms": _ms(report.first_event_ns),
        "ttft_ms": _ms(report.first_token_ns),
        "duration_ms": _ms(report.duration_ns),
        "steps": len(report.steps),
        "tool_calls": tool_calls(report),
        "polls": report.polls,
        "exchanges": report.exchanges,
        "events": report.events,
    }
    return _known(fields)


def correction_fields(report: Correction) -> Fields:
    """What a line says of better figures of a run; fields that are not known are left out."""
    fields: Fields = {
        "timestamp": _iso(report.at_ns),
        "upstream": report.upstream,
        "run_id": report.run_id,
        "status": report.status,
        "outcome": report.outcome,
        "error": report.error,
        "foreign": report.foreign,
        "tokens": _tokens(report.usage),
        "usage_source": report.usage_source,
    }
    return _known(fields)


def _tokens(usage: Usage | None) -> Mapping[str, int] | None:
    if usage is None:
        return None
    return {
        "input": usage.prompt,
        "cached": usage.cached,
        "output": usage.completion,
        "reasoning": usage.reasoning,
    }


def _known(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _ms(length_ns: int | None) -> float | None:
    return None if length_ns is None else round(length_ns / 1e6, 3)


def _iso(at_ns: int) -> str:
    return f"{_second(at_ns // 1_000_000_000)}.{at_ns // 1000 % 1_000_000:06d}Z"


@lru_cache(_SECONDS_KEPT)
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
