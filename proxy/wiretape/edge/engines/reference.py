"""An upstream by aiohttp's own client: nothing is followed, kept or decompressed, and no POST is sent twice.

The traps that the arguments below avoid are measured in aiohttp 3.14.5: a connector limit of 100, a truncated
gzip body that ends without error when aiohttp decompresses it, cookies that cross between clients, and a total
timeout that cuts long streams. What stays aiohttp's doing: an idempotent request without a body whose connection breaks
before its answer is sent once more; an answer nobody asked for, on a kept connection, is taken for that to the next
request; a body that ends with its connection ends well even by a reset, or without TLS's goodbye (RFC 9112 section
9.8 calls it incomplete). The suite of the engines lists the rest.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from wiretape.edge.upstream import Place, UpstreamOptions, outbound
from wiretape.errors import BadRequest, UpstreamProtocolError, UpstreamTimeout, UpstreamTorn, UpstreamUnreachable
from wiretape.exchange import Chunk, Head, Headers, Request

SWITCHING_PROTOCOLS = 101
NOT_WAITING = float("inf")
_NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class ClientUpstream:
    """The reference engine: one ClientSession, unlimited connections, kept alive."""

    def __init__(self, options: UpstreamOptions, tls: ssl.SSLContext | None = None) -> None:
        self.options = options
        self._place = Place(options)
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=_connector(options, tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_field_size=options.header_bytes_max,
            max_headers=options.headers_max,
            max_line_size=options.header_bytes_max,
            read_bufsize=options.read_ahead_bytes_max,
            skip_auto_headers=_NOT_ADDED,
            timeout=aiohttp.ClientTimeout(total=None, connect=options.connect_s),
            trust_env=False,
        )

    def ask(self, request: Request, body: bytes | None) -> None:
        """Decline: aiohttp's client asks by waiting alone."""

    async def open(self, request: Request, body: AsyncIterator[bytes] | None) -> ClientAnswer:
        """Pass the request on and wait for the head."""
        options, headers = self.options, _as_text(outbound(request))
        try:
            async with asyncio.timeout(options.connect_s + options.first_byte_s) as deadline:
                response = await self._send(request, headers, body and _timed(body, deadline, options))
        except aiohttp.ConnectionTimeoutError as error:
            raise UpstreamUnreachable(f"{options.place} took no connection in {options.connect_s:g} s") from error
        except TimeoutError as error:
            raise UpstreamTimeout(f"no response head from {options.place} in {options.first_byte_s:g} s") from error
        except aiohttp.ClientResponseError as error:
            raise UpstreamProtocolError(f"{options.place} answered with what is no HTTP response head") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a host that is no host
            reason = str(error) or type(error).__name__
            raise UpstreamUnreachable(f"{options.place} could not be reached: {reason}") from error
        return self._checked(response)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _send(
        self, request: Request, headers: CIMultiDict[str], body: AsyncIterator[bytes] | None
    ) -> aiohttp.ClientResponse:
        url = self._url(request.target)
        return await self._session.request(request.method, url, allow_redirects=False, data=body, headers=headers)

    def _url(self, target: str) -> URL:
        # The whole target goes in as the path: yarl would drop a fragment and a lone `?`, and we change no byte.
        origin, path = self._place.origin, self._place.target(target)
        return URL.build(scheme=origin.scheme, authority=origin.raw_authority, path=path, encoded=True)

    def _checked(self, response: aiohttp.ClientResponse) -> ClientAnswer:
        # aiohttp hands a 101 on as a success; there is nothing on our side that could speak the new protocol.
        if response.status == SWITCHING_PROTOCOLS:
            response.close()
            raise UpstreamProtocolError(f"{self.options.place} switched protocols without being asked")
        return ClientAnswer(response, self.options.idle_s)


