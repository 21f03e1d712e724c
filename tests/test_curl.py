"""`curl -N`, which is what a newcomer types first: through the proxy and straight, the same bytes."""

import asyncio
import json
import shutil
import subprocess

import pytest

from support.proxied import proxied
from support.scenarios import HEADERS as OURS
from support.scenarios import WEATHER, asking, sandboxed

HEADERS = (f"Authorization: {OURS['Authorization']}", "OpenAI-Beta: assistants=v2", "Content-Type: application/json")


async def curled(url: str, body: object) -> bytes:
    words = [word for field in HEADERS for word in ("-H", field)]
    process = await asyncio.create_subprocess_exec(
        "curl", "-sN", "--noproxy", "*", url, *words, "-d", json.dumps(body), stdout=subprocess.PIPE
    )
    got, _ = await process.communicate()
    assert process.returncode == 0
    return got


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("words", ["Hello!", "What is the weather in Oslo?"])
async def test_curl_gets_the_same_bytes_through_the_proxy_and_straight(words: str) -> None:
    async def streamed(*, through: bool) -> bytes:
        async with sandboxed() as straight, proxied(straight) as proxy:
            async with asking(straight) as (ask, _):
                made = await ask("POST", "/v1/assistants", {"model": "m", "tools": [WEATHER]})
            thread = {"messages": [{"role": "user", "content": words}]}
            body = {"assistant_id": made.json()["id"], "stream": True, "thread": thread}
            return await curled(f"{proxy.traffic.url if through else straight}/v1/threads/runs", body)

    got = await streamed(through=True)
    assert got == await streamed(through=False)
    assert got.startswith(b"event: thread.created\n")
    assert got.endswith(b"event: done\ndata: [DONE]\n\n")
