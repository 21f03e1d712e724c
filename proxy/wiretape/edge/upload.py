"""A client's request body: streamed on with a copy to the observers, or held for matching."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from wiretape.edge.incoming import Body, Incoming
from wiretape.edge.tee import Tee
from wiretape.errors import RequestTimeout, RequestTooLarge, WiretapeError
from wiretape.exchange import Chunk
from wiretape.wire.headers import value

AT_ONCE_BYTES_MAX = 16_384
"""Bytes of a body that is sent in one piece with its head; the kernel takes as much without a wait."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Upload:
    """One request's body; read it once, by `stream`, or by `hold` and then perhaps by `stream`."""

    def __init__(self, raw: Incoming, tee: Tee, *, idle_s: float = 60.0, rate_min: int = 0) -> None:
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
        return None if self._raw.body is None else self._pieces()

    @property
    def is_here(self) -> bool:
        """Whether all of the body is here and small, so that it can go with the head, or there is none."""
        body = self._raw.body
        if body is None:
            return True
        return body.is_ended and body.held_bytes <= AT_ONCE_BYTES_MAX and not _asks_to_continue(self._raw)

    def whole(self) -> bytes | None:
        """Give a body that is here, and leave it; None where the request has none."""
        return None if self._raw.body is None else self._raw.body.held()

    def passed(self) -> None:
        """Count a body that was passed on whole, and show it to the observers."""
        if self._raw.body is not None:
            data = self._raw.body.taken()
            self.bytes_in += len(data)
            if data:
                self._show(data)

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
        body = self._raw.body
        if body is None:
            return
        self._answer_expectation(self._raw)
        try:
            while data := await self._next(body):
                self.bytes_in += len(data)
                yield data
        except WiretapeError as error:
            self.failed = error
            raise

    async def _next(self, body: Body) -> bytes:
        """Take what is there, or wait for it; raises the body's error, where it is not to come to its end."""
        return body.taken() if body.is_ended else await self._awaited(body)

    async def _awaited(self, body: Body) -> bytes:
        """Wait for a piece, but not for ever; the time an upstream takes to read is not counted."""
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        try:
            async with asyncio.timeout(patience_s(self._idle_s, self._rate_min, self.bytes_in, self._waited_s)):
                return await body.read()
        except TimeoutError as error:
            so_far = f"{self.bytes_in} bytes so far (body_idle_s, body_rate_min)"
            raise RequestTimeout(f"the request's body came too slowly: {so_far}") from error
        finally:
            self._waited_s += now_s() - began_s

    def _answer_expectation(self, raw: Incoming) -> None:
        """Answer `Expect: 100-continue` once (RFC 9110 section 10.1.1)."""
        if _asks_to_continue(raw) and not self._is_expected and raw.client.transport is not None:
            raw.client.transport.write(CONTINUE)
        self._is_expected = True


def _asks_to_continue(raw: Incoming) -> bool:
    return raw.version >= (1, 1) and (value(raw.headers, b"expect") or "").lower() == "100-continue"


def patience_s(idle_s: float, rate_min: int, got: int, waited_s: float) -> float:
    """Tell how long to wait for the next piece: `idle_s`, and less once the whole body falls behind `rate_min`."""
    if not rate_min:
        return idle_s
    return max(0.0, min(idle_s, idle_s + got / rate_min - waited_s))
