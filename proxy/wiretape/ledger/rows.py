"""A run as a row, and how two rows of one run become one."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from wiretape.runs.report import RunReport


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
    status: str
    outcome: str
    error: str | None
    trace_id: str | None


COLUMNS: Final = RunRow.__struct_fields__

_KEY: Final = ("upstream", "run_id")
_COUNTS: Final = ("polls", "exchanges", "events", "steps", "tool_calls", "streamed")
_USAGE: Final = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "usage_source")
_ENDING: Final = ("status", "outcome", "error")
_SOURCES: Final = "CASE {0}.usage_source WHEN 'run' THEN 2 WHEN 'steps' THEN 1 ELSE 0 END"
_NEARER: Final = "excluded.is_foreign < run.is_foreign"


def run_row(report: RunReport) -> RunRow:
    """The row of a run's report."""
    usage = report.usage
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
        input_tokens=None if usage is None else usage.prompt,
        cached_tokens=None if usage is None else usage.cached,
        output_tokens=None if usage is None else usage.completion,
        reasoning_tokens=None if usage is None else usage.reasoning,
        usage_source=report.usage_source,
        status=report.status,
        outcome=report.outcome,
        error=report.error,
        trace_id=None if report.trace is None else f"{report.trace.trace_id:032x}",
    )


def _us(length_ns: int | None) -> int | None:
    return None if length_ns is None else length_ns // 1000


def upsert_sql() -> str:
    """The statement that writes a row, or merges it into the row another sighting of the run left.

    Writing a row twice changes nothing. Of two rows, the one whose process relayed the run's creation gives facts and
    times, and the other fills its gaps; counts are the greater; usage is that of the better source; a real ending
    beats `abandoned`.
    """
    names = ", ".join(COLUMNS)
    values = ", ".join(f":{name}" for name in COLUMNS)
    merged = ", ".join(f"{name} = {_merged(name)}" for name in COLUMNS if name not in _KEY)
    return f"INSERT INTO run ({names}) VALUES ({values}) ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {merged}"  # noqa: S608 - names are ours


def _merged(name: str) -> str:
    if name == "is_foreign":
        return "min(run.is_foreign, excluded.is_foreign)"
    if name in _COUNTS:
        return f"max(run.{name}, excluded.{name})"
    if name in _USAGE:
        return _pick(name, f"{_SOURCES.format('excluded')} > {_SOURCES.format('run')}")
    if name in _ENDING:
        return _pick(name, "run.outcome = 'abandoned' AND excluded.outcome <> 'abandoned'")
    return (
        f"CASE WHEN {_NEARER} THEN coalesce(excluded.{name}, run.{name}) ELSE coalesce(run.{name}, excluded.{name}) END"
    )


def _pick(name: str, newer_wins: str) -> str:
    return f"CASE WHEN {newer_wins} THEN excluded.{name} ELSE run.{name} END"
