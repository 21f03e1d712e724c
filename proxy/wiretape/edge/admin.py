"""The admin listener: alive, ready and metrics for everybody; state and sessions for whom the guard admits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from msgspec import Struct

from wiretape.edge.guard import LOCALHOST, RULES, Asked, Guard, Rule
from wiretape.edge.refusal import refusal
from wiretape.edge.session_api import SessionApi
from wiretape.errors import WiretapeError

ADMIN_BODY_MAX = 64 << 10
"""Bytes of a request's body; a longer one is answered 413."""
_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Health(Struct, frozen=True):
    """What the admin listener asks the proxy."""

    ready: Callable[[], bool]
    metrics: Callable[[str], tuple[bytes, str]]
    """The metrics as text, and its content type, by the field `Accept`; called from a thread."""
    state: Callable[[], dict[str, Any]]
    """What `/api/state` shows, for JSON."""
    sessions: SessionApi


def admin(health: Health, guard: Guard) -> web.Application:
    """Build the admin application; no GET changes anything. `/metrics` is Prometheus text, or OpenMetrics."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ready\n") if health.ready() else web.Response(text="stopping\n", status=503)

    async def metrics(request: web.Request) -> web.Response:
        # In a thread: at the cap of series a scrape takes a tenth of a second, and streams share this loop.
        accept = ",".join(request.headers.getall("Accept", ()))
        body, content_type = await asyncio.to_thread(health.metrics, accept)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def state(_: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(health.state()), content_type="application/json")

    app = web.Application(middlewares=[_guarded(guard)], client_max_size=ADMIN_BODY_MAX)
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    app.add_routes([web.get("/api/state", state), *health.sessions.routes])
    return app


def _guarded(guard: Guard) -> Middleware:
    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        # A path that leads nowhere is guarded too: who may not ask does not learn what there is.
        resource = request.match_info.route.resource
        if resource is not None and RULES.get(resource.canonical) is Rule.OPEN:
            return await handler(request)
        try:
            guard.check(_asked(request))
            response = await handler(request)
        except WiretapeError as error:
            return _refused(error)
        response.headers.update(_PRIVATE)
        return response

    return admit


def _asked(request: web.Request) -> Asked:
    def every(name: str) -> tuple[str, ...]:
        return tuple(request.headers.getall(name, ()))

    sockname = request.transport.get_extra_info("sockname") if request.transport else None
    local = sockname[0] if isinstance(sockname, tuple) else LOCALHOST
    return Asked(every("Host"), every("Origin"), every("Sec-Fetch-Site"), every("Authorization"), local)


def _refused(error: WiretapeError) -> web.Response:
    head, body = refusal(error, time.monotonic_ns())
    fields = {name.decode(): value.decode() for name, value in head.headers}
    return web.Response(body=body, status=head.status, headers={**_PRIVATE, **fields})