class ClientAnswer:
    """A response of aiohttp's client, its body still encoded as it was sent."""

    is_over = False
    """Whether all of it was taken: its reader is asked once more."""

    def __init__(self, response: aiohttp.ClientResponse, idle_s: float) -> None:
        self.head = Head(response.status, response.raw_headers, time.monotonic_ns(), response.reason or "")
        self._response = response
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._waiting_since_s = self._loop.time()
        self._alarm = self._loop.call_later(idle_s, self._check_idle)
        self._notice_loss()

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Give whatever one read brings; raises UpstreamTorn where the body breaks off or stalls."""
        read, now_s = self._response.content.readany, self._loop.time
        try:
            while True:
                self._waiting_since_s = now_s()
                data = await read()
                self._waiting_since_s = NOT_WAITING
                if not data:
                    return
                yield Chunk(data, time.monotonic_ns())
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamTorn(f"the upstream's body broke off: {str(error) or type(error).__name__}") from error

    def taken(self) -> Chunk | None:
        """Give nothing: aiohttp's reader tells only whoever waits."""
        return None

    def offer_to(self, taker: Callable[[Chunk], bool]) -> None:
        """Offer nothing: aiohttp's reader tells only whoever waits."""

    def close(self) -> None:
        """Give the connection back when the body was read to its end, and close it otherwise."""
        self._alarm.cancel()
        if self._closed is not None:
            self._closed.remove_done_callback(self._lost)
        if self._response.content.is_eof() and self._response.content.exception() is None:
            self._response.release()
        else:
            self._response.close()

    def _check_idle(self) -> None:
        """Break off a body that stalls; one timer for each answer, so that a chunk costs no timer."""
        left_s = self._waiting_since_s + self._idle_s - self._loop.time()
        if left_s <= 0:
            self._break(f"nothing came for {self._idle_s:g} s")
        else:
            self._alarm = self._loop.call_later(min(left_s, self._idle_s), self._check_idle)

    def _notice_loss(self) -> None:
        """Notice a lost connection: after a bad chunk aiohttp closes it, but does not tell whoever reads the body."""
        protocol = self._response.connection and self._response.connection.protocol
        # Compared with None: the protocol is a queue, and so false while it is empty.
        self._closed = None if protocol is None else protocol.closed
        if self._closed is not None:
            self._closed.add_done_callback(self._lost)
            self._closed.remove_done_callback(_take)  # of the answer before this one
            self._closed.add_done_callback(_take)

    def _lost(self, _: asyncio.Future[None]) -> None:
        self._break("the connection was lost")

    def _break(self, reason: str) -> None:
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError(reason))


def _take(closed: asyncio.Future[None]) -> None:
    """Take a connection's end, also of one that idles: else asyncio complains of an exception not retrieved."""
    closed.cancelled() or closed.exception()


def _connector(options: UpstreamOptions, tls: ssl.SSLContext | None) -> aiohttp.BaseConnector:
    """A pool of this upstream's own, without a limit: `streams_max` bounds what is in flight."""
    if options.socket is not None:
        return aiohttp.UnixConnector(options.socket, limit=0, keepalive_timeout=options.kept_s)
    return aiohttp.TCPConnector(
        limit=0, keepalive_timeout=options.kept_s, ssl=tls or True, happy_eyeballs_delay=options.stagger_s
    )


async def _timed(
    body: AsyncIterator[bytes], deadline: asyncio.Timeout, options: UpstreamOptions
) -> AsyncIterator[bytes]:
    """Let the wait for the head begin when the body was sent: an upload takes its time, while the upstream reads it."""
    now_s = asyncio.get_running_loop().time
    waiting = _postpone(deadline, None)
    yield b""  # aiohttp keeps the head back until the body's first write, and the client may wait for an answer to it
    async for piece in body:
        waiting = waiting and _postpone(deadline, now_s() + options.idle_s)
        yield piece
        waiting = waiting and _postpone(deadline, None)
    if waiting:
        _postpone(deadline, now_s() + options.first_byte_s)


def _postpone(deadline: asyncio.Timeout, when_s: float | None) -> bool:
    """Move the deadline; answers whether anybody still waits (an answer may come before the upload's end)."""
    try:
        deadline.reschedule(when_s)
    except RuntimeError:
        return False
    return True


def _as_text(headers: Headers) -> CIMultiDict[str]:
    """Render for aiohttp, which takes text, writes UTF-8, and would drop a field repeated in another case."""
    spelling: dict[bytes, str] = {}
    fields: CIMultiDict[str] = CIMultiDict()
    for name, value in headers:
        fields.add(spelling.setdefault(name.lower(), name.decode("ascii")), _utf8(name, value))
    return fields


def _utf8(name: bytes, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"the field {name.decode('ascii')} is no UTF-8; this engine cannot pass it on unchanged"
        raise BadRequest(message) from error
