"""What each mode does with a request: pass it on, play it back, or both; each asks for only what it needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from http.client import responses
from typing import Protocol

from msgspec import Struct

from wiretape.cassette import plan as plans
from wiretape.cassette.format import Ended, Interaction
from wiretape.cassette.miss import Miss
from wiretape.cassette.pace import schedule
from wiretape.cassette.plan import Mode, plan
from wiretape.cassette.polls import hurried
from wiretape.edge.meter import Meter
from wiretape.edge.recording import Recording
from wiretape.edge.routes import Prefixes
from wiretape.edge.sessions import Sessions
from wiretape.edge.tee import Tee
from wiretape.edge.upload import Upload
from wiretape.errors import BodyTooLarge, CassetteMiss, RequestTooLarge, UpstreamTorn
from wiretape.exchange import Answer, Chunk, Head, Request, Upstream


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
        tee.add(self._recording.observer(request))
        return await self.unrecorded(request, upload, tee, meter)

    async def unrecorded(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Opened:
        """Ask the upstream for what is too large to be matched."""
        return await super().open(request, upload, tee, meter)


class Replay:
    """Play back; there is no upstream to leak to."""

    name = Mode.REPLAY.value
    has_sessions = True

    def __init__(self, sessions: Sessions, cassette: str, speed: float, body_max: int) -> None:
        self.cassette: str | None = cassette
        self._sessions = sessions
        self._speed = speed
        self._body_max = body_max

    def behind(self, request: Request) -> str:
        """Name the session: nothing else is behind us, and so each session's runs are its own."""
        return f"replay:{request.session}"

    async def open(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Opened:
        """Play what was recorded; raises CassetteMiss with the nearest recording."""
        found = await self.find(request, upload)
        if isinstance(found, Miss):
            raise self.missed(found)
        return self.play(found, upload)

    async def find(self, request: Request, upload: Upload) -> Interaction | Miss:
        """Look the request up; raises RequestTooLarge for a body that is not held."""
        body = await upload.hold(self._body_max)
        try:
            return self._sessions.find(request, body)
        except BodyTooLarge as error:
            raise RequestTooLarge(str(error)) from error

    def play(self, interaction: Interaction, upload: Upload) -> Opened:
        """Answer with what was recorded."""
        upload.tell()
        return Opened(Played(interaction, self._speed), "hit")

    def forgive(self, request: Request, found: Interaction | Miss) -> None:
        """Take back what the session has missed: it is passed on."""
        if isinstance(found, Miss):
            self._sessions.cursor(request.session).misses.forgive(found)

    def missed(self, miss: Miss) -> CassetteMiss:
        """Count a request that nothing answers."""
        self._sessions.refused += 1
        return CassetteMiss(miss.message)


class Auto:
    """Play what is known; pass on and write down what is not."""

    name = Mode.AUTO.value
    has_sessions = True

    def __init__(self, replay: Replay, record: Record) -> None:
        self.cassette = record.cassette
        self.behind = record.behind
        self._replay = replay
        self._record = record

    async def open(self, request: Request, upload: Upload, tee: Tee, meter: Meter) -> Opened:
        """Play, pass on, or refuse what names an id that only the recording knows."""
        try:
            found = await self._replay.find(request, upload)
        except RequestTooLarge:
            opened = await self._record.unrecorded(request, upload, tee, meter)
            return Opened(opened.answer, "miss")
        match plan(Mode.AUTO, found):
            case plans.Replay(interaction):
                return self._replay.play(interaction, upload)
            case plans.Refuse(miss):
                raise self._replay.missed(miss)
            case plans.Forward():
                self._replay.forgive(request, found)
                opened = await self._record.open(request, upload, tee, meter)
                return Opened(opened.answer, "miss")


class Played:
    """A recorded answer, at the recorded pace times `1 / speed`, ending as it ended then."""

    def __init__(self, interaction: Interaction, speed: float) -> None:
        self._interaction = interaction
        self._speed = speed
        self.head = _head(interaction, speed)

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Give the recorded pieces, never early: each waits for its own deadline, so that no drift adds up."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        for offset_s, data in schedule(self._interaction, self._speed):
            await _until(begun_s + offset_s)
            yield Chunk(data, time.monotonic_ns())
        if self._interaction.how is Ended.UPSTREAM_FAILED:
            raise UpstreamTorn("the recorded answer broke off here")
        if self._interaction.how is Ended.CLIENT_LEFT:
            await loop.create_future()  # what came next was never recorded: silence until the client goes

    def taken(self) -> Chunk | None:
        """Give nothing: each piece has its time."""
        return None

    def close(self) -> None:
        """Have nothing to let go."""


def _head(interaction: Interaction, speed: float) -> Head:
    status = interaction.status or 0  # one without a status is not playable, and never comes here
    headers = interaction.served_headers if speed else hurried(interaction)
    return Head(status, headers, time.monotonic_ns(), responses.get(status, ""))


async def _until(deadline_s: float) -> None:
    if (wait_s := deadline_s - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(wait_s)
