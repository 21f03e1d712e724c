"""A proxy as one writes it in an afternoon with aiohttp: an Application, a ClientSession, the body read whole.

python tests/bench/naive.py UPSTREAM_URL READY_FILE
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiohttp import ClientSession, web

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length"}
SESSION = web.AppKey("session", ClientSession)
BODY_BYTES_MAX = 1 << 30


async def forward(request: web.Request) -> web.StreamResponse:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in {*HOP_BY_HOP, "host"}}
    url = sys.argv[1] + request.path_qs
    body = await request.read()
    async with request.app[SESSION].request(request.method, url, headers=headers, data=body) as answer:
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        response = web.StreamResponse(status=answer.status, headers=kept)
        await response.prepare(request)
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
        return response


async def main() -> None:
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.router.add_route("*", "/{tail:.*}", forward)
    async with ClientSession() as app[SESSION]:
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        Path(sys.argv[2]).write_text(str(runner.addresses[0][1]), "utf-8")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
