"""The admin listener's open routes: alive, ready, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web
from msgspec import Struct


class Health(Struct, frozen=True):
    """What the admin listener asks the proxy."""

    ready: Callable[[], bool]
    metrics: Callable[[], tuple[bytes, str]]
    """The metrics as text, and its content type; called from a thread."""


def admin(health: Health) -> web.Application:
    """Build the admin application; `/metrics` is Prometheus text."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ready\n") if health.ready() else web.Response(text="stopping\n", status=503)

    async def metrics(_: web.Request) -> web.Response:
        # In a thread: at the cap of series a scrape takes a tenth of a second, and streams share this loop.
        body, content_type = await asyncio.to_thread(health.metrics)
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app
