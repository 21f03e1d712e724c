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
from wiretape.edge.engines.pool import Pool
from wiretape.edge.upstream import Place, UpstreamOptions, outbound
from wiretape.errors import UpstreamUnreachable
from wiretape.exchange import Request
from wiretape.wire.answered import AnswerBounds
from wiretape.wire.asked import Asked, ask

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class FastUpstream:
    """One upstream and its connections, under TLS where a context is given."""

    def __init__(self, options: UpstreamOptions, tls: ssl.SSLContext | None = None) -> None:
        self.options = options
        self._place = Place(options)
        self._pool = Pool(options, self._place, tls)
        self.counts = self._pool.counts
        self._bounds = AnswerBounds(options.header_bytes_max, options.headers_max, options.interim_max)

    @property
    def connections(self) -> int:
        """Connections open, idle or in use."""
        return self._pool.size

    async def open(self, request: Request, body: AsyncIterator[bytes] | None) -> FastAnswer:
        """Pass the request on and wait for the head."""
        asked = self._asked(request, has_body=body is not None)
        if (kept := self._pool.kept()) is not None:
            answer = FastAnswer(kept, self._pool, self.options, self._bounds, request.method)
            try:
                return await answer.ask(asked, body)
            except UpstreamUnreachable:
                if body is not None or answer.was_begun or request.method not in _IDEMPOTENT:
                    raise
                self.counts.repeated += 1
        connection = await self._pool.connect()
        return await FastAnswer(connection, self._pool, self.options, self._bounds, request.method).ask(asked, body)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    def _asked(self, request: Request, *, has_body: bool) -> Asked:
        target = self._place.target(request.target)
        return ask(request.method, target, self._place.authority, outbound(request), has_body=has_body)
