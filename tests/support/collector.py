"""An OTLP collector: a real server that keeps what was exported, parsed by the official protobuf types."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import grpc
from aiohttp import web
from aiohttp.test_utils import TestServer
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource


class Collector:
    """What arrived, flat: spans and metrics as protobuf messages, and the resources they came from."""

    def __init__(self) -> None:
        self.url = ""
        self.raw: list[bytes] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        """Path and fields of each request; names in lower case."""
        self._came = asyncio.Event()
        self.spans: list = []
        self.metrics: list = []
        self.resources: list[dict[str, str]] = []

    async def asked_times(self, count: int) -> None:
        """Wait until so many requests have come, over HTTP."""
        while len(self.asked) < count:
            self._came.clear()
            await self._came.wait()

    async def traces(self, request: web.Request) -> web.Response:
        self.take_spans(ExportTraceServiceRequest.FromString(await self._body(request)))
        return web.Response()

    async def metrics_(self, request: web.Request) -> web.Response:
        self.take_metrics(ExportMetricsServiceRequest.FromString(await self._body(request)))
        return web.Response()

    def take_spans(self, exported: ExportTraceServiceRequest) -> None:
        for group in exported.resource_spans:
            self._resource(group.resource)
            self.spans.extend(span for scope in group.scope_spans for span in scope.spans)

    def take_metrics(self, exported: ExportMetricsServiceRequest) -> None:
        for group in exported.resource_metrics:
            self._resource(group.resource)
            self.metrics.extend(metric for scope in group.scope_metrics for metric in scope.metrics)

    async def _body(self, request: web.Request) -> bytes:
        body = await request.read()
        self.raw.append(body)
        self.asked.append((request.path, {name.lower(): value for name, value in request.headers.items()}))
        self._came.set()
        return body

    def _resource(self, resource: Resource) -> None:
        self.resources.append({item.key: item.value.string_value for item in resource.attributes})


@asynccontextmanager
async def a_collector(tls: ssl.SSLContext | None = None) -> AsyncIterator[Collector]:
    """A collector on a free loopback port; paths may have anything before the usual ones."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/{before:.*}v1/traces", collector.traces)
    app.router.add_post("/{before:.*}v1/metrics", collector.metrics_)
    server = TestServer(app, host="127.0.0.1", scheme="https" if tls else "http")
    await server.start_server(ssl=tls)
    try:
        collector.url = f"{server.scheme}://127.0.0.1:{server.port}"
        yield collector
    finally:
        await server.close()


class _Service:
    """One of the two services of OTLP."""

    def __init__(self, kind: str, collector: Collector, take: Callable[[Message], None], answer: Message) -> None:
        self._kind = kind
        self._collector = collector
        self._take = take
        self._answer = answer

    def Export(self, request: Message, context: grpc.ServicerContext) -> Message:  # noqa: N802  gRPC's name
        self._collector.asked.append((self._kind, dict(context.invocation_metadata())))
        self._take(request)
        return self._answer


@contextmanager
def a_grpc_collector() -> Iterator[Collector]:
    """The same by gRPC, with threads of its own."""
    collector = Collector()
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        traces = _Service("traces", collector, collector.take_spans, ExportTraceServiceResponse())
        metrics = _Service("metrics", collector, collector.take_metrics, ExportMetricsServiceResponse())
        trace_grpc.add_TraceServiceServicer_to_server(traces, server)
        metrics_grpc.add_MetricsServiceServicer_to_server(metrics, server)
        collector.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield collector
        finally:
            server.stop(None).wait()
