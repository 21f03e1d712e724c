"""What one exchange costs and carries: times and counts, taken as it goes, read once at its end."""

from __future__ import annotations

from msgspec import structs

from wiretape.edge.tee import Tee
from wiretape.edge.upload import Upload
from wiretape.exchange import Chunk, Ending, Head, Request, Trace
from wiretape.runs.observer import Seen
from wiretape.runs.report import ExchangeReport
from wiretape.wire.headers import has, milliseconds, value

OVERHEADS_MAX = 256
"""Chunks whose own time is kept; the first ones, so that a long stream costs no more than a short one."""

NS_PER_MS = 1_000_000


class Meter:
    """Monotonic nanoseconds and byte counts of one exchange."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.opened_ns: int | None = None
        """When the request was passed on to an upstream."""
        self.head: Head | None = None
        self.head_cost_ns = 0
        self.refused_status: int | None = None
        """The status of an answer of our own."""
        self.played: str | None = None
        self.first_chunk_ns: int | None = None
        self.costs_ns: list[int] = []
        self.bytes_out = 0
        self.chunks = 0

    def answered(self, head: Head, now_ns: int) -> None:
        """Take note of a head, which the client has as of `now_ns`."""
        self.head = head
        self.head_cost_ns = max(now_ns - head.at_ns, 0)

    def timed(self, head: Head, now_ns: int) -> Head:
        """Add a `Server-Timing` field (W3C Server Timing section 2) with the time that we ourselves have added.

        That is the time before the request was passed on, and since its head came back; where nobody was asked,
        all of it.
        """
        elsewhere_ns = 0 if self.opened_ns is None else head.at_ns - self.opened_ns
        own_ns = now_ns - self.request.at_ns - elsewhere_ns
        field = (b"Server-Timing", b"wiretape;dur=%.3f" % (max(own_ns, 0) / NS_PER_MS))
        return structs.replace(head, headers=(*head.headers, field))

    def passed(self, chunk: Chunk, now_ns: int) -> None:
        """Take note of a chunk, which the client's transport has as of `now_ns`."""
        self.chunks += 1
        self.bytes_out += len(chunk.data)
        if self.first_chunk_ns is None:
            self.first_chunk_ns = chunk.at_ns
        if self.chunks <= OVERHEADS_MAX:
            self.costs_ns.append(now_ns - chunk.at_ns)

    def wall(self, at_ns: int | None) -> int | None:
        """Turn a monotonic reading into nanoseconds since the epoch."""
        return None if at_ns is None else self.request.wall_ns + at_ns - self.request.at_ns


def report(  # noqa: PLR0913, PLR0917  one argument for each witness of the exchange
    meter: Meter, ending: Ending, seen: Seen, mode: str, cassette: str | None, upload: Upload, tee: Tee
) -> ExchangeReport:
    """Put together what is known of an exchange that has ended."""
    request, head = meter.request, meter.head
    return ExchangeReport(
        trace=request.trace or Trace(0, 0, 0),
        method=request.method,
        route=seen.route,
        status=head.status if head else meter.refused_status,
        how=ending.how,
        code=ending.code,
        upstream=request.upstream,
        key_hash=request.key_hash,
        session=request.session,
        mode=mode,
        cassette=cassette,
        played=meter.played,
        start_ns=request.wall_ns,
        end_ns=request.wall_ns + ending.at_ns - request.at_ns,
        upstream_start_ns=meter.wall(meter.opened_ns),
        head_ns=meter.wall(head.at_ns) if head else None,
        first_chunk_ns=meter.wall(meter.first_chunk_ns),
        overhead_request_ns=meter.opened_ns - request.at_ns if meter.opened_ns else 0,
        overhead_head_ns=meter.head_cost_ns,
        overhead_chunks_ns=tuple(meter.costs_ns),
        bytes_in=upload.bytes_in,
        bytes_out=meter.bytes_out,
        chunks=meter.chunks,
        streamed=seen.streamed,
        events=seen.events,
        events_unknown=seen.events_unknown,
        fields_unknown=seen.fields_unknown,
        decoder_errors=seen.decoder_errors,
        observers_dropped=len(tee.dropped),
        # Announced ones (RFC 9110 section 6.6.2): the parsers keep the fields themselves.
        trailers_dropped=sum([has(one.headers, b"trailer") for one in (request, head) if one]),
        upstream_request_id=value(head.headers, b"x-request-id") if head else None,
        upstream_processing_ms=milliseconds(head.headers) if head else None,
        run_key=seen.run_key,
        run_trace=seen.run_trace,
        run_span_id=seen.run_span_id,
        agent_created=seen.agent_created,
    )
