"""Where a proxy's answers come from: a mode's source, put together of upstream clients, cassettes and sessions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from itertools import accumulate
from pathlib import Path
from urllib.parse import urlsplit

from wiretape import __version__
from wiretape.cassette.format import Tape
from wiretape.cassette.match import Library, Matching
from wiretape.cassette.plan import Mode
from wiretape.cassette.shelf import Row
from wiretape.config import SANDBOX, Config
from wiretape.edge.engines.choice import Engines
from wiretape.edge.modes import Auto, Forward, Record, Replay, Source, Verify
from wiretape.edge.recording import Recording
from wiretape.edge.routes import Prefixes
from wiretape.edge.sessions import Chosen, Sessions, SessionSettings
from wiretape.edge.store import Sealed, load, recorded, stem_of
from wiretape.edge.upstream import UpstreamOptions
from wiretape.errors import ConfigError
from wiretape.exchange import Upstream
from wiretape.telemetry.options import Peer


class Sources:
    """The mode's parts; what `open` has opened is closed by the stack it was given."""

    def __init__(self, config: Config, opened: AsyncExitStack) -> None:
        self.engines = Engines(config.engine)
        self.recording: Recording | None = None
        self.sessions: Sessions | None = None
        self.sealed: Sealed | None = None
        """The cassette that was written, once all is closed."""
        self.notes: list[str] = []
        """What a person should know of the cassettes that answer: damaged lines, edited bodies."""
        self.kept = False
        """Whether closing seals what was recorded: a start that failed leaves nothing behind."""
        self._config = config
        self._opened = opened

    async def open(self, behind: tuple[UpstreamOptions, ...]) -> Source:
        """Make the mode's source. Raises the errors of cassettes."""
        config = self._config
        replay = await self._replay() if config.mode.looks_up else None
        if replay is not None and config.mode is Mode.REPLAY:
            return replay
        routes = Prefixes((one.prefix, one.name) for one in behind)
        clients = {one.name: self._client(one) for one in behind}
        if config.mode is Mode.FORWARD:
            return Forward(routes, clients)
        if replay is not None and config.mode is Mode.VERIFY:
            return Verify(routes, clients, replay)
        record = Record(routes, clients, self._record(behind), config.mode)
        return record if replay is None else Auto(replay, record)

    def _client(self, options: UpstreamOptions) -> Upstream:
        client = self.engines.open(options)
        self._opened.push_async_callback(client.close)
        return client

    async def _replay(self) -> Replay:
        config = self._config
        stems = {name: stem_of(name, Path(config.cassette_dir)) for name in config.cassette}
        # In `auto` the one that is recorded to may have to begin.
        begins = config.cassette[0] if config.mode is Mode.AUTO else None
        paths = {name: recorded(stem) for name, stem in stems.items()}
        known = {name: found for name, found in paths.items() if name != begins or found[0].exists()}
        tapes = await asyncio.to_thread(lambda: {name: list(map(load, found)) for name, found in known.items()})
        for name, found in known.items():
            self.notes += (f"{at}: {note}" for at, tape in zip(found, tapes[name], strict=True) for note in tape.notes)
        settings = SessionSettings(speed=config.speed, pace=config.pace, faults=config.fault)
        self.sessions = Sessions(partial(_chosen, tapes, _matching(config)), config.sessions, settings)
        return Replay(self.sessions, ", ".join(config.cassette), config.edge.matched_body_max)

    def _record(self, behind: tuple[UpstreamOptions, ...]) -> Recording:
        config, by = self._config, f"wiretape {__version__}"
        stem = stem_of(config.cassette[0], Path(config.cassette_dir))
        over = config.mode is Mode.REWRITE
        where = ", ".join(one.name if one.name == SANDBOX else one.place for one in behind)
        options, redact = config.record, config.redact
        self.recording = Recording.open(stem, where, by, time.time_ns(), options, over=over, redact=redact)
        self._opened.push_async_callback(asyncio.to_thread, self._seal, self.recording)
        return self.recording

    def _seal(self, recording: Recording) -> None:
        if self.kept:
            self.sealed = recording.seal()
        else:
            recording.discard()


def _chosen(tapes: Mapping[str, Sequence[Tape]], how: Matching, names: tuple[str, ...]) -> Chosen:
    if unknown := [name for name in names if name not in tapes]:
        raise ConfigError(f"the proxy replays no cassette {unknown[0]!r}; it replays {', '.join(tapes) or 'none'}")
    wanted = dict.fromkeys(names or tapes)
    library = Library((tape for name in wanted for tape in tapes[name]), how)
    if not names:
        return Chosen(library, range(len(library.interactions)))
    sizes = [len(Row(tape.interactions for tape in some)) for some in tapes.values()]
    held = dict(zip(tapes, map(range, accumulate(sizes, initial=0), accumulate(sizes)), strict=False))
    return Chosen(library, [place for name in wanted for place in held[name]])


def _matching(config: Config) -> Matching:
    match = config.match
    return Matching(
        rules=match.rules,
        fresh_ids=config.fresh_ids,
        polls=config.polls,
        misses_max=match.misses_max,
        redact=config.redact,
    )


def peers(behind: tuple[UpstreamOptions, ...]) -> dict[str, Peer]:
    """Where each upstream is, by its name, for telemetry."""
    return {one.name: _peer(one) for one in behind}


def _peer(one: UpstreamOptions) -> Peer:
    parts = urlsplit(one.url)
    address, port = (one.socket, None) if one.socket else (parts.hostname or "", parts.port)
    return Peer(address, port, one.provider)
