"""Run a proxy until a signal or a command ends it; used by `serve`, `record` and `replay`."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from wiretape.app import Outcome, Proxy
from wiretape.cassette.plan import Mode
from wiretape.config import Config

KEY = "sk-wiretape-replay-needs-no-key"
"""What a command gets as OPENAI_API_KEY in replay, where it has none of its own: it opens nothing."""


T = TypeVar("T")


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop where the platform has it."""
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415  only where it is installed

    return uvloop.run(main)


async def run(
    config: Config, command: Sequence[str], announce: Callable[[Proxy], Awaitable[None]]
) -> tuple[int, Outcome]:
    """Start, announce, wait for the command or a signal, close; gives the command's exit code and what is left."""
    proxy = await Proxy.start(config, log=sys.stderr)
    stop = _on_signals(proxy.hurry)
    try:
        await announce(proxy)
        _tell_ready(config, proxy)
        code = await _command(command, environment(proxy, os.environ), stop) if command else await _stopped(stop)
    finally:
        outcome = await proxy.close()
    return code, outcome


def environment(proxy: Proxy, environ: Mapping[str, str]) -> dict[str, str]:
    """Give a command's environment: the base URL, a key where replay needs none, loopback past any proxy."""
    ours = {"OPENAI_BASE_URL": f"{proxy.traffic.url}/v1", "NO_PROXY": _no_proxy(environ)}
    needs_none = proxy.config.mode is Mode.REPLAY or proxy.sandbox is not None
    key = {"OPENAI_API_KEY": KEY} if needs_none and not environ.get("OPENAI_API_KEY") else {}
    return {**environ, **ours, **key}


def _no_proxy(environ: Mapping[str, str]) -> str:
    known = environ.get("NO_PROXY") or environ.get("no_proxy")
    return ",".join(filter(None, (known, "127.0.0.1,localhost,::1")))


async def until_signal() -> None:
    """Wait for SIGINT or SIGTERM."""
    await _on_signals(lambda: None).wait()


def _on_signals(again: Callable[[], None]) -> asyncio.Event:
    """Set the event at the first signal; call `again` at each further one."""
    stop = asyncio.Event()

    def asked() -> None:
        if stop.is_set():
            again()
        else:
            click.echo("wiretape: draining; a second signal ends it at once", err=True)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked)
    return stop


async def _stopped(stop: asyncio.Event) -> int:
    await stop.wait()
    return 0


async def _command(command: Sequence[str], environ: Mapping[str, str], stop: asyncio.Event) -> int:
    try:
        child = await asyncio.create_subprocess_exec(*command, env=environ)
    except OSError as error:
        click.echo(f"wiretape: cannot run {command[0]}: {error.strerror}", err=True)
        return 2
    ended, asked = asyncio.ensure_future(child.wait()), asyncio.ensure_future(stop.wait())
    await asyncio.wait((ended, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not ended.done():
        child.terminate()
    code = await ended
    return code if code >= 0 else 128 - code  # a signal, as shells count it


def _tell_ready(config: Config, proxy: Proxy) -> None:
    if config.ready_file is not None:
        addresses = {"traffic": proxy.traffic.url, "admin": proxy.admin.url}
        part = Path(f"{config.ready_file}.part")
        part.write_bytes(msgspec.json.encode(addresses) + b"\n")
        part.replace(config.ready_file)  # a reader never sees half of it
