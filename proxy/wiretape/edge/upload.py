"""A client's request body: streamed on with a copy to the observers, or held for matching."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from aiohttp import HttpVersion11, StreamReader, web

from wiretape.edge.tee import Tee
from wiretape.errors import RequestTimeout, RequestTooLarge, WiretapeError
from wiretape.exchange import Chunk

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Upload:
    """One request's body; read it once, by `stream`, or by `hold` and then perhaps by `stream`."""

    def __init__(self, raw: web.BaseRequest, tee: Tee, *, idle_s: float = 60.0, rate_min: int = 0) -> None:
        self._raw = raw
        self._tee = tee
        self._idle_s = idle_s
        self._rate_min = rate_min
        self._waited_s = 0.0
        self._held = b""
        self._is_expected = False
        self.bytes_in = 0
        self.failed: WiretapeError | None = None
        """What was wrong with the body, where its client is to blame: it then never got to the upstream whole."""

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
        try:
            while data := await self._next(self._raw.content):
                self.bytes_in += len(data)
                yield data
        except WiretapeError as error:
            self.failed = error
            raise

    async def _next(self, content: StreamReader) -> bytes:
        """Take what is there, or wait for it; raises the body's error, where it is not to come to its end."""
        data = await (content.readany() if content.is_eof() else self._awaited(content))
        error = None if data else content.exception()
        if error is not None:  # aiohttp forgets to look once more after a wait, and would give a clean end
            raise error
        return data

    async def _awaited(self, content: StreamReader) -> bytes:
        """Wait for a piece, but not for ever; the time an upstream takes to read is not counted."""
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        try:
            async with asyncio.timeout(patience_s(self._idle_s, self._rate_min, self.bytes_in, self._waited_s)):
                return await content.readany()
        except TimeoutError as error:
            so_far = f"{self.bytes_in} bytes so far (body_idle_s, body_rate_min)"
            raise RequestTimeout(f"the request's body came too slowly: {so_far}") from error
        finally:
            self._waited_s += now_s() - began_s

    def _answer_expectation(self, raw: web.BaseRequest) -> None:
        """Answer `Expect: 100-continue` once (RFC 9110 section 10.1.1): aiohttp's low-level server leaves it to us."""
        asks = raw.version >= HttpVersion11 and raw.headers.get("Expect", "").lower() == "100-continue"
        if asks and not self._is_expected and raw.transport is not None:
            raw.transport.write(CONTINUE)
        self._is_expected = True


def patience_s(idle_s: float, rate_min: int, got: int, waited_s: float) -> float:
    """Tell how long to wait for the next piece: `idle_s`, and less once the whole body falls behind `rate_min`."""
    if not rate_min:
        return idle_s
    return max(0.0, min(idle_s, idle_s + got / rate_min - waited_s))
