"""The fast engine: HTTP/1.1 on connections of our own; nothing is followed, kept or decompressed, no POST sent twice.

A request is written as soon as its connection is there, its body by a task beside the wait for the answer, so that an
upstream may answer early. A kept connection is looked at before it is used. Where it closes nevertheless before a
byte of the answer came, a request without a body and of an idempotent method (RFC 9110 section 9.2.2) is sent once
more, on a new connection; nothing else is.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

from wiretape.edge.engines.answer import FastAnswer
from wiretape.edge.engines.connection import Connection
from wiretape.edge.engines.pool import Pool
from wiretape.edge.engines.sending import whole
from wiretape.edge.upstream import Place, UpstreamOptions, outbound
from wiretape.errors import UpstreamUnreachable
from wiretape.exchange import Request
from wiretape.wire.answered import AnswerBounds
from wiretape.wire.asked import Asked, ask

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class KeptAnswer(FastAnswer):
    """An answer that was asked for on a kept connection, with nothing to wait for."""

    def __init__(self, upstream: FastUpstream, connection: Connection, request: Request, *, has_body: bool) -> None:
        super().__init__(connection, upstream.pool, upstream.options, upstream.bounds, request.method)
        self._upstream = upstream
        self._request = request
        self._has_body = has_body

    async def opened(self) -> FastAnswer:
        """Wait for the head; gives this answer, or that of a new connection."""
        try:
            return await self.headed()
        except UpstreamUnreachable:
            if self._has_body or not _may_repeat(self, self._request):
                raise
        return await self._upstream.repeat(self._request)


class FastUpstream:
    """One upstream and its connections, under TLS where a context is given."""

    def __init__(self, options: UpstreamOptions, tls: ssl.SSLContext | None = None) -> None:
        self.options = options
        self._place = Place(options)
        self.pool = Pool(options, self._place, tls)
        self.counts = self.pool.counts
        self.bounds = AnswerBounds(options.header_bytes_max, options.headers_max, options.interim_max)

    @property
    def connections(self) -> int:
        """Connections open, idle or in use."""
        return self.pool.size

    def ask(self, request: Request, body: bytes | None) -> KeptAnswer | None:
        """Pass the request on at once, in one piece, where a connection is free."""
        asked = self._asked(request, has_body=body is not None)
        sent = asked.head if body is None else asked.head + whole(body, asked.length)
        if (connection := self.pool.kept()) is None:
            return None
        answer = KeptAnswer(self, connection, request, has_body=body is not None)
        answer.send(sent)
        return answer

    async def open(self, request: Request, body: AsyncIterator[bytes] | None) -> FastAnswer:
        """Pass the request on and wait for the head."""
        asked = self._asked(request, has_body=body is not None)
        if (kept := self.pool.kept()) is not None:
            answer = self._answer(kept, request)
            try:
                return await answer.ask(asked, body)
            except UpstreamUnreachable:
                if body is not None or not _may_repeat(answer, request):
                    raise
            return await self.repeat(request)
        return await self._answer(await self.pool.connect(), request).ask(asked, body)

    async def repeat(self, request: Request) -> FastAnswer:
        """Send a request without a body once more, on a new connection."""
        self.counts.repeated += 1
        asked = self._asked(request, has_body=False)
        return await self._answer(await self.pool.connect(), request).ask(asked, None)

    def _answer(self, connection: Connection, request: Request) -> FastAnswer:
        return FastAnswer(connection, self.pool, self.options, self.bounds, request.method)

    async def close(self) -> None:
        """Close all connections."""
        await self.pool.close()

    def _asked(self, request: Request, *, has_body: bool) -> Asked:
        target = self._place.target(request.target)
        return ask(request.method, target, self._place.authority, outbound(request), has_body=has_body)


def _may_repeat(failed: FastAnswer, request: Request) -> bool:
    """Whether a request without a body may be sent again: nobody can have acted on it twice."""
    return not failed.was_begun and request.method in _IDEMPOTENT
