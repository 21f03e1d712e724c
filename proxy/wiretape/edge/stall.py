"""Whether a client takes what waits for it: asked of the kernel now and then, and nothing a chunk would pay for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Any, cast

from wiretape.edge.tls import unsent

_INFO = getattr(socket, "TCP_INFO", None)
_UNACKED, _BYTES_ACKED, _NOTSENT = (struct.Struct("=I"), 24), (struct.Struct("=Q"), 120), (struct.Struct("=I"), 144)
"""Places in Linux's `struct tcp_info`; stable, as it only grows."""
_INFO_BYTES = 148
_LOOKS = 4
"""In each deadline: a stall is noticed at most a quarter of it late."""


class StallWatch:
    """Looks after one connection until `stop`; calls `stalled` once nothing was taken for `idle_s`.

    TCP_USER_TIMEOUT would cut a client that reads all the while, only never so much at once as the next segment.
    """

    __slots__ = ("_alarm", "_idle_s", "_loop", "_moved_s", "_stalled", "_taken", "_transport")  # there may be thousands

    def __init__(
        self, transport: asyncio.BaseTransport, idle_s: float, stalled: Callable[[asyncio.WriteTransport], None]
    ) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._idle_s = idle_s
        self._stalled = stalled
        self._loop = asyncio.get_running_loop()
        self._taken = 0
        self._moved_s = self._loop.time()
        self._alarm = self._loop.call_later(idle_s / _LOOKS, self._look)

    def stop(self) -> None:
        """Look no more."""
        self._alarm.cancel()

    def _look(self) -> None:
        taken, waits = _progress(self._transport)
        if taken != self._taken or not waits:
            self._taken, self._moved_s = taken, self._loop.time()
        elif self._loop.time() - self._moved_s >= self._idle_s:
            self._stalled(self._transport)
            return
        self._alarm = self._loop.call_later(self._idle_s / _LOOKS, self._look)


def watches() -> bool:
    """Tell whether the platform can be asked."""
    return _INFO is not None


def _progress(transport: asyncio.WriteTransport) -> tuple[int, bool]:
    """Give the bytes the client's side has taken so far, and whether more wait for it.

    A unix socket knows no such thing; nor does asyncio's TLS transport once it was closed twice, see `tls.unsent`.
    """
    with contextlib.suppress(OSError, AttributeError):
        info = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, _INFO, _INFO_BYTES)
        if len(info) == _INFO_BYTES:
            waits = unsent(transport) or _at(info, _UNACKED) or _at(info, _NOTSENT)
            return _at(info, _BYTES_ACKED), bool(waits)
    return 0, False


def _at(info: bytes, where: tuple[struct.Struct, int]) -> Any:  # noqa: ANN401  as struct gives it
    form, offset = where
    return form.unpack_from(info, offset)[0]
