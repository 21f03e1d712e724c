"""Traffic of every kind through whole proxies, and all that they send of it: spans, metrics, log lines."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from structlog.typing import FilteringBoundLogger

from support.proxied import proxied
from support.raw import Connection, exchange, serving
from support.reports import a_correction, a_run, an_exchange
from support.scenarios import SCENARIOS, Ask, asking, sandboxed, text_run, tool_run
from support.telemetry import PEERS, gauges
from wiretape.app import Proxy
from wiretape.runs.prices import PriceOptions
from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.fanout import Fanout
from wiretape.telemetry.log import LogSink, line_logger
from wiretape.telemetry.options import TelemetryOptions
from wiretape.telemetry.setup import telemetry

TORN = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:\r\n"
HEAD = b" HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\nOpenAI-Beta: assistants=v2\r\nConnection: close\r\n"
POST = b"POST /v1/threads/thread_1/runs" + HEAD + b"Content-Length: 2\r\n\r\n{}"
AGENT = b'{"id":"asst_1","object":"assistant","model":"gpt-4o-mini","name":"Torn"}'
TORN_AGENT = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n" + AGENT
LATEST_NAMES = {
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
}
LONG_S = 30.0
HeadingOf = Callable[[ReadableSpan], str]


class Sent:
    """All that was sent; spans by the heading that tells of their like."""

    def __init__(self, heading_of: HeadingOf) -> None:
        self._heading_of = heading_of
        self.attributes: dict[str, set[str]] = defaultdict(set)
        self.links: dict[str, set[str]] = defaultdict(set)
        self.resource: set[str] = set()
        self.fields: dict[str, set[str]] = defaultdict(set)
        """By event."""
        self.samples: list[Sample] = []

    def spans(self, exporter: InMemorySpanExporter) -> None:
        """Take what an exporter was given."""
        for span in exporter.get_finished_spans():
            heading = self._heading_of(span)
            self.attributes[heading] |= set(span.attributes or ())
            self.links[heading] |= {name for link in span.links for name in link.attributes or ()}
            self.resource |= set(span.resource.attributes)

    def lines(self, stream: StringIO) -> None:
        """Take the lines of a log."""
        for line in map(json.loads, stream.getvalue().splitlines()):
            self.fields[line["event"]] |= set(line)

    def scrape(self, text: str) -> None:
        """Take what Prometheus would."""
        self.samples += [one for family in text_string_to_metric_families(text) for one in family.samples]


@asynccontextmanager
async def seen(sent: Sent, upstream: Any, **settings: Any) -> AsyncIterator[Proxy]:
    """A proxy whose spans, lines and metrics are gathered."""
    exporter, log = InMemorySpanExporter(), StringIO()
    async with proxied(upstream, exporter=exporter, log=log, **settings) as proxy:
        yield proxy
        await asyncio.to_thread(proxy._fanout.close, LONG_S)
        async with aiohttp.ClientSession() as session, session.get(f"{proxy.admin.url}/metrics") as got:
            sent.scrape(await got.text())
    sent.spans(exporter)
    sent.lines(log)


async def all_that_is_sent(heading_of: HeadingOf, folder: Path) -> Sent:
    """What traffic of every kind sends, and what is said of sinks that fail."""
    found = Sent(heading_of)
    for profile in v.PROFILES:
        await _converse(found, profile)
    async with (
        sandboxed() as url,
        seen(found, url, environ=LATEST_NAMES) as proxy,
        asking(proxy.traffic.url) as (ask, _),
    ):
        await text_run(ask)
    await _replay(found, str(folder / "talk"))
    await _fail(found)
    await _complain(found)
    return found


async def _converse(found: Sent, profile: str) -> None:
    """Every conversation of the golden cassettes, live."""
    prices = (PriceOptions(model="gpt-4o-mini", input=Decimal(1), output=Decimal(2)),) if profile == "otel" else ()
    options = TelemetryOptions(profile=profile)  # type: ignore[arg-type]  # a word of PROFILES
    for scenario in SCENARIOS.values():
        async with (
            sandboxed() as url,
            seen(found, url, telemetry=options, price=prices) as proxy,
            asking(proxy.traffic.url) as (ask, _),
        ):
            await scenario(ask)


async def _replay(found: Sent, cassette: str) -> None:
    """A recording, what plays it, and a miss."""
    async with sandboxed() as url, seen(found, url, mode="record", cassette=(cassette,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await tool_run(ask)
    async with seen(found, "sandbox", mode="replay", cassette=(cassette,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await tool_run(ask)
            await text_run_that_misses(ask)


async def text_run_that_misses(ask: Ask) -> None:
    with pytest.raises(KeyError):
        await text_run(ask)


async def _fail(found: Sent) -> None:
    """Answers that are torn, a refusal, a connection refused, a run whose caller brings a trace of its own."""

    async def torn(connection: Connection) -> None:
        head, _ = await connection.request()
        await connection.send(TORN_AGENT if b"/assistants" in head else TORN)

    async with serving(torn) as url, seen(found, url) as proxy:
        await exchange(proxy.traffic.url, POST)
        await exchange(proxy.traffic.url, POST.replace(b"threads/thread_1/runs", b"assistants"))
        await exchange(proxy.traffic.url, POST.replace(b"Host: h", b"Host: h\r\nUpgrade: x\r\nConnection: upgrade", 1))
        await exchange(proxy.traffic.url, b"\x00\r\n\r\n")
        try:
            _ = 1 / 0
        except ZeroDivisionError as error:
            proxy.relay.broken(error)
            proxy.loop_errors(asyncio.get_running_loop(), {"exception": error, "message": "as of nobody's task"})
    async with sandboxed() as url, seen(found, url) as proxy:
        await _traced(proxy)


async def _traced(proxy: Proxy) -> None:
    """A run that is read and cancelled in traces of the caller's own."""
    async with asking(proxy.traffic.url) as (ask, _):
        assistant = (await ask("POST", "/v1/assistants", {"model": "gpt-4o-mini"})).json()["id"]
        body = {"assistant_id": assistant, "thread": {"messages": [{"role": "user", "content": "Hi"}]}}
        run = (await ask("POST", "/v1/threads/runs", body)).json()
        where = f"/v1/threads/{run['thread_id']}/runs/{run['id']}".encode()
        for asked in (b"GET " + where, b"POST " + where + b"/cancel"):
            trace = b"traceparent: 00-%032x-%016x-01\r\nContent-Length: 0\r\n\r\n" % (7, 9)
            await exchange(proxy.traffic.url, asked + HEAD + trace)


