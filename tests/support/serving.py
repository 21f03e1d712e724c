"""The sandbox in a thread of its own, for clients that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp.test_utils import TestServer

from wiretape.sandbox.server import application
from wiretape.sandbox.state import Sandbox


@contextmanager
def served(sandbox: Sandbox) -> Iterator[str]:
    """Serve on a free loopback port; gives the base URL that an SDK takes."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(_started(sandbox), loop).result()
        try:
            yield str(server.make_url("/v1"))
        finally:
            asyncio.run_coroutine_threadsafe(server.close(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _started(sandbox: Sandbox) -> TestServer:
    server = TestServer(application(sandbox))
    await server.start_server()
    return server
