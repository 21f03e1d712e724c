"""An engine asked directly, without a proxy around it, by a server that does what a script says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any, NamedTuple

from support.raw import Connection, Script, serving
from wiretape.edge.engines.choice import Engines
from wiretape.edge.upstream import EngineName, UpstreamOptions
from wiretape.errors import UpstreamProtocolError, UpstreamTimeout, UpstreamTorn, UpstreamUnreachable
from wiretape.exchange import Chunk, Head, Headers, Request, Upstream

ENGINES: tuple[EngineName, ...] = ("fast", "reference")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_NAMES = {
    UpstreamProtocolError: "refused", UpstreamTorn: "torn", UpstreamUnreachable: "unreachable", UpstreamTimeout: "late",
}  # fmt: skip


class Outcome(NamedTuple):
    """How an exchange went, in one word, with what was given before."""

    how: str
    head: Head | None
    body: bytes


def engine(name: EngineName, options: UpstreamOptions) -> Upstream:
    """One engine alone."""
    return Engines(name).open(options)


def request(method: str = "GET", target: str = "/", *headers: tuple[bytes, bytes]) -> Request:
    """A request as the relay passes it on."""
    return Request(method=method, target=target, headers=headers, at_ns=0, wall_ns=0)


async def outcome(upstream: Upstream, asked: Request, body: AsyncIterator[bytes] | None = None) -> Outcome:
    """Ask, and read to the end; of what is offered as it comes, take two pieces of three."""
    head, got, turns = None, bytearray(), cycle((True, True, False))

    def take(chunk: Chunk) -> bool:
        takes = next(turns)
        got.extend(chunk.data if takes else b"")
        return takes

    try:
        async with asyncio.timeout(2):
            answer = await upstream.open(asked, body)
            try:
                head = answer.head
                answer.offer_to(take)
                async for chunk in answer.chunks():
                    got += chunk.data
            finally:
                answer.close()
    except tuple(_NAMES) as error:
        return Outcome(_NAMES[type(error)], head, bytes(got))
    return Outcome("whole", head, bytes(got))


@asynccontextmanager
async def asking(name: EngineName, script: Script, **options: Any) -> AsyncIterator[Upstream]:
    """An engine in front of a script."""
    async with serving(script) as url:
        upstream = engine(name, UpstreamOptions(url=url, **options))
        try:
            yield upstream
        finally:
            await upstream.close()


async def one_by_one(connection: Connection, pieces: list[bytes]) -> None:
    """Send pieces so that each is a read of its own: server and engine share the loop, and take turns."""
    for piece in pieces:
        await connection.send(piece)
        for _ in range(4):
            await asyncio.sleep(0)


def field(outcome: Outcome, name: bytes) -> list[bytes]:
    """The values of a field of the answer."""
    headers: Headers = outcome.head.headers if outcome.head else ()
    return [value for key, value in headers if key.lower() == name]
