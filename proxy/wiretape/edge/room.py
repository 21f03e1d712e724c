"""Whether the other side of a connection reads as fast as we write."""

from __future__ import annotations

import asyncio


class Roomy(asyncio.Protocol):
    """A protocol that tells what to wait for before more is written."""

    __slots__ = ("loop", "room")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.room: asyncio.Future[None] | None = None
        """What to wait for, or None where there is room."""

    def pause_writing(self) -> None:
        """Hold back what is to be written: the other side does not read as fast as it comes."""
        self.room = self.loop.create_future()

    def resume_writing(self) -> None:
        """Let whoever waits write on."""
        if self.room is not None and not self.room.done():
            self.room.set_result(None)
        self.room = None
