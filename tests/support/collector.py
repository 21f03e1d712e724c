"""An OTLP collector: a real HTTP server that keeps what was exported, parsed by the official protobuf types."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource


class Collector:
    """What arrived, flat: spans and metrics as protobuf messages, and the resources they came from."""

    def __init__(self) -> None:
        self.url = ""
        self.raw: list[bytes] = []
        self.spans: list = []
        self.metrics: list = []
        self.resources: list[dict[str, str]] = []

    async def traces(self, request: web.Request) -> web.Response:
        for group in ExportTraceServiceRequest.FromString(await self._body(request)).resource_spans:
            self._resource(group.resource)
            self.spans.extend(span for scope in group.scope_spans for span in scope.spans)
        return web.Response()

    async def metrics_(self, request: web.Request) -> web.Response:
        for group in ExportMetricsServiceRequest.FromString(await self._body(request)).resource_metrics:
            self._resource(group.resource)
            self.metrics.extend(metric for scope in group.scope_metrics for metric in scope.metrics)
        return web.Response()

    async def _body(self, request: web.Request) -> bytes:
        body = await request.read()
        self.raw.append(body)
        return body

    def _resource(self, resource: Resource) -> None:
        self.resources.append({item.key: item.value.string_value for item in resource.attributes})


@asynccontextmanager
async def a_collector() -> AsyncIterator[Collector]:
    """A collector on a free loopback port."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.traces)
    app.router.add_post("/v1/metrics", collector.metrics_)
    async with TestServer(app, host="127.0.0.1") as server:
        collector.url = f"http://127.0.0.1:{server.port}"
        yield collector
