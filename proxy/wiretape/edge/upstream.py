"""An upstream by aiohttp's own client: nothing followed, kept, decompressed or retried that was not asked for.

The traps that the arguments below avoid are measured in aiohttp 3.14.5: a connector limit of 100, a truncated
gzip body that ends without error when aiohttp decompresses it, cookies that cross between clients, and a total
timeout that cuts long streams.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
from msgspec import Struct
from multidict import CIMultiDict
from yarl import URL

from wiretape.errors import UpstreamProtocolError, UpstreamTimeout, UpstreamTorn, UpstreamUnreachable
from wiretape.exchange import Chunk, Head, Headers, Request
from wiretape.wire.headers import end_to_end, without
from wiretape.wire.trace import TRACEPARENT, traceparent

SWITCHING_PROTOCOLS = 101
_OURS = frozenset({b"host", b"expect"})
"""Written anew for the upstream, or already answered here."""
_NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class UpstreamOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One upstream: where it is and how long it may take."""

    url: str
    """Scheme, host and optional path; the request's target is appended to the path."""
    name: str = "default"
    """Label in traces, metrics and the ledger."""
    prefix: str = "/"
    """Requests whose path begins with this go here; the longest prefix wins."""
    strip_prefix: bool = False
    """Whether the prefix is taken off before the target is appended."""
    connect_s: float = 10.0
    """Seconds for name, connect and TLS together."""
    first_byte_s: float = 600.0
    """Seconds from the request's end to the response's head."""
    idle_s: float = 300.0
    """Seconds between two chunks of a body; there is no total."""
    header_bytes_max: int = 65_536
    """Bytes of one response header line."""
    headers_max: int = 256
    """Fields of one response head."""


class ClientUpstream:
    """The reference engine: one ClientSession, unlimited connections, kept alive."""

    def __init__(self, options: UpstreamOptions) -> None:
        self.options = options
        self._base = options.url.rstrip("/")
        self._origin = URL(options.url, encoded=True)
        self._path = self._origin.raw_path.rstrip("/")
        self._strip = options.prefix.rstrip("/") if options.strip_prefix else ""
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_field_size=options.header_bytes_max,
            max_headers=options.headers_max,
            max_line_size=options.header_bytes_max,
            skip_auto_headers=_NOT_ADDED,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=options.connect_s, sock_read=options.idle_s),
            trust_env=False,
        )

    async def open(self, request: Request, body: AsyncIterator[bytes] | None) -> ClientAnswer:
        """Pass the request on and wait for the head."""
        try:
            async with asyncio.timeout(self.options.connect_s + self.options.first_byte_s):
                response = await self._send(request, body)
        except aiohttp.ServerTimeoutError as error:
            raise _timed_out(error, self.options) from error
        except TimeoutError as error:
            raise UpstreamTimeout(f"no response head from {self._base} in {self.options.first_byte_s:g} s") from error
        except aiohttp.ClientResponseError as error:
            raise UpstreamProtocolError(f"{self._base} answered with what is no HTTP response head") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamUnreachable(
                f"{self._base} could not be reached: {str(error) or type(error).__name__}"
            ) from error
        return self._checked(response)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _send(self, request: Request, body: AsyncIterator[bytes] | None) -> aiohttp.ClientResponse:
        return await self._session.request(
            request.method,
            self._url(request.target),
            allow_redirects=False,
            data=body,
            headers=_as_text(outbound(request)),
        )

    def _url(self, target: str) -> URL:
        # The whole target goes in as the path: yarl would drop a fragment and a lone `?`, and we change no byte.
        path = self._path + target.removeprefix(self._strip)
        return URL.build(scheme=self._origin.scheme, authority=self._origin.raw_authority, path=path, encoded=True)

    def _checked(self, response: aiohttp.ClientResponse) -> ClientAnswer:
        # aiohttp hands a 101 on as a success; there is nothing on our side that could speak the new protocol.
        if response.status == SWITCHING_PROTOCOLS:
            response.close()
            raise UpstreamProtocolError(f"{self._base} switched protocols without being asked")
        return ClientAnswer(response)


class ClientAnswer:
    """A response of aiohttp's client, its body still encoded as it was sent."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.head = Head(response.status, response.raw_headers, time.monotonic_ns(), response.reason or "")

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Give whatever one read brings; raises UpstreamTorn where the body breaks off or stalls."""
        read = self._response.content.readany
        try:
            while data := await read():
                yield Chunk(data, time.monotonic_ns())
        except aiohttp.SocketTimeoutError as error:
            raise UpstreamTorn("the upstream's body stalled") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamTorn("the upstream's body broke off") from error

    def close(self) -> None:
        """Give the connection back when the body was read to its end, and close it otherwise."""
        if self._response.content.is_eof() and self._response.content.exception() is None:
            self._response.release()
        else:
            self._response.close()


def outbound(request: Request) -> Headers:
    """The fields passed on: end to end, with `traceparent` naming our exchange where the caller sent one."""
    headers = without(end_to_end(request.headers), _OURS)
    trace = request.trace
    if trace is None or trace.parent_span_id is None:
        return headers
    ours = traceparent(trace.client_trace_id or trace.trace_id, trace.client_span_id, sampled=trace.sampled)
    return tuple((name, ours if name.lower() == TRACEPARENT else value) for name, value in headers)


def _as_text(headers: Headers) -> CIMultiDict[str]:
    """Render for aiohttp, which takes text, writes UTF-8, and would drop a field repeated in another case."""
    spelling: dict[bytes, str] = {}
    fields: CIMultiDict[str] = CIMultiDict()
    for name, value in headers:
        fields.add(spelling.setdefault(name.lower(), name.decode("ascii")), value.decode("utf-8", "surrogateescape"))
    return fields


def _timed_out(error: Exception, options: UpstreamOptions) -> UpstreamTimeout | UpstreamUnreachable:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return UpstreamUnreachable(f"{options.url} did not accept a connection in {options.connect_s:g} s")
    return UpstreamTimeout(f"no response head from {options.url} in {options.idle_s:g} s")
