"""One upstream's options, and what every engine sends to it: where the target goes, and which fields go along."""

from __future__ import annotations

from typing import Literal

from yarl import URL

from wiretape.edge.address import UNIX
from wiretape.edge.tls import UpstreamTls
from wiretape.exchange import Headers, Request
from wiretape.wire.headers import HOP_BY_HOP, end_to_end
from wiretape.wire.trace import passed_on

EngineName = Literal["fast", "reference"]
_OURS = HOP_BY_HOP | {b"host", b"expect"}
"""Of one connection, written anew for the upstream, or already answered here."""


class UpstreamOptions(UpstreamTls, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One upstream: where it is and how long it may take."""

    url: str
    """Scheme, host and optional path; the request's target is appended to the path."""
    socket: str | None = None
    """Path of a unix socket to connect to; the URL, with `http://`, then gives `Host` and the path alone."""
    name: str = "default"
    """Label in traces, metrics and the ledger."""
    provider: str = "openai"
    """Whose service it is, in the words of `gen_ai.provider.name` (`azure.ai.openai`); a price may be for one alone."""
    prefix: str = "/"
    """Requests whose path begins with this go here; the longest prefix wins."""
    strip_prefix: bool = False
    """Whether the prefix is taken off before the target is appended."""
    connect_s: float = 10.0
    """Seconds for name, connect and TLS together."""
    stagger_s: float = 0.25
    """Seconds before a name's next address is tried beside the one before (RFC 8305 section 5); at once where that
    one has failed."""
    first_byte_s: float = 600.0
    """Seconds from the end of the request to the response's head."""
    idle_s: float = 300.0
    """Seconds between two chunks of a body; there is no total."""
    header_bytes_max: int = 65_536
    """Bytes of one response header line."""
    headers_max: int = 256
    """Fields of one response head."""
    interim_max: int = 100
    """1xx answers before the final one; the `reference` engine has no such bound."""
    kept_s: float = 15.0
    """Seconds that an idle connection is kept for the next request."""
    kept_max: int = 4_096
    """Idle connections kept; the `reference` engine has no such bound."""
    read_ahead_bytes_max: int = 65_536
    """Bytes of a body read ahead of a slow client; one more read of the socket may come on top."""

    @property
    def place(self) -> str:
        """Where it is, for messages and telemetry."""
        return self.url if self.socket is None else UNIX + self.socket


class Place:
    """Where an upstream is."""

    def __init__(self, options: UpstreamOptions) -> None:
        url = options.url if options.url.isascii() else str(URL(options.url))  # punycode, percent-encoding
        self.origin = URL(url, encoded=True)
        self.host = self.origin.raw_host or ""
        self.port = self.origin.port or 0
        self.authority = self.origin.host_port_subcomponent or ""
        """The value of `Host`: no port where it is the scheme's own (RFC 9110 section 7.2)."""
        self._path = self.origin.raw_path.rstrip("/")
        self._strip = options.prefix.rstrip("/") if options.strip_prefix else ""

    def target(self, target: str) -> str:
        """Give the target sent on: appended byte by byte to the URL's own path, the prefix taken off before."""
        rest = target.removeprefix(self._strip)
        return self._path + (rest if rest.startswith("/") or rest == "*" else "/" + rest)


def outbound(request: Request) -> Headers:
    """The fields passed on: end to end, with `traceparent` naming our exchange where the upstream is told of it."""
    headers = end_to_end(request.headers, _OURS)
    return headers if request.trace is None else passed_on(headers, request.trace)
