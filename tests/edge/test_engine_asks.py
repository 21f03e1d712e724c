"""Requests that are sent at once: on a free connection, in one piece, and told of by a call instead of a task."""

import asyncio

import pytest

from support.engines import OK, asking, outcome, request
from support.raw import Connection
from wiretape.errors import BadRequest, UpstreamUnreachable
from wiretape.exchange import Pending, Upstream

LENGTH = (b"Content-Length", b"3")


async def answering(connection: Connection) -> None:
    while True:
        await connection.request()
        await connection.send(OK)


async def asked(upstream: Upstream, method: str = "GET", body: bytes | None = None) -> Pending:
    """Ask on a connection that an exchange before has left, and wait for the call."""
    assert (await outcome(upstream, request())).body == b"ok"
    pending = upstream.ask(request(method, "/", *([LENGTH] if body else [])), body)
    assert pending is not None
    told = asyncio.Event()
    pending.when_begun(told.set)
    async with asyncio.timeout(5):
        await told.wait()
    return pending


async def test_nothing_is_sent_at_once_without_a_free_connection() -> None:
    async with asking("fast", answering) as upstream:
        assert upstream.ask(request(), None) is None


async def test_the_reference_engine_declines() -> None:
    async with asking("reference", answering) as upstream:
        assert (await outcome(upstream, request())).body == b"ok"
        assert upstream.ask(request(), None) is None


async def test_an_answer_that_comes_in_one_read_is_there_whole() -> None:
    async with asking("fast", answering) as upstream:
        pending = await asked(upstream)
        assert (pending.has_head, pending.is_over) == (True, False)
        first = pending.taken()
        assert first is not None
        assert (first.data, pending.is_over, pending.head.status) == (b"ok", True, 200)
        pending.close()
        assert upstream.ask(request(), None) is not None


@pytest.mark.parametrize(
    ("headers", "body", "sent"),
    [((LENGTH,), b"abc", b"abc"), ((), b"abc", b"3\r\nabc\r\n0\r\n\r\n"), ((), b"", b"0\r\n\r\n")],
)
async def test_a_body_goes_with_its_head(headers: tuple[tuple[bytes, bytes], ...], body: bytes, sent: bytes) -> None:
    bodies = []

    async def noting(connection: Connection) -> None:
        while True:
            bodies.append((await connection.request())[1])
            await connection.send(OK)

    async with asking("fast", noting) as upstream:
        assert (await outcome(upstream, request())).body == b"ok"
        pending = upstream.ask(request("POST", "/", *headers), body)
        assert pending is not None
        answer = await pending.opened()
        assert [chunk.data async for chunk in answer.chunks()] == [b"ok"]
    assert bodies == [b"", sent]


async def test_a_body_of_another_length_is_sent_to_nobody() -> None:
    async with asking("fast", answering) as upstream:
        assert (await outcome(upstream, request())).body == b"ok"
        with pytest.raises(BadRequest):
            upstream.ask(request("POST", "/", LENGTH), b"abcd")
        assert upstream.ask(request(), None) is not None


async def leaving(connection: Connection) -> None:
    """Answer the first request, and none after it on the same connection."""
    await connection.request()
    await connection.send(OK)
    await connection.request()


@pytest.mark.parametrize(("method", "body"), [("POST", None), ("POST", b"abc"), ("PUT", b"abc")])
async def test_what_may_not_be_repeated_fails_where_a_kept_connection_breaks(method: str, body: bytes | None) -> None:
    async with asking("fast", leaving) as upstream:
        pending = await asked(upstream, method, body)
        assert not pending.has_head
        with pytest.raises(UpstreamUnreachable):
            await pending.opened()


async def test_what_may_be_repeated_is_sent_again_on_a_new_connection() -> None:
    async with asking("fast", leaving) as upstream:
        answer = await (await asked(upstream)).opened()
        assert [chunk.data async for chunk in answer.chunks()] == [b"ok"]


async def test_nobody_is_told_of_an_answer_that_was_let_go() -> None:
    told: list[None] = []
    async with asking("fast", answering) as upstream:
        assert (await outcome(upstream, request())).body == b"ok"
        pending = upstream.ask(request(), None)
        assert pending is not None
        pending.when_begun(lambda: told.append(None))
        pending.close()
        assert (await outcome(upstream, request())).body == b"ok"
    assert told == []
