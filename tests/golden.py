"""Record the golden cassettes anew (`make golden`), and write down what is expected of each beside it."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parent))

from support.golden import FOLDER, expected
from support.proxied import proxied
from support.scenarios import SCENARIOS, Scenario, asking, sandboxed
from wiretape.cassette.plan import Mode


async def record(name: str, scenario: Scenario) -> None:
    """Record one conversation, then replay it and write what its exchanges and runs came to."""
    stem = str(FOLDER / name)
    async with sandboxed() as url, proxied(url, mode=Mode.REWRITE, cassette=(stem,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await scenario(ask)
    write(FOLDER / f"{name}.expected.json", await expected(stem, scenario))


def write(path: Path, value: Any) -> None:
    """Write JSON for people to review."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value)) + b"\n")


async def main() -> None:
    """Record them all."""
    for name, scenario in SCENARIOS.items():
        await record(name, scenario)
        print(f"cassettes/{name}.tape.jsonl")  # noqa: T201  a script speaks to its caller


if __name__ == "__main__":
    asyncio.run(main())