async def _complain(found: Sent) -> None:
    """What is said of sinks, exporters and the loop that fail, and of figures that come late."""
    log = StringIO()
    logger = line_logger(log)
    bad = Mock(spec=["name", "exchange", "run", "correction", "close"])
    bad.name, bad.exchange.side_effect = "bad", ZeroDivisionError
    fanout = Fanout([bad, LogSink(logger)], TelemetryOptions(), logger)
    for _ in range(2):
        fanout.exchange(an_exchange(upstream_request_id="req_1", upstream_processing_ms=1))
    fanout.run(a_run(cassette="talk", outcome="failed", error="server_error"))
    fanout.correction(a_correction(error="server_error"))
    fanout.close(LONG_S)
    await asyncio.to_thread(_complain_of_export, logger)
    found.lines(log)


def _complain_of_export(logger: FilteringBoundLogger) -> None:
    """A collector that refuses, and an exporter that raises as it ends."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1")
        environment.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
        environ = {"OTEL_TRACES_EXPORTER": "otlp"}
        built = telemetry(TelemetryOptions(), gauges(), logger, peers=PEERS, environ=environ)
    for sink in built.sinks:
        sink.exchange(an_exchange())
    built._end("spans", Mock(side_effect=ZeroDivisionError))
    built.shutdown(LONG_S)
