"""The addresses of a name, tried one beside the other (RFC 8305): one that leads nowhere costs a quarter of a second.

What races is `create_connection` as a whole, TLS included: a socket connected by itself and handed over would leak
where the handover is cancelled, on uvloop.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from itertools import chain, zip_longest
from typing import Any

from wiretape.edge.engines.connection import Connection

Address = tuple[str, int]
Connect = Callable[[Address], Coroutine[Any, Any, Connection]]


async def addresses(host: str, port: int) -> list[Address]:
    """Resolve a name: the families in turns, in the resolver's order (RFC 8305 section 4). Raises OSError."""
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return [(host, port)]  # asyncio would ask a thread for it
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families: dict[int, list[Address]] = {}
    for family, _, _, _, at in found:
        families.setdefault(family, []).append((str(at[0]), int(at[1])))
    turns = chain.from_iterable(zip_longest(*families.values()))
    return list(dict.fromkeys(at for at in turns if at is not None))


class Race:
    """One connect to whichever address answers first; the others are given up and closed."""

    def __init__(self, connect: Connect, stagger_s: float) -> None:
        self._connect = connect
        self._stagger_s = stagger_s
        self._running: set[asyncio.Task[Connection]] = set()
        self.failures: list[str] = []
        """What became of each address that failed, in the order of failing."""

    async def run(self, among: Sequence[Address]) -> Connection:
        """Start one after the other: when the one before has failed, or after `stagger_s`. Raises OSError."""
        try:
            for at in among:
                self._start(at)
                if (connection := await self._first(self._stagger_s)) is not None:
                    return connection
            while self._running:
                if (connection := await self._first(None)) is not None:
                    return connection
        finally:
            self._give_up()
        raise OSError("; ".join(self.failures) or "the name has no address")

    def _start(self, at: Address) -> None:
        self._running.add(asyncio.get_running_loop().create_task(self._connect(at), name=at[0]))

    async def _first(self, within_s: float | None) -> Connection | None:
        """Wait for one to connect, or for any to end."""
        done, self._running = await asyncio.wait(self._running, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        made = [connection for task in done if (connection := self._outcome(task)) is not None]
        for late in made[1:]:
            late.abort()
        return made[0] if made else None

    def _outcome(self, task: asyncio.Task[Connection]) -> Connection | None:
        """Give what a task made, or note why it made nothing; raises what is no failure to connect."""
        try:
            return task.result()
        except (OSError, ValueError) as error:
            self.failures.append(f"{task.get_name()}: {str(error) or type(error).__name__}")
            return None

    def _give_up(self) -> None:
        """Cancel the losers, and wait for none: whoever is cancelled in such a wait would lose the winner as well."""
        for task in self._running:
            task.add_done_callback(_discard)
            task.cancel()
        self._running.clear()


def _discard(loser: asyncio.Task[Connection]) -> None:
    """Close what a loser has made meanwhile; why another failed is taken, so that nobody complains of it."""
    if not loser.cancelled() and loser.exception() is None:
        loser.result().abort()
