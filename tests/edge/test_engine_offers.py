"""Pieces that are taken within the read that brought them: in order, each once, and no mistake goes unheard."""

import asyncio

import pytest

from support.engines import asking, one_by_one, request
from support.raw import Connection
from wiretape.exchange import Chunk

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECES = [b"%d" % at for at in range(100, 140)]


async def script(connection: Connection) -> None:
    await connection.request()
    await connection.send(HEAD)
    await one_by_one(connection, [b"3\r\n%b\r\n" % piece for piece in PIECES])
    await connection.send(b"0\r\n\r\n")
    await connection.gone()


async def test_what_is_taken_is_not_given_again_and_what_is_declined_keeps_its_place() -> None:
    seen: list[bytes] = []
    takes = 0

    def take(chunk: Chunk) -> bool:
        nonlocal takes
        takes += 1
        if takes % 4 == 0:
            return False
        seen.append(chunk.data)
        return True

    async with asking("fast", script) as upstream:
        answer = await upstream.open(request(), None)
        answer.offer_to(take)
        given = 0
        async for chunk in answer.chunks():
            given += 1
            seen.append(chunk.data)
            await asyncio.sleep(0)  # more may come meanwhile: it must wait behind this one
        answer.close()
    assert b"".join(seen) == b"".join(PIECES)
    assert takes > given > 0


async def test_nothing_is_offered_once_the_answer_was_closed() -> None:
    offered = []
    async with asking("fast", script) as upstream:
        answer = await upstream.open(request(), None)
        answer.offer_to(lambda chunk: offered.append(chunk) is None)
        answer.close()
        await asyncio.sleep(0)
    assert not offered


async def test_what_a_taker_raises_is_raised_to_the_reader_and_ends_the_exchange() -> None:
    def take(_: Chunk) -> bool:
        raise ZeroDivisionError

    async with asking("fast", script) as upstream:
        answer = await upstream.open(request(), None)
        answer.offer_to(take)
        with pytest.raises(ZeroDivisionError):
            _ = [chunk async for chunk in answer.chunks()]
        answer.close()


async def test_the_reference_engine_gives_all_to_its_reader() -> None:
    offered: list[Chunk] = []
    async with asking("reference", script) as upstream:
        answer = await upstream.open(request(), None)
        answer.offer_to(lambda chunk: offered.append(chunk) is None)
        assert b"".join([chunk.data async for chunk in answer.chunks()]) == b"".join(PIECES)
        answer.close()
    assert not offered
