"""A name with several addresses: a dead one holds up no other, the losers are closed, nothing is asked twice."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from support.engines import ENGINES, OK, engine, outcome, request
from support.raw import Connection, serving
from wiretape.edge.engines.fast import FastUpstream
from wiretape.edge.engines.racing import Race, addresses
from wiretape.edge.tls import client_context
from wiretape.edge.upstream import EngineName, UpstreamOptions
from wiretape.errors import UpstreamUnreachable

engines = pytest.mark.parametrize("name", ENGINES)
NAME = "several.invalid"
Named = Callable[..., None]


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Named:
    """Give a name its addresses; to be called within the loop."""

    def give(*at: Sequence[Any]) -> None:
        resolve = asyncio.get_running_loop().getaddrinfo

        async def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Sequence[Any]:
            if host != NAME:  # uvloop asks for addresses too, where a socket connects
                return await resolve(host, *rest, **options)
            families = (socket.AF_INET6 if ":" in one[0] else socket.AF_INET for one in at)
            return [(family, socket.SOCK_STREAM, 6, "", one) for family, one in zip(families, at, strict=True)]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)

    return give


@pytest.fixture
def nowhere() -> Iterator[tuple[str, int]]:
    """An address where connects are neither taken nor refused: its backlog is full."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()


@pytest.fixture
def refusing() -> Iterator[tuple[str, int]]:
    """An address that is taken, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()


def at(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").rsplit(":", 1)
    return host, int(port)


def opened() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


async def closed_but(before: int) -> None:
    """Wait until the loop has closed what it was told to, and no more descriptors are open than before."""
    async with asyncio.timeout(5):
        while opened() > before:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0)


async def answering(connection: Connection) -> None:
    while True:
        await connection.request()
        await connection.send(OK)


@engines
async def test_an_address_that_leads_nowhere_holds_up_no_other(
    name: EngineName, named: Named, nowhere: tuple[str, int]
) -> None:
    async with serving(answering) as url:
        named(nowhere, nowhere, at(url))
        upstream = engine(name, UpstreamOptions(url=f"http://{NAME}", connect_s=600, stagger_s=0.01))
        got = await outcome(upstream, request("POST"))
        await upstream.close()
    assert got.how == "whole"


@engines
async def test_after_an_address_that_refuses_the_next_is_tried_at_once(
    name: EngineName, named: Named, refusing: tuple[str, int]
) -> None:
    async with serving(answering) as url:
        named(refusing, at(url))
        upstream = engine(name, UpstreamOptions(url=f"http://{NAME}", stagger_s=600))
        got = await outcome(upstream, request("POST"))
        await upstream.close()
    assert got.how == "whole"


@engines
async def test_ipv6_is_tried_first_where_the_resolver_says_so(name: EngineName, named: Named) -> None:
    asked: list[str] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.append(writer.get_extra_info("sockname")[0])
        writer.write(OK)
        writer.close()

    try:
        server = await asyncio.start_server(script, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with serving(answering) as url, server:
        named(server.sockets[0].getsockname(), at(url))
        upstream = engine(name, UpstreamOptions(url=f"http://{NAME}"))
        assert (await outcome(upstream, request())).how == "whole"
        await upstream.close()
    assert asked == ["::1"]


@engines
async def test_a_post_that_reached_one_address_is_sent_to_no_other(name: EngineName, named: Named) -> None:
    asked = 0

    async def script(connection: Connection) -> None:
        nonlocal asked
        await connection.request()
        asked += 1
        connection.reset()

    async with serving(script) as url, serving(script) as other:
        named(at(url), at(other))
        upstream = engine(name, UpstreamOptions(url=f"http://{NAME}", stagger_s=600))
        got = await outcome(upstream, request("POST"))
        await upstream.close()
    assert (got.how, asked) == ("unreachable", 1)


async def test_every_address_that_failed_is_named_with_its_reason(named: Named, refusing: tuple[str, int]) -> None:
    named(refusing, ("127.0.0.2", refusing[1]))
    upstream = engine("fast", UpstreamOptions(url=f"http://{NAME}", stagger_s=600))
    with pytest.raises(UpstreamUnreachable, match=r"reached: 127\.0\.0\.1: .*111.*; 127\.0\.0\.2: .*111"):
        await upstream.open(request("POST"), None)
    await upstream.close()


async def test_where_the_time_is_up_what_has_failed_before_is_named_too(
    named: Named, refusing: tuple[str, int], nowhere: tuple[str, int]
) -> None:
    named(refusing, nowhere)
    upstream = engine("fast", UpstreamOptions(url=f"http://{NAME}", connect_s=0.05))
    assert (await outcome(upstream, request())).how == "unreachable"
    before = opened()
    with pytest.raises(UpstreamUnreachable, match=r"took no connection in 0\.05 s; 127\.0\.0\.1: .*111"):
        await upstream.open(request("POST"), None)
    await upstream.close()
    await closed_but(before)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted by /proc")
async def test_no_loser_leaves_a_socket_behind(named: Named, nowhere: tuple[str, int]) -> None:
    async with serving(answering) as url:
        named(nowhere, nowhere, at(url), at(url))
        upstream = FastUpstream(UpstreamOptions(url=f"http://{NAME}", stagger_s=0.0, kept_max=0))
        await outcome(upstream, request())
        before = opened()
        for _ in range(30):
            assert (await outcome(upstream, request())).how == "whole"
        await closed_but(before)
        assert upstream.connections == 0
        await upstream.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted by /proc")
async def test_a_client_that_leaves_before_any_address_has_answered_leaves_no_socket_behind(
    named: Named, nowhere: tuple[str, int]
) -> None:
    named(nowhere, nowhere)
    upstream = FastUpstream(UpstreamOptions(url=f"http://{NAME}", stagger_s=0.0, connect_s=0.05))
    assert (await outcome(upstream, request())).how == "unreachable"
    before = opened()  # uvloop opens one for itself with its first connect
    for _ in range(10):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(upstream.open(request(), None), 0.01)
    await closed_but(before)
    assert upstream.connections == 0
    await upstream.close()


async def test_of_two_that_connect_at_once_one_is_closed() -> None:
    made = [Mock(name="first"), Mock(name="second")]
    both = asyncio.Event()

    async def connect(address: tuple[str, int]) -> Any:
        if address[0] == "b":
            both.set()
        await both.wait()
        return made[address[0] == "b"]

    assert await Race(connect, 0.0).run([("a", 1), ("b", 1)]) in made
    assert sum(one.abort.called for one in made) == 1


async def test_one_that_connects_while_it_is_given_up_is_closed() -> None:
    begun, closed = asyncio.Event(), asyncio.Event()
    late = Mock(name="late", abort=closed.set)

    async def connect(address: tuple[str, int]) -> Any:
        if address[0] == "b":
            await begun.wait()
            return Mock(name="first")
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return late

    async with asyncio.timeout(5):
        await Race(connect, 0.0).run([("a", 1), ("b", 1)])
        await closed.wait()


async def test_a_winner_is_there_before_its_losers_have_ended() -> None:
    """Whoever waits for them may be cancelled meanwhile, and nobody would know of the winner."""
    winner, begun, may_end = Mock(name="winner"), asyncio.Event(), asyncio.Event()

    async def connect(address: tuple[str, int]) -> Any:
        if address[0] == "b":
            await begun.wait()
            return winner
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    async with asyncio.timeout(5):
        assert await Race(connect, 0.0).run([("a", 1), ("b", 1)]) is winner
    may_end.set()


async def test_a_mistake_is_no_failure_to_connect() -> None:
    async def connect(_: tuple[str, int]) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Race(connect, 0.0).run([("a", 1), ("b", 1)])


async def test_families_take_turns_in_the_resolvers_order_and_none_comes_twice(named: Named) -> None:
    named(("::1", 1, 0, 0), ("::2", 1, 0, 0), ("::2", 1, 0, 0), ("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.3", 1))
    got = await addresses(NAME, 1)
    assert [host for host, _ in got] == ["::1", "10.0.0.1", "::2", "10.0.0.2", "10.0.0.3"]
    named()
    assert await addresses(NAME, 1) == []
    assert await addresses("::1", 1) == [("::1", 1)]


async def test_a_name_without_addresses_is_told_so(named: Named) -> None:
    named()
    upstream = engine("fast", UpstreamOptions(url=f"http://{NAME}"))
    with pytest.raises(UpstreamUnreachable, match="could not be reached: the name has no address"):
        await upstream.open(request(), None)
    await upstream.close()


async def test_a_handshake_that_never_ends_is_within_the_limit_of_the_connect() -> None:
    async with serving(Connection.gone) as url:
        options = UpstreamOptions(url=url.replace("http:", "https:"), connect_s=0.05)
        upstream = FastUpstream(options, client_context(options))
        with pytest.raises(UpstreamUnreachable, match=r"took no connection in 0\.05 s"):
            await upstream.open(request(), None)
        await upstream.close()
