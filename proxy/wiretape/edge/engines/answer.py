"""One exchange of the fast engine: the request goes out, its answer comes in, read no faster than it is taken."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

from wiretape.edge.alarm import Alarm
from wiretape.edge.engines.connection import Connection
from wiretape.edge.engines.pool import Pool
from wiretape.edge.engines.sending import broken_off, pieces
from wiretape.edge.upstream import UpstreamOptions
from wiretape.errors import UpstreamProtocolError, UpstreamTimeout, UpstreamTorn, UpstreamUnreachable
from wiretape.exchange import Chunk, Head
from wiretape.wire.answered import AnswerBounds, AnswerParser
from wiretape.wire.asked import Asked

NOT_WAITING = float("inf")
CHUNK_COST_BYTES = 160
"""What a chunk that waits takes beside its bytes, so that the smallest chunks are bounded too."""


class FastAnswer:
    """An answer on its way; each read of the socket becomes one chunk at most, and wakes its reader once at most.

    A chunk that comes while its reader waits is first offered to whoever takes it, within the call that brought it:
    to wake a task for each would cost more than all else that is done with it.

    The connection's one alarm serves the whole exchange. It is wound anew when the request was sent and when the head
    has come; between chunks it only looks how long somebody has been waiting.
    """

    head: Head
    has_head = False
    was_begun = False
    """Whether a byte of the answer has come."""
    # Of every new one: there is one for each request.
    _ready_bytes = 0
    _is_paused = _is_whole = False
    _error: Exception | None = None
    _told: Callable[[], None] | None = None
    _taker: Callable[[Chunk], bool] | None = None
    _waiter: asyncio.Future[None] | None = None
    _waiting_since_s = NOT_WAITING
    _upload: asyncio.Task[None] | None = None

    def __init__(
        self, connection: Connection, pool: Pool, options: UpstreamOptions, bounds: AnswerBounds, method: str
    ) -> None:
        self._connection: Connection | None = connection
        self._pool = pool
        self._options = options
        self._parser = AnswerParser(bounds, to_head=method == "HEAD")
        self._loop = connection.loop
        self._ready: deque[Chunk] = deque()
        self._alarm: Alarm | None = connection.alarm
        """None once the connection is another's, or nobody's."""
        connection.exchange = self

    async def ask(self, asked: Asked, body: AsyncIterator[bytes] | None) -> FastAnswer:
        """Send the request and wait for the head; raises the `upstream_…` errors, and what the body raises."""
        assert self._connection is not None  # noqa: S101  it is let go at the end only
        if body is None:
            self.send(asked.head)
        else:
            self._upload = self._loop.create_task(self._send(self._connection, asked, body))
        return await self.headed()

    def send(self, request: bytes) -> None:
        """Send a whole request at once."""
        assert self._connection is not None  # noqa: S101  as above
        self._connection.transport.write(request)
        self._wind(self._options.first_byte_s)

    def when_begun(self, told: Callable[[], None]) -> None:
        """Call once when the head has come, or when none will; not after `close`."""
        self._told = told

    async def headed(self) -> FastAnswer:
        """Wait for the head; raises as `ask`."""
        try:
            while not self.has_head and self._error is None:
                await self._wait()
        except BaseException:
            self.close()
            raise
        if not self.has_head and self._error is not None:
            raise self._error
        return self

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Give what each read brought; raises UpstreamTorn where the body breaks off or stalls."""
        while True:
            if (chunk := self.taken()) is not None:
                yield chunk
            elif self._error is not None:
                raise self._error
            elif self._is_whole:
                return
            else:
                self._waiting_since_s = self._loop.time()
                await self._wait()
                self._waiting_since_s = NOT_WAITING

    def taken(self) -> Chunk | None:
        """Give what a read has brought already."""
        if not self._ready:
            return None
        chunk = self._ready.popleft()
        self._make_room(len(chunk.data))
        return chunk

    def offer_to(self, taker: Callable[[Chunk], bool]) -> None:
        """Let chunks be taken as they come, those that the taker declines wait; what it raises, `chunks` raises."""
        self._taker = taker

    @property
    def is_over(self) -> bool:
        """Whether the body is whole, and all of it was taken."""
        return self._is_whole and not self._ready

    def close(self) -> None:
        """Close the connection, unless the answer has ended and the pool has it back; idempotent."""
        self._silence()
        self._parser.release()
        self._taker = self._told = None
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.exchange = None
            connection.abort()

    def received(self, data: bytes) -> None:
        """Take a read. Each chunk comes this way: whatever is called here, it pays for."""
        at_ns = time.monotonic_ns()
        parser = self._parser
        body = parser.feed(data)
        if not self.has_head and not self._begin(at_ns):
            return
        if self._is_whole:
            return  # while the upload goes on; the connection will not be used again
        is_taken = False
        if body:
            chunk = Chunk(body, at_ns)
            # Only while the reader waits: one that is awake has others to give before it.
            if self._taker is not None and self._waiter is not None and not self._waiter.done():
                is_taken = self._offered(self._taker, chunk)
            if not is_taken:
                self._hold(chunk)
        if parser.ended or parser.fault is not None:
            self._conclude(parser.fault)
        elif not is_taken:
            self._wake()

    def _conclude(self, fault: str | None) -> None:
        if fault is not None:
            self._fail(UpstreamTorn(f"the upstream's body broke off: {fault}"))
        else:
            self._end()
        self._wake()

    def lost(self, error: Exception | None) -> None:
        """Learn that no more comes; a body that ends with the connection ends well only where nothing went wrong."""
        self._connection = None
        if self._is_whole or self._error is not None:
            return
        if not self.has_head:
            self._fail(UpstreamUnreachable(f"{self._options.place} closed the connection before it answered"))
        elif error is None and self._parser.eof():
            self._end()
            self._wake()
        else:
            self._fail(UpstreamTorn(f"the upstream's body broke off: {error or 'the connection was closed'}"))

    def _begin(self, at_ns: int) -> bool:
        """Look whether the head is whole; where the read that ends it runs beyond the answer, it is refused as well."""
        self.was_begun = True
        parser = self._parser
        if parser.fault is not None and (parser.has_excess or not parser.has_head):
            self._fail(UpstreamProtocolError(f"{self._options.place} answered with what is no HTTP: {parser.fault}"))
        elif parser.has_head:
            self.head = Head(parser.status, parser.headers, at_ns, parser.reason)
            self.has_head = True
            self._pool.counts.interim += parser.interim
            if not parser.ended:
                self._wind(self._options.idle_s)
        return self.has_head

    def _offered(self, taker: Callable[[Chunk], bool], chunk: Chunk) -> bool:
        self._waiting_since_s = self._loop.time()
        try:
            return taker(chunk)
        except Exception as error:  # noqa: BLE001  its mistake is the reader's to hear of, not the connection's
            self._fail(error)
            return True

    def _hold(self, chunk: Chunk) -> None:
        self._ready.append(chunk)
        self._ready_bytes += len(chunk.data) + CHUNK_COST_BYTES
        if self._ready_bytes > self._options.read_ahead_bytes_max and self._connection is not None:
            self._is_paused = True
            self._connection.transport.pause_reading()

    def _make_room(self, size: int) -> None:
        self._ready_bytes -= size + CHUNK_COST_BYTES
        if self._is_paused and self._ready_bytes <= self._options.read_ahead_bytes_max:
            self._resume()

    def _resume(self) -> None:
        self._is_paused = False
        if self._connection is not None and not self._connection.is_lost:
            self._connection.transport.resume_reading()

    def _end(self) -> None:
        """Give the connection back where request and answer were whole; otherwise `close` will close it."""
        self._is_whole = True
        self._silence()
        self._pool.counts.trailers += self._parser.trailers
        self._parser.release()
        if self._connection is not None and self._parser.reusable and self._upload is None:
            if self._is_paused:
                self._resume()
            connection, self._connection = self._connection, None
            self._pool.keep(connection)

    def _fail(self, error: Exception) -> None:
        """End badly, once, unless the answer is whole; what was read before is given first."""
        if self._error is None and not self._is_whole:
            self._error, told = error, self._told
            self.close()
            self._told = told
            self._wake()

    async def _send(self, connection: Connection, asked: Asked, body: AsyncIterator[bytes]) -> None:
        # The head goes at once, whether or not the body is there; where it is, uvloop sends both in one call.
        connection.transport.write(asked.head)
        try:
            async for piece in pieces(body, asked.length):
                connection.transport.write(piece)
                if connection.room is not None:
                    await self._room(connection.room)
        except Exception as error:  # noqa: BLE001  whatever a body raises, the exchange is over
            self._upload = None
            self._fail(broken_off(error, is_answered=self.has_head))
            return
        self._upload = None
        if not self.has_head:
            self._wind(self._options.first_byte_s)

    async def _room(self, room: asyncio.Future[None]) -> None:
        """Wait until the upstream has read; before the head that is waited for like a chunk."""
        if not self.has_head:
            self._wind(self._options.idle_s)
        await room
        if not self.has_head:
            self._unwind()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._told is not None:
            told, self._told = self._told, None
            told()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _wind(self, wait_s: float) -> None:
        if self._alarm is not None:
            self._alarm.wind(wait_s, self._ring)

    def _unwind(self) -> None:
        if self._alarm is not None:
            self._alarm.unwind()

    def _silence(self) -> None:
        self._unwind()
        self._alarm = None

    def _ring(self) -> None:
        if not self.has_head:
            waited_s = self._options.idle_s if self._upload is not None else self._options.first_byte_s
            self._fail(UpstreamTimeout(f"no response head from {self._options.place} in {waited_s:g} s"))
            return
        idle_s = self._options.idle_s
        left_s = self._waiting_since_s + idle_s - self._loop.time()
        if left_s <= 0:
            self._fail(UpstreamTorn(f"the upstream's body broke off: nothing came for {idle_s:g} s"))
        else:
            self._wind(min(left_s, idle_s))
