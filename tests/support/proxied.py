"""A whole proxy in front of a test's upstream, on free ports, without a ledger unless one is asked for."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TextIO

from opentelemetry.sdk.trace.export import SpanExporter

from wiretape.app import Proxy
from wiretape.config import Config
from wiretape.edge.upstream import EngineName
from wiretape.runs.report import Sink

ENGINE: EngineName = "fast"
"""What the proxies speak to upstreams by; a module whose tests must hold for both engines sets it for each."""


@asynccontextmanager
async def proxied(
    upstream: Any = "sandbox",
    *,
    exporter: SpanExporter | None = None,
    log: TextIO | None = None,
    sinks: Sequence[Sink] = (),
    environ: Mapping[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[Proxy]:
    """Run a proxy; it is closed at the end, unless the test has done so."""
    ours = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "ledger": "none", "drain_s": 0.0, "engine": ENGINE}
    proxy = await Proxy.start(
        Config(upstream=upstream, **{**ours, **settings}),
        environ=environ or {},
        exporter=exporter,
        log=log,
        sinks=sinks,
    )
    try:
        yield proxy
    finally:
        if not proxy.closed:
            await proxy.close()
