"""A client's request body: streamed on with a copy to the observers, or held for matching."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from aiohttp import HttpVersion11, web

from wiretape.edge.tee import Tee
from wiretape.errors import RequestTooLarge
from wiretape.exchange import Chunk

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Upload:
    """One request's body; read it once, by `stream`, or by `hold` and then perhaps by `stream`."""

    def __init__(self, raw: web.BaseRequest, tee: Tee) -> None:
        self._raw = raw
        self._tee = tee
        self._held = b""
        self._is_expected = False
        self.bytes_in = 0

    def stream(self) -> AsyncIterator[bytes] | None:
        """Give the body piece by piece, what was held first; None where the request has none."""
        return self._pieces() if self._raw.body_exists else None

    async def hold(self, bytes_max: int) -> bytes:
        """Read the whole body; raises RequestTooLarge beyond the bound, and keeps what was read."""
        held = bytearray()
        async for data in self._read():
            held += data
            if len(held) > bytes_max:
                self._held = bytes(held)
                raise RequestTooLarge(
                    f"the body is over {bytes_max} bytes, more than is held to match it (matched_body_max)"
                )
        self._held = bytes(held)
        return self._held

    def tell(self) -> None:
        """Show a held body to the observers."""
        if self._held:
            self._show(self._held)

    def _show(self, data: bytes) -> None:
        self._tee.sent(Chunk(data, time.monotonic_ns()))

    async def _pieces(self) -> AsyncIterator[bytes]:
        if self._held:
            yield self._held
            self._show(self._held)
        async for data in self._read():
            yield data
            self._show(data)

    async def _read(self) -> AsyncIterator[bytes]:
        if not self._raw.body_exists:
            return
        self._answer_expectation(self._raw)
        while data := await self._raw.content.readany():
            self.bytes_in += len(data)
            yield data

    def _answer_expectation(self, raw: web.BaseRequest) -> None:
        """Answer `Expect: 100-continue` once (RFC 9110 section 10.1.1): aiohttp's low-level server leaves it to us."""
        asks = raw.version >= HttpVersion11 and raw.headers.get("Expect", "").lower() == "100-continue"
        if asks and not self._is_expected and raw.transport is not None:
            raw.transport.write(CONTINUE)
        self._is_expected = True
