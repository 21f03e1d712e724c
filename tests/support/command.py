"""The command `wiretape`, run as its users run it: a process of its own, an empty home, a clean environment."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct


class Ran(Struct, frozen=True):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def environment(home: Path, **more: str) -> dict[str, str]:
    """Build what a stranger's shell has: a path and an empty home; coverage finds its way in if it is on."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(("COVERAGE", "COV_"))}
    return {"PATH": os.environ["PATH"], "HOME": str(home), **passed, **more}


async def wiretape(*words: str, cwd: Path, **more: str) -> Ran:
    """Run the command to its end."""
    process = await start(words, cwd, more)
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def running(
    *words: str, cwd: Path, listen: str = "127.0.0.1:0", stderr: int = asyncio.subprocess.PIPE, **more: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, str]]]:
    """Run a command that listens; gives its process and the addresses it is ready at."""
    ready = cwd / "ready.json"
    ready.unlink(missing_ok=True)
    asked = ("--listen", listen, "--admin", "127.0.0.1:0", "--ready-file", str(ready))
    process = await start((*words, *asked), cwd, more, stderr)
    try:
        async with asyncio.timeout(30):
            while not ready.exists() and process.returncode is None:  # noqa: ASYNC110  another process's file
                await asyncio.sleep(0.02)
        yield process, json.loads(ready.read_text())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def start(
    words: tuple[str, ...], cwd: Path, more: dict[str, str], stderr: int = asyncio.subprocess.PIPE
) -> asyncio.subprocess.Process:
    """Start the command; whoever asked ends it."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "wiretape",
        *words,
        cwd=cwd,
        env=environment(cwd, **more),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )
