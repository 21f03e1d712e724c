"""Whether a client has left that we do not read: the loop tells of no hang-up on a socket whose reading is paused."""

from __future__ import annotations

import asyncio
import select

LOOK_S = 0.5
"""Seconds between two looks at a connection that is not read."""
_EVENTS = getattr(select, "POLLRDHUP", 0)
"""The end of what the client sends, before it is read; not every platform tells, and those tell of resets alone."""
_GONE = _EVENTS | select.POLLHUP | select.POLLERR


def has_hung_up(transport: asyncio.BaseTransport) -> bool:
    """Ask the kernel; behind TLS, of the connection beneath it.

    An end that follows bytes for which the kernel had no room has not come yet.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), _EVENTS)
    return any(event & _GONE for _, event in poll.poll(0))
