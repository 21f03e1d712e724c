"""What goes upstream of a trace, and who is said to have asked, through a whole proxy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from support.proxied import proxied
from support.raw import exchange
from support.recorder import recording
from wiretape.ledger.options import LedgerOptions
from wiretape.runs.report import ExchangeReport, RunReport
from wiretape.telemetry.options import TelemetryOptions
from wiretape.wire.credential import KeyHashes

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STATE = "vendor=1"
KEY = "sk-canary-0123456789"
SECRET = "a secret of all replicas"
BETA = {"Authorization": f"Bearer {KEY}", "OpenAI-Beta": "assistants=v2"}
THREAD = {"messages": [{"role": "user", "content": "Hello"}]}


def get(target: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: proxy.test", *fields, "Connection: close", "", ""]).encode()


class Told:
    """A sink that keeps what it is told."""

    name = "told"

    def __init__(self) -> None:
        self.exchanges: list[ExchangeReport] = []

    def exchange(self, report: ExchangeReport) -> None:
        self.exchanges.append(report)

    def run(self, report: RunReport) -> None:
        pass

    def close(self, deadline_s: float) -> None:
        pass


async def passed(*fields: str, **settings: Any) -> tuple[list[str], InMemorySpanExporter]:
    """What the upstream was told of a trace, and the spans."""
    exporter = InMemorySpanExporter()
    async with recording() as (url, recorder), proxied(url, exporter=exporter, **settings) as proxy:
        await exchange(proxy.traffic.url, get("/v1/models", *fields))
    ((head, _),) = recorder.whole
    return [line for line in head.decode().split("\r\n") if line.lower().startswith("trace")], exporter


def client_span(exporter: InMemorySpanExporter) -> str:
    (span,) = [one for one in exporter.get_finished_spans() if one.kind.name == "CLIENT"]
    return f"{span.context.trace_id:032x}-{span.context.span_id:016x}"


async def test_a_callers_traceparent_names_our_exchange_upstream() -> None:
    lines, exporter = await passed(f"traceparent: {PARENT}", f"tracestate: {STATE}")
    assert lines == [f"traceparent: 00-{client_span(exporter)}-01", f"tracestate: {STATE}"]
    assert client_span(exporter).startswith(PARENT[3:35])
    spans = exporter.get_finished_spans()
    assert {span.context.trace_state.to_header() for span in spans} == {STATE}


async def test_what_a_caller_did_not_sample_goes_on_unsampled_and_makes_no_span() -> None:
    lines, exporter = await passed(f"traceparent: {PARENT[:-2]}00")
    assert [line[-3:] for line in lines] == ["-00"]
    assert not exporter.get_finished_spans()


@pytest.mark.parametrize("fields", [(), (f"traceparent: {PARENT}0",), (f"tracestate: {STATE}",)])
async def test_the_upstream_is_not_told_of_a_trace_that_its_caller_does_not_know(fields: tuple[str, ...]) -> None:
    lines, exporter = await passed(*fields)
    assert lines == list(fields)
    assert len(exporter.get_finished_spans()) == 2


@pytest.mark.parametrize("fields", [(), (f"traceparent: {PARENT}0", f"tracestate: {STATE}")])
async def test_propagate_always_tells_the_upstream_in_any_case(fields: tuple[str, ...]) -> None:
    lines, exporter = await passed(*fields, telemetry=TelemetryOptions(propagate="always"))
    assert lines == [f"traceparent: 00-{client_span(exporter)}-01"]


async def test_where_no_span_is_made_the_callers_trace_is_left_alone_and_still_read() -> None:
    told = Told()
    always = TelemetryOptions(propagate="always")
    async with recording() as (url, recorder), proxied(url, sinks=[told], telemetry=always) as proxy:
        await exchange(proxy.traffic.url, get("/v1/models", f"traceparent: {PARENT}"))
    ((head, _),) = recorder.whole
    assert f"traceparent: {PARENT}\r\n".encode() in head
    assert [f"{one.trace.trace_id:032x}" for one in told.exchanges] == [PARENT[3:35]]


async def asked_by(**settings: Any) -> tuple[list[str | None], InMemorySpanExporter]:
    """The key hashes of a request with a key, and of one without."""
    told, exporter = Told(), InMemorySpanExporter()
    async with recording() as (url, _), proxied(url, sinks=[told], exporter=exporter, **settings) as proxy:
        await exchange(proxy.traffic.url, get("/v1/models", f"Authorization: Bearer {KEY}"))
        await exchange(proxy.traffic.url, get("/v1/models"))
    return [one.key_hash for one in told.exchanges], exporter


async def test_a_key_is_told_by_its_hash_and_shown_by_its_alias() -> None:
    hashed = KeyHashes(SECRET.encode()).of(((b"Authorization", f"Bearer {KEY}".encode()),))
    aliases = TelemetryOptions(keys={hashed: "web"})
    hashes, exporter = await asked_by(hash_key=SECRET, telemetry=aliases)
    servers = [span for span in exporter.get_finished_spans() if span.kind.name == "SERVER"]
    assert hashes == [hashed, None]
    assert [span.attributes.get("wiretape.key.alias") for span in servers] == ["web", None]


async def test_the_ledger_has_the_hash_and_the_alias_of_the_key_that_created_a_run(tmp_path: Path) -> None:
    hashed = KeyHashes(SECRET.encode()).of(((b"authorization", f"Bearer {KEY}".encode()),))
    ledger, aliases = tmp_path / "wiretape.db", TelemetryOptions(keys={hashed: "web"})
    settings = {"ledger": f"sqlite:///{ledger}", "audit": LedgerOptions(open_runs=False)}
    async with proxied(hash_key=SECRET, telemetry=aliases, **settings) as proxy:
        async with ClientSession(proxy.traffic.url, headers=BETA) as client:
            assistant = await (await client.post("/v1/assistants", json={"model": "gpt-4o"})).json()
            created = await client.post("/v1/threads/runs", json={"assistant_id": assistant["id"], "thread": THREAD})
            run = await created.json()
    with closing(sqlite3.connect(ledger)) as connection:
        rows = connection.execute("select run_id, key_hash, key_alias from run").fetchall()
    assert rows == [(run["id"], hashed, "web")]
    assert KEY.encode() not in ledger.read_bytes()


async def test_without_a_secret_one_is_kept_beside_the_ledger(tmp_path: Path) -> None:
    settings = {"ledger": f"sqlite:///{tmp_path / 'wiretape.db'}"}
    (first, _), (second, _) = (await asked_by(**settings))[0], (await asked_by(**settings))[0]
    assert first == second
    assert first != (await asked_by())[0][0]
    assert "wiretape.db.hash-key" in {one.name for one in tmp_path.iterdir()}
    assert not [one for one in tmp_path.iterdir() if KEY.encode() in one.read_bytes()]


RARELY = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.0000000001"}


async def kept(exporter: InMemorySpanExporter, *requests: tuple[str, dict[str, Any]], **fields: str) -> None:
    """Make an assistant, and ask for these one after the other, through a proxy that samples next to nothing."""
    async with proxied(exporter=exporter, environ=RARELY) as proxy:
        async with ClientSession(proxy.traffic.url, headers=BETA | fields) as client:
            made = await (await client.post("/v1/assistants", json={"model": "gpt-4o"})).json()
            for path, body in requests:
                ids = {"assistant_id": made["id"]} if "thread" in body else {}
                await (await client.post(path, json=body | ids)).read()


async def test_what_went_well_and_was_not_sampled_makes_no_span() -> None:
    exporter = InMemorySpanExporter()
    await kept(exporter, ("/v1/threads", {}))
    assert exporter.get_finished_spans() == ()


async def test_what_failed_is_kept_although_it_was_not_sampled() -> None:
    exporter = InMemorySpanExporter()
    await kept(exporter, ("/v1/nowhere", {}), ("/v1/threads/runs", {"thread": THREAD}))
    told = [(span.kind.name, span.name) for span in exporter.get_finished_spans()]
    assert sorted(told) == [
        ("CLIENT", "POST"),
        ("CLIENT", "POST"),
        ("CLIENT", "invoke_agent"),
        ("SERVER", "POST /*"),
        ("SERVER", "POST /v1/threads/runs"),
    ]


async def test_what_failed_in_a_trace_that_its_caller_left_out_stays_out() -> None:
    exporter = InMemorySpanExporter()
    await kept(exporter, ("/v1/nowhere", {}), traceparent=f"{PARENT[:-2]}00")
    assert exporter.get_finished_spans() == ()


async def test_what_its_caller_sampled_is_told() -> None:
    exporter = InMemorySpanExporter()
    await kept(exporter, ("/v1/threads", {}), traceparent=PARENT)
    assert len(exporter.get_finished_spans()) == 5
