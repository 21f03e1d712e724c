"""Run a proxy until a signal or a command ends it; used by `serve`, `record` and `replay`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import os
import select
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
import msgspec

from wiretape.app import Outcome, Proxy
from wiretape.cassette.plan import Mode
from wiretape.config import Config
from wiretape.edge.address import Address, UnixAddress, parse_address
from wiretape.errors import ConfigError, UsageError
from wiretape.taped import no_proxy

_LOOPBACKS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what a child is told instead of a wildcard
KEY = "sk-wiretape-replay-needs-no-key"
"""What a command gets as OPENAI_API_KEY in replay, where it has none of its own: it opens nothing."""


TOLD_WITHIN_S = 1.0
"""Seconds that a full pipe has to take what is told at the end."""

T = TypeVar("T")


def tell(text: str, within_s: float = TOLD_WITHIN_S) -> None:
    """Say it on stderr, if anybody reads that: a pipe that is full or closed must hold up no stream and no exit."""
    with contextlib.suppress(OSError):
        if _has_room(within_s):
            click.echo(text, err=True)


def _has_room(within_s: float) -> bool:
    with contextlib.suppress(OSError, ValueError):  # no descriptor, or one that cannot be asked
        return bool(select.select([], [sys.stderr.fileno()], [], within_s)[1])
    return True


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
    _check_command(command, config.listen)
    with _ready_file(config.ready_file) as tell_ready:
        proxy = await Proxy.start(config, log=sys.stderr)
        asyncio.get_running_loop().set_exception_handler(proxy.loop_errors)
        signals = Signals(proxy.hurry)
        try:
            await announce(proxy)
            with _start_out_of_sight():
                tell_ready(proxy)
                code = await _until_over(proxy, command, signals)
        finally:
            outcome = await proxy.close()
    return code, outcome


async def _until_over(proxy: Proxy, command: Sequence[str], signals: Signals) -> int:
    return await _command(command, environment(proxy, os.environ), signals) if command else await signals.wait()


@contextmanager
def _start_out_of_sight() -> Iterator[None]:
    """Keep what the start has made from the garbage collector: to look it all through stops traffic for 35 ms."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class Signals:
    """SIGINT and SIGTERM: the first asks to stop, a further one calls `again`."""

    def __init__(self, *again: Callable[[], None]) -> None:
        self.first: int | None = None
        self.again = list(again)
        self._came = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._take, number)

    async def wait(self) -> int:
        """Wait for the first signal; gives the exit code 0."""
        await self._came.wait()
        return 0

    def _take(self, number: int) -> None:
        if self.first is not None:
            for call in self.again:
                call()
            return
        self.first = number
        self._came.set()
        tell("wiretape: draining; a second signal ends it at once", within_s=0)


def environment(proxy: Proxy, environ: Mapping[str, str]) -> dict[str, str]:
    """Give a command's environment: the base URL, a key where replay needs none, loopback past any proxy."""
    address = proxy.traffic.address
    assert not isinstance(address, UnixAddress)  # noqa: S101  refused before the start
    reached = Address(_LOOPBACKS.get(address.host, address.host), address.port)
    scheme = urlsplit(proxy.traffic.url).scheme
    direct = no_proxy(environ)
    ours = {"OPENAI_BASE_URL": f"{scheme}://{reached}/v1", "NO_PROXY": direct, "no_proxy": direct}
    needs_none = proxy.config.mode is Mode.REPLAY or proxy.sandbox is not None
    asked = proxy.config.sandbox.api_key if proxy.sandbox is not None else None
    key = {"OPENAI_API_KEY": asked or KEY} if needs_none and not environ.get("OPENAI_API_KEY") else {}
    return {**environ, **ours, **key}


def _check_command(command: Sequence[str], listen: str) -> None:
    """Find a mistyped command before anything is recorded, or recorded over; raises UsageError."""
    if command and isinstance(parse_address(listen), UnixAddress):
        raise UsageError("a command is given a base URL, which no unix socket has: use --listen 127.0.0.1:0")
    if command and shutil.which(command[0]) is None:
        raise UsageError(f"cannot run {command[0]}: there is no such command")


async def _command(command: Sequence[str], environ: Mapping[str, str], signals: Signals) -> int:
    child = await asyncio.create_subprocess_exec(*command, env=environ)
    signals.again.append(child.kill)
    ended, asked = asyncio.ensure_future(child.wait()), asyncio.ensure_future(signals.wait())
    await asyncio.wait((ended, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    # A terminal sends SIGINT to the child as well: it is let clean up in peace.
    if not ended.done() and signals.first == signal.SIGTERM:
        child.terminate()
    code = await ended
    signals.again.remove(child.kill)
    return code if code >= 0 else 128 - code  # a signal, as shells count it


@contextmanager
def _ready_file(name: str | None) -> Iterator[Callable[[Proxy], None]]:
    """Write the addresses when told, in one piece, and take the file away at the end; raises ConfigError."""
    if name is None:
        yield lambda _: None
        return
    path, part = Path(name), Path(f"{name}.part")
    written: list[Path] = []

    def tell(proxy: Proxy) -> None:
        written.append(path)
        part.write_bytes(msgspec.json.encode({"traffic": proxy.traffic.url, "admin": proxy.admin.url}) + b"\n")
        part.replace(path)

    try:
        part.touch()
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot write the ready file {name!r}: {error}") from error
    try:
        yield tell
    finally:
        # Another proxy may have written one of that name: only our own goes.
        for file in (part, *written):
            file.unlink(missing_ok=True)
