"""The frozen values everyone passes on: what was asked, what came back in which pieces, how it ended.

Times ride on the values, so nobody below the rim reads a clock: `*_ns` is monotonic nanoseconds of one
process, `wall_ns` is nanoseconds since the Unix epoch taken at the same instant.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

Headers = tuple[tuple[bytes, bytes], ...]
"""Header fields as they were on the wire: names in their own case, repeats and order kept."""


class Trace(Struct, frozen=True):
    """Ids of an exchange's spans, chosen when its head is seen (W3C Trace Context)."""

    trace_id: int
    server_span_id: int
    client_span_id: int
    parent_span_id: int | None = None
    """The caller's span, when it sent a `traceparent`."""
    sampled: bool = True
    client: Trace | None = None
    """Where the CLIENT span lies, when that is a run's trace and not the caller's."""
    pending: bool = False
    """Not sampled by chance alone: kept all the same where it turns out that its run failed or was slow."""
    told: bool = False
    """Whether the upstream is told of it by `traceparent`."""
    state: str = ""
    """The caller's `tracestate`."""


class Request(Struct, frozen=True):
    """A request's head, as forwarded: session prefix and session header are already off."""

    method: str
    target: str
    """Raw origin-form: path and query as sent, percent-encoding untouched."""
    headers: Headers
    at_ns: int
    wall_ns: int
    upstream: str = "default"
    session: str = "default"
    trace: Trace | None = None
    key_hash: str | None = None
    """A keyed hash of the credential it came with (`wire.credential`)."""

    @property
    def path(self) -> str:
        """The target up to the first `?`."""
        return self.target.partition("?")[0]


class Head(Struct, frozen=True):
    """A response's status line and header fields."""

    status: int
    headers: Headers
    at_ns: int
    reason: str = ""


class Chunk(Struct, frozen=True):
    """Bytes of a body as they arrived in one read."""

    data: bytes
    at_ns: int


class How(StrEnum):
    """How an exchange ended; each ends exactly once."""

    COMPLETE = "complete"
    UPSTREAM_FAILED = "upstream_failed"
    CLIENT_LEFT = "client_left"
    CANCELLED = "cancelled"
    """Wiretape itself stopped it (shutdown)."""
    REFUSED = "refused"
    """Wiretape answered in the upstream's place, with an error of its own."""


class Ending(Struct, frozen=True):
    """The end of an exchange; `code` names the error where there was one (see `errors`)."""

    how: How
    at_ns: int
    code: str | None = None


class Observer(Protocol):
    """One exchange, watched. Calls come in this order; each may raise: it is then dropped and counted.

    `sent` pieces are the request's body, `chunk` pieces the response's, both after they were passed on.
    """

    def sent(self, chunk: Chunk) -> None: ...

    def head(self, head: Head) -> None: ...

    def chunk(self, chunk: Chunk) -> None: ...

    def end(self, ending: Ending) -> None: ...


class Answer(Protocol):
    """Where a response comes from: an upstream, or a cassette. Its head is there; its body arrives."""

    head: Head

    def chunks(self) -> AsyncIterator[Chunk]:
        """Give the body as it arrives; raises `UpstreamTorn` where it breaks off."""
        ...

    def taken(self) -> Chunk | None:
        """Give a piece of the body that is there already, or None; then `chunks` begins after it."""
        ...

    def offer_to(self, taker: Callable[[Chunk], bool]) -> None:
        """Let a piece be offered as it comes, while `chunks` is waited on; what is taken is not given by `chunks`.

        An answer may leave it at that, and give all by `chunks`.
        """
        ...

    @property
    def is_over(self) -> bool:
        """Whether the body is whole, and all of it was taken."""
        ...

    def close(self) -> None:
        """Let go at once; a body not read to its end costs the connection."""
        ...


class Pending(Answer, Protocol):
    """An answer that was asked for, and whose head may yet have to come."""

    has_head: bool

    def when_begun(self, told: Callable[[], None]) -> None:
        """Call once when the head has come with what the same read brought, or when none will; not after `close`."""
        ...

    async def opened(self) -> Answer:
        """Wait for the head; gives this answer, or another one where it was safe to ask again. Raises as `open`."""
        ...


class Upstream(Protocol):
    """One server behind the proxy, with its own connections."""

    def ask(self, request: Request, body: bytes | None) -> Pending | None:
        """Pass on at once a request whose body is here; None, with nothing sent, where that takes a wait."""
        ...

    async def open(self, request: Request, body: AsyncIterator[bytes] | None) -> Answer:
        """Pass the request on and wait for the head; raises the `upstream_…` errors."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
