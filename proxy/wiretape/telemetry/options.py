"""What can be set about telemetry; exporters are set by the standard OTEL_* variables alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from msgspec import Struct, field

from wiretape.wire.credential import HASH_DIGITS

_HASH = re.compile(f"[0-9a-f]{{{HASH_DIGITS}}}")


class TelemetryOptions(Struct, frozen=True, kw_only=True):
    """Bounds and names of the telemetry sinks."""

    enabled: bool = True
    """Whether spans, metrics and the log are made of exchanges and runs. Without them, and with `ledger = "none"`,
    nothing looks into what passes."""
    queue_max: int = 10_000
    """Reports that may wait for one sink; what comes beyond is dropped and counted."""
    batch_max: int = 500
    """Reports that a gathering sink (the ledger) writes at once."""
    warn_every_s: float = 60.0
    """Seconds between two warnings about the same sink."""
    profile: Literal["otel", "openinference"] = "otel"
    """`openinference` says what each span is, and adds LLM token attributes on run steps, or on runs whose steps have
    none: Phoenix counts so."""
    models: tuple[str, ...] = ()
    """Model names told apart in metrics. With none given, the first `models_max` seen are."""
    models_max: int = 50
    """Model names told apart in metrics; all others are `_OTHER`."""
    agents: dict[str, str] = field(default_factory=dict)
    """Assistant id to the alias that metrics show; an assistant without one is `_OTHER`."""
    agents_max: int = 200
    """Aliases of assistants told apart in metrics, the first in the table; all others are `_OTHER`."""
    keys: dict[str, str] = field(default_factory=dict)
    """Hash of a client's key (32 hexadecimal digits, as the ledger has it) to the alias that metrics and spans show;
    in metrics a key without one is `_OTHER`."""
    keys_max: int = 50
    """Aliases of keys told apart in metrics, the first in the table; all others are `_OTHER`."""
    series_max: int = 5_000
    """Series of `/metrics` together, each bucket of a histogram one; beyond an instrument's share of them all is one
    overflow set."""
    propagate: Literal["caller", "always"] = "caller"
    """When `traceparent` goes upstream: where the caller sent one, or `always`; never where no spans are made."""
    slow_run_s: float = 60.0
    """Seconds from which on a run is kept although the ratio of `OTEL_TRACES_SAMPLER_ARG` left it out."""
    held_max: int = 10_000
    """Exchanges whose spans wait for the end of a run that the ratio left out; beyond, those of the run that waits
    longest are dropped and counted."""


def key_problems(options: TelemetryOptions) -> Iterator[str]:
    """Find names in `keys` that are no hashes; they are not quoted, for what stands there may be a key."""
    if not all(map(_HASH.fullmatch, options.keys)):
        yield "a name in [telemetry.keys] is a key's hash, 32 lower-case hexadecimal digits, and never the key itself"


class Peer(Struct, frozen=True):
    """Where an upstream is, for `server.*` and `gen_ai.provider.name`."""

    address: str
    """Host name, without scheme or port; a unix socket's path."""
    port: int | None = None
    provider: str = "openai"
    """Whose service it is, in the words of `gen_ai.provider.name`."""


Peers = Mapping[str, Peer]
"""Upstream name to its place; an upstream that is not in it has no `server.*`."""


class Gauges(Struct, frozen=True, kw_only=True):
    """Where gauges and drop counters are read, at scrape time and from any thread; each must be quick."""

    streams_active: Callable[[], int]
    runs_open: Callable[[], int]
    telemetry_queue: Callable[[], int]
    telemetry_dropped: Callable[[], Mapping[str, int]]
    """Reports lost so far by sink name (`Fanout.dropped`)."""
    ledger_purged: Callable[[], int] = int
    """Rows taken out of the ledger so far (`LedgerSink.purged`)."""
    connections_active: Callable[[], int] | None = None
    connections_refused: Callable[[], Mapping[str, int]] = dict
    """Connections refused so far by error code (`Listener.refused`)."""
    upstream_incidents: Callable[[], Mapping[str, int]] = dict
    """What the engines dropped, closed or did again so far by kind (`Engines.incidents`)."""
    loop_errors: Callable[[], Mapping[str, int]] = dict
    """Errors on the event loop so far by type (`LoopErrors.counts`)."""
    streams_drained: Callable[[], Mapping[str, int]] = dict
    """Streams read on without their clients so far, by what ended that (`Leaving.ended`)."""
    stream_buffered_bytes: Callable[[], int] | None = None
    event_loop_lag_s: Callable[[], float] | None = None
