"""Streams whose clients have left, read on without them, so that it is known what they cost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from wiretape.edge.listen import EdgeOptions
from wiretape.errors import UpstreamTorn
from wiretape.exchange import Answer, Chunk, Ending, Head, How
from wiretape.wire.headers import is_event_stream

Tell = Callable[[Chunk], None]


class Leaving:
    """Reads on what clients have left, where `on_client_disconnect` is `drain`. Nothing that is read is kept."""

    def __init__(self, options: EdgeOptions) -> None:
        self._options = options
        self._reading: set[asyncio.Task[Ending | None]] = set()
        self.ended = dict.fromkeys(("end", "torn", "bytes", "seconds", "shutdown"), 0)
        """Streams read on so far, by what ended that; all from the start, so that the first count is a rise."""

    @property
    def active(self) -> int:
        """How many are being read on."""
        return len(self._reading)

    def wants(self, head: Head | None, asked_ns: int | None) -> bool:
        """Whether an upstream's answer is to be read on, of which the client had the head: event streams alone."""
        is_live = head is not None and asked_ns is not None and is_event_stream(head.headers)
        return is_live and self._options.on_client_disconnect == "drain"

    async def read(self, answer: Answer, in_hand: Chunk | None, tell: Tell) -> Ending | None:
        """Read to the stream's end, `in_hand` first; gives how it ended, None where it was given up.

        In a task of its own: the one that served the client may be cancelled once more, by the same loss.
        """
        task = asyncio.get_running_loop().create_task(self._guarded(answer, in_hand, tell))
        self._reading.add(task)
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((task,))
        self._reading.discard(task)
        return task.result()

    async def stop(self) -> None:
        """Give up what is still being read."""
        for task in self._reading:
            task.cancel()
        while self._reading:  # noqa: ASYNC110  for a turn or two: whoever waits for one takes it off
            await asyncio.sleep(0)

    async def _guarded(self, answer: Answer, in_hand: Chunk | None, tell: Tell) -> Ending | None:
        why, ending = "shutdown", None
        try:
            async with asyncio.timeout(self._options.disconnect_s):
                why = await self._to_the_end(answer, in_hand, tell)
        except TimeoutError:
            why = "seconds"
        except UpstreamTorn as error:
            why, ending = "torn", Ending(How.UPSTREAM_FAILED, time.monotonic_ns(), error.code)
        except asyncio.CancelledError:
            pass  # by `stop`
        self.ended[why] += 1
        return Ending(How.COMPLETE, time.monotonic_ns()) if why == "end" else ending

    async def _to_the_end(self, answer: Answer, in_hand: Chunk | None, tell: Tell) -> str:
        left = self._options.disconnect_bytes_max
        if in_hand is not None:
            tell(in_hand)
        async for chunk in answer.chunks():
            left -= len(chunk.data)
            if left < 0:
                return "bytes"
            tell(chunk)
        return "end"
