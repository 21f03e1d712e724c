"""What each mode does with a request: pass it on, play it back, or both; each asks for only what it needs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from wiretape.cassette import plan as plans
from wiretape.cassette.format import Interaction
from wiretape.cassette.miss import Miss
from wiretape.cassette.performance import Performance
from wiretape.cassette.plan import Mode, plan
from wiretape.edge.comparing import Comparing
from wiretape.edge.meter import Meter
from wiretape.edge.played import Played
from wiretape.edge.recording import Recording
from wiretape.edge.routes import Prefixes
from wiretape.edge.sessions import Session, Sessions
from wiretape.edge.tee import Tee
from wiretape.edge.upload import Upload
from wiretape.errors import CassetteMiss, RequestTooLarge
from wiretape.exchange import Answer, Pending, Request, Upstream


class Opened(Struct, frozen=True):
    """An answer, and whether a cassette gave it."""

    answer: Answer
    played: str | None = None
    """`hit` or `miss` where a cassette was asked."""


class Source(Protocol):
    """Where answers come from; one for each mode."""

    name: str
    cassette: str | None
    has_sessions: bool
    """Whether path and header may name a session."""

    def behind(self, request: Request) -> str:
        """Name what is behind this request: an upstream, or in replay the session; raises NoRoute."""
        ...

    def ask(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Pending | None:
        """Ask an upstream where nothing is to be waited for; else None, and nothing was done. Raises as `open`."""
        ...

    async def open(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Opened:
        """Find the answer; raises the errors that the client is told."""
        ...


class Forward:
    """Pass everything on; store nothing."""

    name = "forward"
    cassette: str | None = None
    has_sessions = False

    def __init__(self, routes: Prefixes, upstreams: Mapping[str, Upstream]) -> None:
        self._routes = routes
        self._upstreams = upstreams

    def behind(self, request: Request) -> str:
        """Name the upstream with the longest fitting prefix."""
        return self._routes.upstream(request.path)

    def ask(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Pending | None:
        """Ask the upstream, where all of the body is here and a connection free."""
        if not upload.is_here:
            return None
        now_ns = time.monotonic_ns()
        pending = self._upstreams[request.upstream].ask(request, upload.whole())
        if pending is not None:
            meter.opened_ns = now_ns
            self._asked(request, tee)
            upload.passed()
        return pending

    def _asked(self, request: Request, tee: Tee) -> None:
        """Let whoever watches this mode's exchanges look on; raises nothing."""

    async def open(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Opened:
        """Ask the upstream."""
        meter.opened_ns = time.monotonic_ns()
        return Opened(await self._upstreams[request.upstream].open(request, upload.stream()))


class Record(Forward):
    """Pass everything on, and write it down."""

    has_sessions = True

    def __init__(
        self, routes: Prefixes, upstreams: Mapping[str, Upstream], recording: Recording, mode: Mode = Mode.RECORD
    ) -> None:
        super().__init__(routes, upstreams)
        self.name = mode.value
        self.cassette = recording.name
        self._recording = recording

    async def open(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Opened:
        """Ask the upstream, with the recorder looking on."""
        self._asked(request, tee)
        return await self.unrecorded(request, upload, tee, meter)

    def _asked(self, request: Request, tee: Tee) -> None:
        tee.add(self._recording.observer(request))

    async def unrecorded(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Opened:
        """Ask the upstream for what is too large to be matched."""
        return await super().open(request, upload, tee, meter)


class Holding:
    """A mode that holds a request's body before it knows what to do with it."""

    def ask(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> None:
        """Decline."""


class Replay(Holding):
    """Play back; there is no upstream to leak to."""

    name = Mode.REPLAY.value
    has_sessions = True

    def __init__(self, sessions: Sessions, cassette: str, body_max: int) -> None:
        self.cassette: str | None = cassette
        self.body_max = body_max
        self.sessions = sessions

    def behind(self, request: Request) -> str:
        """Name the session: nothing else is behind us, and so each session's runs are its own, also after a reset."""
        return f"replay:{self.sessions.take(request.session)}"

    async def open(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Opened:
        """Play what was recorded; raises CassetteMiss with the nearest recording."""
        session = self.sessions.session(request.session)
        if (instead := session.instead(request)) is not None:
            return struck(instead, meter)
        found = session.find(request, await upload.hold(self.body_max))
        if isinstance(found, Miss):
            raise CassetteMiss(found.message)
        return play(session, found, upload, meter)


class Auto(Holding):
    """Play what is known; pass on and write down what is not."""

    name = Mode.AUTO.value
    has_sessions = True

    def __init__(self, replay: Replay, record: Record) -> None:
        self.cassette = replay.cassette
        self.behind = record.behind
        self._replay = replay
        self._record = record

    async def open(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Opened:
        """Play, pass on, or refuse what names an id that only the recording knows."""
        session = self._replay.sessions.session(request.session)
        if (instead := session.instead(request)) is not None:
            return struck(instead, meter)
        try:
            found = session.find(request, await upload.hold(self._replay.body_max))
        except RequestTooLarge:
            _refuse_replayed(session, request)
            opened = await self._record.unrecorded(request, upload, tee, meter)
            return Opened(opened.answer, "miss")
        match plan(Mode.AUTO, found):
            case plans.Replay(interaction):
                return play(session, interaction, upload, meter)
            case plans.Refuse(miss):
                raise _kept_back(miss)
            case plans.Forward():
                session.forgive(found)
                opened = await self._record.open(request, upload, tee, meter)
                return Opened(opened.answer, "miss")


class Verify(Holding, Forward):
    """Pass everything on and hold the answers against what was recorded; store nothing."""

    name = Mode.VERIFY.value
    has_sessions = True

    def __init__(self, routes: Prefixes, upstreams: Mapping[str, Upstream], replay: Replay) -> None:
        super().__init__(routes, upstreams)
        self.cassette = replay.cassette
        self._replay = replay

    async def open(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Opened:
        """Ask the upstream, with the comparison looking on; raises RequestTooLarge for a body that is not held."""
        session = self._replay.sessions.session(request.session)
        recorded = session.find_live(request, await upload.hold(self._replay.body_max))
        if recorded is not None:
            tee.add(Comparing(session.verifier, recorded, self._replay.body_max))
        opened = await super().open(request, upload, tee, meter)
        return Opened(opened.answer, "miss" if recorded is None else "hit")


def _refuse_replayed(session: Session, request: Request) -> None:
    """Refuse a request whose body is not looked at where its target names what only the recording knows."""
    found = session.find(request, b"")
    if isinstance(found, Miss) and found.replayed_id is not None:
        raise _kept_back(found)
    session.forgive(found)


def _kept_back(miss: Miss) -> CassetteMiss:
    """Why a miss that `auto` would pass on is refused instead."""
    return CassetteMiss(f"Not passed on: {miss.replayed_id} was replayed, so no upstream knows it. {miss.message}")


def play(session: Session, interaction: Interaction, upload: Upload, meter: Meter) -> Opened:
    """Answer with what was recorded; it is timed as an upstream's answer, so that telemetry tells of both alike."""
    upload.tell()
    meter.opened_ns = time.monotonic_ns()
    return Opened(Played(session.perform(interaction)), "hit")


def struck(performance: Performance, meter: Meter) -> Opened:
    """Answer with what a fault gives in a recording's place."""
    meter.opened_ns = time.monotonic_ns()
    return Opened(Played(performance))
