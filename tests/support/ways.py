"""One conversation three ways: straight to a sandbox, through a recording proxy, and from what was recorded."""

import asyncio
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from support.proxied import proxied
from support.scenarios import sandboxed
from support.sdk import KEY
from wiretape.app import Outcome
from wiretape.cassette.plan import Mode

_ID = re.compile(r"\b(asst|thread|run|step|msg|call|file|vs|vsfb|req)[_-][A-Za-z0-9]{20,}")
_TIME = re.compile(r'"(\w+_at)": \d+')

WALK_S = 60.0
"""A journey takes two seconds; a helper that polls for ever is ended."""

Command = Sequence[str]


class Ways(Struct, frozen=True):
    """What a journey told each way; `outcome` is the replaying proxy's."""

    straight: Any
    recorded: Any
    replayed: Any
    outcome: Outcome


def walk_all(journeys: Mapping[str, Command], folder: Path) -> dict[str, Ways]:
    """Walk every journey three ways, the journeys side by side."""

    async def together() -> dict[str, Ways]:
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(_three_ways(command, folder / name)) for name, command in journeys.items()}
        return {name: task.result() for name, task in tasks.items()}

    return asyncio.run(together())


async def _three_ways(command: Command, home: Path) -> Ways:
    """Each sandbox is new, with the same seed and a clock that goes by looks: the same requests get the same bytes."""
    home.mkdir()
    stem = str(home / "journey")
    async with sandboxed() as url:
        straight = await _walk(command, url, home)
    async with sandboxed() as url, proxied(url, mode=Mode.RECORD, cassette=(stem,)) as proxy:
        recorded = await _walk(command, proxy.traffic.url, home)
    async with proxied(mode=Mode.REPLAY, cassette=(stem,)) as proxy:
        replayed = await _walk(command, proxy.traffic.url, home)
        outcome = await proxy.close()
    return Ways(straight, recorded, replayed, outcome)


async def _walk(command: Command, url: str, home: Path) -> Any:
    """Run a journey to its end; it must be silent but for its one document."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": KEY},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), WALK_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    ended = f"exit code {process.returncode}\n{err.decode()}"
    assert ended == "exit code 0\n"
    return json.loads(out)


def discrepancies(ways: Ways) -> list[str]:
    """Tell where the three ways part, and what was not or could not be replayed."""
    recorded = [f"recorded {one}" for one in differences(ways.straight, ways.recorded)]
    replayed = [f"replayed {one}" for one in differences(ways.straight, ways.replayed)]
    refused = [f"{ways.outcome.refused} requests refused"] if ways.outcome.refused else []
    return [*recorded, *replayed, *refused, *ways.outcome.unplayed]


def differences(one: Any, other: Any, path: str = "$") -> Iterator[str]:
    """Tell where two documents differ: a diff of all their lines would take minutes."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from differences(one[name], other[name], f"{path}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{path}[{index}]")
    elif one != other:
        yield f"{path}: {str(one)[:200]} | {str(other)[:200]}"


def comparable(told: Any) -> Any:
    """Give a document with ids by order of appearance and without times, for two that began at different times."""
    known: dict[str, str] = {}
    text = _ID.sub(lambda found: known.setdefault(found[0], f"{found[1]} {len(known) + 1}"), json.dumps(told))
    return json.loads(_TIME.sub(r'"\1": 0', text))


def highlights(told: Any) -> dict[str, Any]:
    """Give what a person would look for first: that the chapters were walked, and what came of them."""
    assistants, text, tools, fates = told["assistants"], told["text"], told["tools"], told["fates"]
    files = told["library"]
    return {
        "up": [one["name"] for one in assistants["up"]],
        "down": [one["name"] for one in assistants["down"]],
        "page": [one["name"] for one in assistants["page"]],
        "thread": [one["content"][0]["text"]["value"] for one in told["threads"]["up"]],
        "text": text["heard"]["messages"][0]["content"][0]["text"]["value"][:6],
        "text runs": [one["status"] for one in text["runs"]],
        "usage": [text["polled"]["usage"]["total_tokens"] > 0, text["heard"]["run"]["usage"]["total_tokens"] > 0],
        "tool runs": [one["status"] for one in (tools["asked"]["run"], tools["waits"], tools["polled"])],
        "tool answer": "22" in tools["answered"]["messages"][0]["content"][0]["text"]["value"],
        "tool steps": [one["type"] for one in tools["steps"]],
        "together": [told["together"]["raw"][0]["event"], told["together"]["polled"]["status"]],
        "fates": [fate["run"]["status"] for fate in fates.values() if "run" in fate],
        "bounded": told["bounded"]["events"][-1]["data"]["status"],
        "stalled": [fates[name]["status"] for name in ("stalled", "cancelling", "cancelled")],
        "files": [files["kept"]["status"], files["batch"]["status"], files["run"]["status"]],
        "cited": "called Ada" in files["messages"][0]["content"][0]["text"]["value"],
    }


HIGHLIGHTS = {
    "up": ["No. 0", "No. 1", "No. 2", "No. 3", "No. 4"],
    "down": ["No. 4", "No. 3", "No. 2", "No. 1", "No. 0"],
    "page": ["No. 0"],
    "thread": ["One", "Two", "Three"],
    "text": "Hello!",
    "text runs": ["completed"] * 4,
    "usage": [True, True],
    "tool runs": ["requires_action", "requires_action", "completed"],
    "tool answer": True,
    "tool steps": ["tool_calls", "message_creation"],
    "together": ["thread.created", "completed"],
    "fates": ["failed", "expired"],
    "bounded": "incomplete",
    "stalled": ["queued", "cancelling", "cancelled"],
    "files": ["completed"] * 3,
    "cited": True,
}
