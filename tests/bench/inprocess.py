"""What a replayed request costs with VCR.py: client and player in one process, and no socket between them.

    python inprocess.py FOLDER URL SECONDS

Records one JSON answer and one stream of the upstream, plays each for so long by aiohttp's client, and prints one line
of JSON: by kind, requests and their microseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import aiohttp
import vcr
from players import JSON_TARGET, STREAM_TARGET
from work import DELTAS

BATCH = 20


async def _asked(session: aiohttp.ClientSession, url: str, body: dict[str, object] | None) -> bytes:
    async with session.request("GET" if body is None else "POST", url, json=body) as answer:
        return await answer.read()


async def _played(player: vcr.VCR, url: str, body: dict[str, object] | None, seconds: float) -> dict[str, float]:
    name = "stream" if body else "json"
    async with aiohttp.ClientSession() as session:
        with player.use_cassette(f"{name}.yaml", record_mode="once"):
            recorded = await _asked(session, url, body)
        with player.use_cassette(f"{name}.yaml", record_mode="none", allow_playback_repeats=True):
            count, begun_s, until_s = 0, time.perf_counter(), time.perf_counter() + seconds
            while time.perf_counter() < until_s:
                for _ in range(BATCH):
                    assert await _asked(session, url, body) == recorded
                count += BATCH
            events = recorded.count(b"\n\n")
            return {"requests": count, "events": events, "us": (time.perf_counter() - begun_s) / count * 1e6}


async def main(folder: str, url: str, seconds: str) -> None:
    """Play both and tell."""
    player = vcr.VCR(cassette_library_dir=folder)
    streamed: dict[str, object] = {"stream": True, "instructions": f"deltas {DELTAS} pace_us 0"}
    found = {
        "json": await _played(player, url + JSON_TARGET, None, float(seconds)),
        "stream": await _played(player, url + STREAM_TARGET, streamed, float(seconds)),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
