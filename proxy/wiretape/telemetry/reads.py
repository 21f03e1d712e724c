"""Metrics that are asked for when somebody reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from opentelemetry.metrics import CallbackOptions, Observation

from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.options import Gauges

Read = Callable[[CallbackOptions], Iterable[Observation]]


def gauge_reads(gauges: Gauges) -> dict[str, Read]:
    """What each instrument's callback is, by its name; a gauge that nobody can read has none."""
    asked = {
        v.CONNECTIONS_ACTIVE: gauges.connections_active,
        v.STREAMS_ACTIVE: gauges.streams_active,
        v.RUNS_OPEN: gauges.runs_open,
        v.QUEUE: gauges.telemetry_queue,
        v.BUFFERED: gauges.stream_buffered_bytes,
        v.PURGED: gauges.ledger_purged,
        v.LOOP_LAG: gauges.event_loop_lag_s,
    }
    counted = {
        v.REFUSED: _counts(v.REASON, gauges.connections_refused, v.REFUSED.known),
        v.INCIDENTS: _counts(v.REASON, gauges.upstream_incidents),
        v.DRAINED: _counts(v.REASON, gauges.streams_drained),
        v.LOOP_ERRORS: _counts(v.ERROR_TYPE, gauges.loop_errors),
    }
    single = {one.name: _single(ask) for one, ask in asked.items() if ask is not None}
    return single | {one.name: read for one, read in counted.items()}


def _single(ask: Callable[[], float]) -> Read:
    return lambda _: (Observation(ask()),)


def _counts(attribute: str, ask: Callable[[], Mapping[str, int]], known: Iterable[str] = ()) -> Read:
    def read(_: CallbackOptions) -> Iterator[Observation]:
        counts = {**dict.fromkeys(known, 0), **ask()}
        return (Observation(count, {attribute: kind}) for kind, count in counts.items())

    return read
