"""Run all benchmarks and write tests/bench/RESULTS.md, with the machine and the command (`make bench`)."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import decoder
import relay

import sandbox

TARGET = Path(__file__).with_name("RESULTS.md")
PARTS = ("aiohttp", "uvloop", "msgspec", "openai")
PAGE = """\
# Results

Written by `make bench` on {day}: {machine}, {cores} cores, Python {python}, {parts}.
The machine is a shared virtual one: read rows against each other, not against another day's.

## Decoder

{events} events of a text run, one read for each event; the best of the rounds.

{decoding}

## Relay

{rounds} interleaved rounds, medians. JSON: {json_bytes} bytes over {connections} connections. Streams: {streams} at
once, {deltas} deltas each, as fast as they go. Telemetry is on in every Wiretape row. The load is one asyncio process:
`direct` shows what the load can ask, not what a server can answer.

{relaying}

## Sandbox

{sandbox_streams} streams at once of {sandbox_deltas} deltas each, {sandbox_rounds} rounds, medians; the server is
pinned to one core, the load to another. The relay above has an upstream of its own: there an event is
a copy of bytes.

{sandboxing}
"""


def page(
    decoding: Sequence[dict[str, Any]], relaying: Sequence[dict[str, Any]], sandboxing: Sequence[dict[str, Any]]
) -> str:
    """Render the page."""
    return PAGE.format(
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=platform.machine(),
        cores=os.cpu_count(),
        python=platform.python_version(),
        parts=", ".join(f"{name} {version(name)}" for name in PARTS),
        events=len(decoder.stream()),
        decoding="\n".join(_table(decoding)),
        rounds=relay.ROUNDS,
        json_bytes=relay.JSON_BYTES,
        connections=relay.CONNECTIONS,
        streams=relay.STREAMS,
        deltas=relay.DELTAS,
        relaying="\n".join(_table(relaying)),
        sandbox_streams=sandbox.STREAMS,
        sandbox_deltas=sandbox.DELTAS,
        sandbox_rounds=sandbox.ROUNDS,
        sandboxing="\n".join(_table(sandboxing)),
    )


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "| " + " | ".join(rows[0]) + " |"
    yield "| " + " | ".join("---" for _ in rows[0]) + " |"
    yield from ("| " + " | ".join(map(str, row.values())) + " |" for row in rows)


if __name__ == "__main__":
    TARGET.write_text(page(decoder.rows(), asyncio.run(relay.measure()), asyncio.run(sandbox.measure())), "utf-8")
    print(TARGET.read_text("utf-8"))  # noqa: T201  a script speaks to its caller
