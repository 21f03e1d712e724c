"""A request's body on its way to an upstream: framed, held to the length it was announced with."""

from __future__ import annotations

from collections.abc import AsyncIterator

from wiretape.errors import BadRequest, UpstreamTorn, WiretapeError
from wiretape.wire.asked import in_chunk
from wiretape.wire.framing import LAST_CHUNK


async def pieces(body: AsyncIterator[bytes], length: int | None) -> AsyncIterator[bytes]:
    """Frame a body; raises BadRequest where it is longer or shorter than `length`, before a byte too many is sent."""
    sent = 0
    async for data in body:
        sent += len(data)
        if length is not None and sent > length:
            raise BadRequest("the body is longer than its Content-Length")
        if data:
            yield data if length is not None else in_chunk(data)
    if length is None:
        yield LAST_CHUNK
    elif sent < length:
        raise BadRequest("the body ended before its Content-Length")


def whole(body: bytes, length: int | None) -> bytes:
    """Frame a body that is here; raises BadRequest where it is not of `length`."""
    if length is None:
        return in_chunk(body) + LAST_CHUNK
    if len(body) != length:
        raise BadRequest("the body is not as long as its Content-Length")
    return body


def broken_off(error: Exception, *, is_answered: bool) -> Exception:
    """What to tell of a body that broke off: the client's fault before the answer, a tear in it afterwards."""
    if isinstance(error, ConnectionError):
        return error  # the client has left
    if is_answered:
        torn = UpstreamTorn("the request's body broke off while it was answered")
        torn.__cause__ = error
        return torn
    if isinstance(error, WiretapeError):
        return error
    refused = BadRequest("the request's body broke off")
    refused.__cause__ = error
    return refused
