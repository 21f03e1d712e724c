"""All that telemetry told of one conversation, in a form that can be compared with another time."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from opentelemetry.sdk.metrics.export import HistogramDataPoint, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from support.proxied import proxied
from support.sdk import async_client, client
from support.talks import Talk
from support.telemetry import Metrics
from wiretape.app import Outcome, Proxy
from wiretape.runs.report import ExchangeReport, RunReport
from wiretape.telemetry.instrument import Kind
from wiretape.telemetry.vocabulary import CASSETTE_HITS, INSTRUMENTS, OVERHEAD
from wiretape.testing import CollectingSink

Hold = Callable[[Proxy], Awaitable[None]]
PLACES = {"upstream", "mode", "cassette", "wiretape.mode", "wiretape.cassette", "server.address", "server.port"}
"""Where it came from: what a replay cannot have in common with what it replays, nor a cassette's hits with none."""
TABLES = {
    "run": "created_us",
    "step": "run_id, step_id",
    "request": "start_us",
    "price": "version",
    "correction": "run_id",
}
"""Of the ledger, and how their rows are told apart."""
_OWN = {CASSETTE_HITS.name, OVERHEAD.name}
_TIME = re.compile(r"(_ns|_us|_s|digest|sketch|time_to_first_chunk)\Z")


class Told(Struct):
    """What one proxy told: by its sink, its spans, its metrics, its ledger."""

    runs: list[RunReport]
    exchanges: list[ExchangeReport]
    spans: Sequence[ReadableSpan]
    counts: dict[tuple[str, ...], int]
    """Of the metrics: how often each histogram was fed and what each counter came to."""
    rows: dict[str, list[dict[str, Any]]]
    outcome: Outcome


async def told(hold: Hold, folder: Path, *, upstream: Any = "sandbox", **how: Any) -> Told:
    """Run a proxy while something is held through it; gives all that it told."""
    exporter, sink, ledger = InMemorySpanExporter(), CollectingSink(), folder / f"{how['mode']}-{how.get('speed')}.db"
    metrics = Metrics()
    metrics.sink.name = "counted"  # beside the proxy's own, and to be read when all has come
    told_to = {
        "exporter": exporter,
        "sinks": [sink, metrics.sink],
        "ledger": f"sqlite:///{ledger}",
        "hash_key": "one for both",
    }
    async with proxied(upstream, **told_to, **how) as proxy:
        await hold(proxy)
        outcome = await proxy.close()
    runs = sorted(sink.runs, key=lambda run: run.start_ns)
    exchanges = sorted(sink.exchanges, key=lambda one: one.start_ns)
    return Told(runs, exchanges, exporter.get_finished_spans(), _counts(metrics), _rows(ledger), outcome)


def holding(talks: Sequence[Talk], *, blocking: bool = False, path: str = "") -> Hold:
    """Hold conversations one after the other, with either client of the SDK."""

    async def hold(proxy: Proxy) -> None:
        url = proxy.traffic.url + path
        if blocking:
            await asyncio.to_thread(_each_blocking, talks, url)
        else:
            async with async_client(url) as api:
                await _each(talks, api)

    return hold


def _each_blocking(talks: Sequence[Talk], url: str) -> None:
    with client(url) as api:
        asyncio.run(_each(talks, api))


async def _each(talks: Sequence[Talk], api: Any) -> None:
    for talk in talks:
        await talk(api)


def _rows(ledger: Path) -> dict[str, list[dict[str, Any]]]:
    with closing(sqlite3.connect(ledger)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}")]  # noqa: S608
            for table, order in TABLES.items()
        }


def facts(fields: dict[str, Any]) -> dict[str, Any]:
    """What is no time, no span's id and no place."""
    left_out = PLACES | {"trace", "trace_id", "span_id", "carried", "played", "chunks"}
    return {name: _timeless(value) for name, value in fields.items() if name not in left_out and not _TIME.search(name)}


def _timeless(value: Any) -> Any:
    """A value; of the ledger's list of a step's tools, without their lengths."""
    return re.sub(r'"duration_us":\w+', "", value) if isinstance(value, str) else value


def run_facts(run: RunReport) -> dict[str, Any]:
    """The same of a run, with its steps, their tools, and what carried it."""
    steps = [
        facts(msgspec.structs.asdict(step)) | {"tools": [facts(msgspec.structs.asdict(tool)) for tool in step.tools]}
        for step in run.steps
    ]
    carried = [(one.method, one.route, one.status, one.how) for one in run.carried]
    return facts(msgspec.structs.asdict(run)) | {"gaps": run.gaps.count, "steps": steps, "carried": carried}


def exchange_facts(one: ExchangeReport) -> dict[str, Any]:
    """The same of an exchange: reads and bytes of its head are the connection's own."""
    told_of = ("method", "route", "status", "how", "code", "events", "events_unknown", "decoder_errors", "streamed")
    run_id = one.run_key[1] if one.run_key else None
    return {name: getattr(one, name) for name in told_of} | {"run": run_id, "agent": one.agent_created}


def trees(spans: Sequence[ReadableSpan]) -> list[str]:
    """Every tree as a text: a span in a line, below its parent, with its attributes; without any order in time."""
    below: dict[int, list[ReadableSpan]] = defaultdict(list)
    known = {span.context.span_id for span in spans}
    for span in spans:
        parent = span.parent.span_id if span.parent else 0
        below[parent if parent in known else 0].append(span)
    return sorted(_tree(top, below, "") for top in below[0])


def _tree(span: ReadableSpan, below: Mapping[int, list[ReadableSpan]], indent: str) -> str:
    kept = sorted(facts(dict(span.attributes or {})).items())
    line = f"{indent}{span.kind.name} {span.name} {span.status.status_code.name} links={len(span.links)} {kept}"
    return "\n".join([line, *sorted(_tree(one, below, indent + "  ") for one in below[span.context.span_id])])


def _counts(metrics: Metrics) -> dict[tuple[str, ...], int]:
    """All but our own time and what a cassette was asked."""
    read = metrics.read()
    return {
        (one.name, *(f"{name}={value}" for name, value in sorted(dict(point.attributes or {}).items()))): _count(point)
        for one in INSTRUMENTS
        if one.kind in {Kind.HISTOGRAM, Kind.COUNTER} and one.name not in _OWN and one.name in read
        for point in read[one.name].data.data_points
    }


def _count(point: HistogramDataPoint | NumberDataPoint) -> int:
    return int(point.count if isinstance(point, HistogramDataPoint) else point.value)
