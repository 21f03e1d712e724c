"""Reports as rows: each a tuple in the order of its table's columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct, structs

from wiretape.ledger.merge import RUN
from wiretape.runs.cost import Cost
from wiretape.runs.report import Correction, ExchangeReport, RunReport, StepReport, ToolReport, Usage

Value = str | int | bytes | None
Row = tuple[Value, ...]

INT_MAX: Final = (1 << 63) - 1
"""What a column can hold."""
_DIGEST_DIGITS: Final = 16
_SIGN: Final = 1 << 63


class RunRow(Struct, frozen=True, kw_only=True):
    """One row of table `run`; fields are columns. `*_us` are microseconds, `created_us` since the Unix epoch."""

    upstream: str
    run_id: str
    thread_id: str | None
    assistant_id: str | None
    assistant_name: str | None
    model_requested: str | None
    model: str | None
    mode: str
    cassette: str | None
    is_foreign: bool
    streamed: bool
    created_us: int
    queue_us: int | None
    first_event_us: int | None
    first_token_us: int | None
    first_token_kind: str | None
    model_us: int | None
    tool_wait_us: int | None
    duration_us: int | None
    """None for an abandoned run, and for a foreign one: nobody here saw both its begin and its end."""
    polls: int
    exchanges: int
    events: int
    steps: int
    tool_calls: int
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    usage_source: str
    cost_nano: int | None = None
    """Billionths of a US dollar; none where there is no price or no usage."""
    price_version: str | None = None
    """Of the price that holds for the run, whether or not its usage is known."""
    status: str
    outcome: str
    error: str | None
    trace_id: str | None
    key_hash: str | None = None
    """Keyed hash of the credential that created the run."""
    key_alias: str | None = None
    gap_sketch: bytes | None = None
    """Gaps between pieces of content; a packed `runs.sketch`; none where there were no two."""
    overhead_us: int | None = None
    """Our own time before first bytes, over the run's exchanges that were relayed here."""


COLUMNS: Final = RUN.columns


def run_row(report: RunReport, overhead_ns: int | None = None, aliases: Mapping[str, str] | None = None) -> RunRow:
    """The row of a run's report; `aliases` are by the hash of a key."""
    prompt, cached, completion, reasoning = _tokens(report.usage)
    cost_nano, price_version = _priced(report.cost)
    return RunRow(
        upstream=report.upstream,
        run_id=report.run_id,
        thread_id=report.thread_id,
        assistant_id=report.assistant_id,
        assistant_name=report.assistant_name,
        model_requested=report.model_requested,
        model=report.model,
        mode=report.mode,
        cassette=report.cassette,
        is_foreign=report.foreign,
        streamed=report.streamed,
        created_us=report.start_ns // 1000,
        queue_us=_us(report.queue_ns),
        first_event_us=_us(report.first_event_ns),
        first_token_us=_us(report.first_token_ns),
        first_token_kind=report.first_token_kind,
        model_us=_us(report.model_ns),
        tool_wait_us=_us(report.tool_wait_ns),
        duration_us=_us(report.duration_ns),
        polls=report.polls,
        exchanges=report.exchanges,
        events=report.events,
        steps=len(report.steps),
        tool_calls=sum(len(step.tools) for step in report.steps),
        input_tokens=prompt,
        cached_tokens=cached,
        output_tokens=completion,
        reasoning_tokens=reasoning,
        usage_source=report.usage_source,
        cost_nano=cost_nano,
        price_version=price_version,
        status=report.status,
        outcome=report.outcome,
        error=report.error,
        trace_id=None if report.trace is None else f"{report.trace.trace_id:032x}",
        key_hash=report.key_hash,
        key_alias=(aliases or {}).get(report.key_hash or ""),
        gap_sketch=report.gaps.pack() if report.gaps.counts else None,
        overhead_us=_us(overhead_ns),
    )


def run_values(report: RunReport, overhead_ns: int | None = None, aliases: Mapping[str, str] | None = None) -> Row:
    """The same as values of the table."""
    return storable(structs.astuple(run_row(report, overhead_ns, aliases)))


def step_values(report: RunReport) -> Iterator[Row]:
    """A row for each of a run's steps."""
    for step in report.steps:
        yield storable((report.upstream, report.run_id, *_step(step), *_tokens(step.usage)))


def request_values(report: ExchangeReport) -> Row:
    """The row of an exchange: sizes and times, lengths from its beginning. Never a header, query, body or key."""
    trace, start_ns = report.trace, report.start_ns
    return storable(
        (
            start_ns // 1000,
            trace.server_span_id - 2 * _SIGN if trace.server_span_id >= _SIGN else trace.server_span_id,
            f"{trace.trace_id:032x}",
            report.upstream,
            None if report.run_key is None else report.run_key[1],
            report.session,
            report.mode,
            report.cassette,
            report.played,
            report.method,
            report.route,
            report.status,
            report.how.value,
            report.code,
            report.streamed,
            _since(start_ns, report.upstream_start_ns),
            _since(start_ns, report.head_ns),
            _since(start_ns, report.first_chunk_ns),
            (report.end_ns - start_ns) // 1000,
            overhead_ns(report) // 1000,
            report.bytes_in,
            report.bytes_out,
            report.chunks,
            report.events,
            report.upstream_request_id,
            report.upstream_processing_ms,
            report.key_hash,
        )
    )


def price_values(cost: Cost) -> Row:
    """The row of the price that a run was priced by."""
    return storable((cost.version, *structs.astuple(cost.price)))


def correction_values(report: Correction) -> Row:
    """The row of a correction; the same correction has the same key wherever it is written."""
    figures = (
        *(report.upstream, report.run_id, report.at_ns // 1000, report.foreign),
        *(report.status, report.outcome, report.error, *_tokens(report.usage), report.usage_source),
    )
    digest = hashlib.sha256(msgspec.json.encode(storable(figures))).hexdigest()[:_DIGEST_DIGITS]
    return storable((digest, *figures))


def overhead_ns(report: ExchangeReport) -> int:
    """Our own time before the request went on, and before the answer's head did."""
    return report.overhead_request_ns + report.overhead_head_ns


def storable(values: tuple[Value, ...]) -> Row:
    """The values as a column can hold them: one that it can not would cost all other rows of its batch."""
    return tuple(map(_storable, values))


def _storable(value: Value) -> Value:
    if type(value) is str:
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if type(value) is int:
        return value if -INT_MAX <= value <= INT_MAX else INT_MAX
    return value


def _tokens(usage: Usage | None) -> tuple[int | None, int | None, int | None, int | None]:
    if usage is None:
        return None, None, None, None
    return usage.prompt, usage.cached, usage.completion, usage.reasoning


def _priced(cost: Cost | None) -> tuple[int | None, str | None]:
    return (None, None) if cost is None else (cost.nano_usd, cost.version)


def _step(step: StepReport) -> Row:
    duration_ns = None if step.end_ns is None else step.end_ns - step.start_ns
    tools = msgspec.json.encode([_tool(tool) for tool in step.tools]).decode() if step.tools else None
    return step.id, step.type, step.status, step.start_ns // 1000, _us(duration_ns), step.error, tools


def _tool(tool: ToolReport) -> dict[str, Value]:
    duration_ns = None if tool.end_ns is None else tool.end_ns - tool.start_ns
    return {"type": tool.type, "name": tool.name, "by_client": tool.by_client, "duration_us": _us(duration_ns)}


def _since(start_ns: int, at_ns: int | None) -> int | None:
    return None if at_ns is None else (at_ns - start_ns) // 1000


def _us(length_ns: int | None) -> int | None:
    return None if length_ns is None else length_ns // 1000
