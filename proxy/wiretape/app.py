"""The one place where parts are put together: a Config becomes a proxy that listens."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Self, TextIO

from msgspec import Struct
from msgspec.structs import replace
from opentelemetry.sdk.trace.export import SpanExporter

from wiretape import __version__
from wiretape.cassette.plan import Mode
from wiretape.cassette.show import printable
from wiretape.config import NONE, SANDBOX, Config, checked, upstreams
from wiretape.edge import listen
from wiretape.edge.address import Address, Reserved, parse_address, reserve
from wiretape.edge.admin import Health, admin
from wiretape.edge.arrival import Marks, new_bits
from wiretape.edge.guard import Guard
from wiretape.edge.listen import Listener
from wiretape.edge.relay import Relay
from wiretape.edge.session_api import SessionApi
from wiretape.edge.sessions import Sessions
from wiretape.edge.store import Sealed
from wiretape.edge.tls import server_context
from wiretape.edge.upstream import UpstreamOptions
from wiretape.errors import ConfigError
from wiretape.keeping import keeper, ledger
from wiretape.ledger.options import parse_ledger_url
from wiretape.ledger.price_list import prices
from wiretape.ledger.saving import Saving
from wiretape.ledger.secret import hash_secret
from wiretape.runs.observer import Runs
from wiretape.runs.prices import Prices
from wiretape.runs.report import Sink
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.server import served
from wiretape.sources import Sources, peers
from wiretape.telemetry.budget import EXPORT_SHARE, FLUSH_S, LOG_SHARE, OPEN_RUNS_SHARE, SINKS_SHARE, Budget
from wiretape.telemetry.complaints import LoopErrors
from wiretape.telemetry.fanout import Fanout
from wiretape.telemetry.log import Nowhere, line_logger
from wiretape.telemetry.options import Gauges
from wiretape.telemetry.redaction import Redacted
from wiretape.telemetry.setup import telemetry
from wiretape.telemetry.stream import unblocked
from wiretape.wire.credential import KeyHashes

SWEEP_EVERY_S = 1.0
TOKEN_BYTES = 32


class Outcome(Struct, frozen=True):
    """What a proxy leaves behind when it has closed."""

    sealed: Sealed | None = None
    """The cassette it wrote."""
    unrecorded: int = 0
    """Exchanges that a bound or the disk kept out of the cassette."""
    stopped: str | None = None
    """Why recording stopped before the proxy did."""
    refused: int = 0
    """Requests that no recording answered."""
    misses: tuple[str, ...] = ()
    """Why, for the first ones of each session."""
    unplayed: tuple[str, ...] = ()
    """Recorded requests that nobody made."""
    drift: tuple[str, ...] = ()
    """Where live answers differ from recorded ones."""


async def start_sandbox(options: SandboxOptions, address: Address) -> Listener:
    """Start an Assistants server of its own. Raises ConfigError for a script or a state that cannot be read."""
    reserved = reserve(address)
    try:
        return await listen.application(served(options), reserved)
    except ConfigError:
        reserved.close()
        raise


class Proxy:
    """A running proxy: two listeners, a mode, sinks. Make one with `start`, end it with `close`."""

    traffic: Listener
    admin: Listener
    relay: Relay
    loop_errors: LoopErrors
    """For the exception handler of a loop that is the proxy's alone."""
    _sweeping: asyncio.TimerHandle

    def __init__(self, config: Config) -> None:
        self.config = config
        self.sandbox: Listener | None = None
        """The embedded server, where it is the upstream."""
        self.token_made: str | None = None
        """The admin token, where none was set and others than this machine can ask."""
        self._open = AsyncExitStack()
        self._sources = Sources(config, self._open)
        self._lag_s = 0.0
        self._flush = Budget(FLUSH_S)
        self.closed = False

    @classmethod
    async def start(
        cls,
        config: Config,
        *,
        environ: Mapping[str, str] | None = None,
        log: TextIO | None = None,
        exporter: SpanExporter | None = None,
        sinks: Sequence[Sink] = (),
    ) -> Self:
        """Put the parts together and listen; raises the errors of configuration, cassettes and ledger.

        `environ` is read for `OTEL_*`; log lines go to `log`, or nowhere; `exporter` is given every span, and
        `sinks` every report beside our own sinks.
        """
        proxy = cls(checked(config))
        try:
            await proxy._assemble(os.environ if environ is None else environ, log or Nowhere(), exporter, sinks)
        except BaseException:
            await proxy._open.aclose()
            raise
        return proxy

    @property
    def draining(self) -> bool:
        """Whether what is new is refused, because the proxy is stopping."""
        return self.relay.draining

    @property
    def sessions(self) -> Sessions | None:
        """The sessions, where the mode has some; for the proxy's own loop alone."""
        return self._sources.sessions

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know of the cassettes that answer, with their files: damaged lines, edited bodies."""
        return self._sources.notes

    def hurry(self) -> None:
        """Stop waiting for exchanges in flight: a second signal has come."""
        self.relay.hurry()

    async def close(self) -> Outcome:
        """Drain, cut what is left, save or report what is open, flush every sink, seal the cassette."""
        self.closed = True
        self.relay.draining = True
        try:
            await self.traffic.stop_accepting()
            await self.relay.drain(self.config.drain_s)
        finally:
            await self._open.aclose()
        return self._outcome()

    async def _assemble(
        self, environ: Mapping[str, str], log: TextIO, exporter: SpanExporter | None, sinks: Sequence[Sink]
    ) -> None:
        config = self.config
        addresses = self._reserved(config.listen, shared=config.reuse_port), self._reserved(config.admin)
        log = self._lines = unblocked(log, config.telemetry.queue_max)
        self._open.push_async_callback(self._flush.end, LOG_SHARE, self._lines.end)
        logger = line_logger(log, colors="NO_COLOR" not in environ)
        self.loop_errors = LoopErrors(logger, config.telemetry.warn_every_s)
        behind = self._behind = await self._upstreams()
        self._telemetry = telemetry(
            config.telemetry, self._gauges(), logger, peers=peers(behind), environ=environ, exporter=exporter, log=log
        )
        self._open.push_async_callback(self._flush.end, EXPORT_SHARE, self._telemetry.shutdown)
        self._ledger = ledger(config)
        sinks = (*self._telemetry.sinks, *self._ledger, *sinks)
        self._fanout = Fanout(sinks, config.telemetry, logger, priced=_prices(config, behind).priced)
        self._open.push_async_callback(self._flush.end, SINKS_SHARE, self._fanout.close)
        self._reports = Redacted(self._fanout, config.redact)
        self._saving = Saving(keeper(config, logger), self._reports)
        self._runs = Runs(config.runs, self._saving.run, lambda: new_bits(64), self._reports.correction)
        self._open.push_async_callback(self._flush.end, OPEN_RUNS_SHARE, partial(self._saving.close, self._runs))
        await asyncio.to_thread(self._saving.restore, self._runs, [one.name for one in behind], logger.info)
        source = await self._sources.open(behind)
        told = (self._runs, self._reports, self._marks()) if self._fanout.is_heard else None
        self.relay = Relay(source, told, logger, config.edge)
        self._sweep(asyncio.get_running_loop().time())
        self._open.callback(lambda: self._sweeping.cancel())  # noqa: PLW0108  each sweep sets another timer
        await self._listen(*addresses)
        self._sources.kept = True

    def _marks(self) -> Marks:
        beside = None if self.config.ledger == NONE else parse_ledger_url(self.config.ledger)
        secret = self.config.hash_key.encode() if self.config.hash_key else hash_secret(beside)
        return Marks(KeyHashes(secret), self._telemetry.tracing)

    def _reserved(self, address: str, *, shared: bool = False) -> Reserved:
        """Take an address first of all, so that one in use is found before anything is opened or written."""
        reserved = reserve(parse_address(address), shared=shared, mode=self.config.edge.socket_bits)
        self._open.callback(reserved.close)
        return reserved

    async def _upstreams(self) -> tuple[UpstreamOptions, ...]:
        """Give the upstreams; starts the sandbox where it is one. Replay has none."""
        if self.config.mode is Mode.REPLAY:
            return ()
        if self.config.upstream != SANDBOX:
            return upstreams(self.config)
        self.sandbox = await start_sandbox(self.config.sandbox, Address("127.0.0.1", 0))
        self._open.push_async_callback(self.sandbox.close)
        return (UpstreamOptions(url=self.sandbox.url, name=SANDBOX),)

    async def _listen(self, traffic: Reserved, admin_reserved: Reserved) -> None:
        cert, key = self.config.tls_cert, self.config.tls_key
        tls = None if cert is None else server_context(cert, key)
        self.traffic = await listen.traffic(self.relay, traffic, self.config.edge, tls=tls)
        self._open.push_async_callback(self.traffic.close)
        if self.config.admin_token is None and not admin_reserved.address.is_local:
            self.token_made = secrets.token_urlsafe(TOKEN_BYTES)
        guard = Guard(self.config.admin_token or self.token_made, self.config.admin_hosts)
        health = Health(
            ready=lambda: not self.relay.draining,
            metrics=self._telemetry.prometheus,
            state=self._state,
            sessions=SessionApi(self._sources.sessions, lambda: self.traffic.url),
        )
        self.admin = await listen.application(admin(health, guard), admin_reserved)
        self._open.push_async_callback(self.admin.close)

    def _state(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "mode": self.config.mode.value,
            "draining": self.relay.draining,
            "recording": self._sources.recording.counts if self._sources.recording else None,
            "upstreams": [{"name": one.name, "prefix": one.prefix, "place": one.place} for one in self._behind],
            "counts": {"streams_active": self.relay.active, "runs_open": self._runs.open, "dropped": self._dropped()},
        }

    def _gauges(self) -> Gauges:
        return Gauges(
            connections_active=lambda: self.traffic.connections,
            connections_refused=lambda: self.traffic.refused,
            upstream_incidents=self._sources.engines.incidents,
            streams_active=lambda: self.relay.active,
            streams_drained=lambda: self.relay.leaving.ended,
            stream_buffered_bytes=lambda: self.relay.buffered_bytes,
            runs_open=lambda: self._runs.open,
            telemetry_queue=lambda: self._fanout.depth,
            telemetry_dropped=self._dropped,
            ledger_purged=lambda: sum(one.purged for one in self._ledger),
            loop_errors=lambda: dict(self.loop_errors.counts),
            event_loop_lag_s=lambda: self._lag_s,
        )

    def _dropped(self) -> dict[str, int]:
        recording = self._sources.recording
        lost, passed = (recording.dropped, recording.lookbacks_passed) if recording else (0, 0)
        ours = {
            "redaction": self._reports.dropped,
            "runs_evicted": self._runs.evicted,
            "log_lines": self._lines.dropped,
            "open_runs": self._saving.lost,
        }
        aside = sum(one.set_aside for one in self._ledger)
        seen = {"ledger_damaged": aside, "recorder": lost, "redact_lookback": passed}
        return {**self._fanout.dropped, **ours, **seen}

    def _sweep(self, due_s: float) -> None:
        """Abandon what is overdue, and see how late the loop is."""
        loop = asyncio.get_running_loop()
        self._lag_s = max(loop.time() - due_s, 0.0)
        self._sweeping = loop.call_at(due_s + SWEEP_EVERY_S, self._sweep, due_s + SWEEP_EVERY_S)
        self._runs.sweep(time.monotonic_ns())
        self._saving.some(self._runs, self.config.audit)

    def _outcome(self) -> Outcome:
        recording, sessions = self._sources.recording, self._sources.sessions
        outcome = Outcome(self._sources.sealed)
        if recording is not None:
            outcome = replace(outcome, unrecorded=recording.dropped, stopped=recording.reason)
        if sessions is not None:
            left = tuple(printable(f"{one.method} {one.target}") for one in sessions.unplayed())
            outcome = replace(
                outcome, refused=sessions.refused, misses=sessions.misses, unplayed=left, drift=sessions.drift
            )
        return outcome


def _prices(config: Config, behind: tuple[UpstreamOptions, ...]) -> Prices:
    providers = {name: peer.provider for name, peer in peers(behind).items()}
    return prices(config.price, config.audit, providers)
