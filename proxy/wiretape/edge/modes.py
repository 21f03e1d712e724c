"""What each mode does with a request: pass it on, play it back, or both; each asks for only what it needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from msgspec import Struct

from wiretape.cassette import plan as plans
from wiretape.cassette.format import Ended, Interaction
from wiretape.cassette.miss import Miss
from wiretape.cassette.pace import schedule
from wiretape.cassette.plan import Mode, plan
from wiretape.edge.recording import Recording
from wiretape.edge.routes import Prefixes
from wiretape.edge.sessions import Sessions
from wiretape.edge.tee import Tee
from wiretape.edge.upload import Upload
from wiretape.errors import BodyTooLarge, CassetteMiss, RequestTooLarge, UpstreamTorn
from wiretape.exchange import Answer, Chunk, Head, Request, Upstream


class Opened(Struct, frozen=True):
    """An answer and where it came from."""

    answer: Answer
    played: str | None = None
    """`hit` when a cassette gave it."""


class Source(Protocol):
    """Where answers come from; one for each mode."""

    name: str
    cassette: str | None
    routes: Prefixes | None

    async def open(self, request: Request, upload: Upload, tee: Tee) -> Opened:
        """Find the answer; raises the errors that the client is told."""
        ...


class Forward:
    """Pass everything on; store nothing."""

    name = "forward"
    cassette: str | None = None

    def __init__(self, routes: Prefixes, upstreams: Mapping[str, Upstream]) -> None:
        self.routes: Prefixes | None = routes
        self._upstreams = upstreams

    async def open(self, request: Request, upload: Upload, tee: Tee) -> Opened:
        """Ask the upstream."""
        return Opened(await self._upstreams[request.upstream].open(request, upload.stream()))


class Record(Forward):
    """Pass everything on, and write it down."""

    def __init__(
        self, routes: Prefixes, upstreams: Mapping[str, Upstream], recording: Recording, name: str = "record"
    ) -> None:
        super().__init__(routes, upstreams)
        self.name = name
        self.cassette = recording.name
        self._recording = recording

    async def open(self, request: Request, upload: Upload, tee: Tee) -> Opened:
        """Ask the upstream, with the recorder looking on."""
        tee.add(self._recording.observer(request))
        return await super().open(request, upload, tee)


class Play:
    """Look the request up in cassettes; what a miss means, the plan of the mode says."""

    def __init__(self, mode: Mode, sessions: Sessions, cassette: str, speed: float, body_max: int) -> None:
        self.name = mode.value
        self.cassette: str | None = cassette
        self.routes: Prefixes | None = None
        self._mode = mode
        self._sessions = sessions
        self._speed = speed
        self._body_max = body_max

    async def open(self, request: Request, upload: Upload, tee: Tee) -> Opened:
        """Play what was recorded; raises CassetteMiss with the nearest recording."""
        decided = plan(self._mode, await self._find(request, upload))
        match decided:
            case plans.Replay(interaction):
                upload.tell()
                return Opened(Played(interaction, self._speed), "hit")
            case plans.Refuse(miss):
                raise CassetteMiss(miss.message)
            case plans.Forward():
                return await self.pass_on(request, upload, tee)

    async def pass_on(self, request: Request, upload: Upload, tee: Tee) -> Opened:
        """Replay has no upstream: the plan never comes here."""
        raise NotImplementedError

    async def _find(self, request: Request, upload: Upload) -> Interaction | Miss:
        body = await upload.hold(self._body_max)
        try:
            return self._sessions.cursor(request.session).find(request, body)
        except BodyTooLarge as error:
            raise RequestTooLarge(str(error)) from error


class Auto(Play):
    """Play what is known; pass on and write down what is not."""

    def __init__(self, sessions: Sessions, record: Record, speed: float, body_max: int) -> None:
        super().__init__(Mode.AUTO, sessions, record.cassette or "", speed, body_max)
        self.routes = record.routes
        self._record = record

    async def pass_on(self, request: Request, upload: Upload, tee: Tee) -> Opened:
        """Record what no cassette holds."""
        return await self._record.open(request, upload, tee)


class Played:
    """A recorded answer, at the recorded pace times `1 / speed`, ending as it ended then."""

    def __init__(self, interaction: Interaction, speed: float) -> None:
        self._interaction = interaction
        self._speed = speed
        self.head = Head(interaction.status or 0, interaction.served_headers, time.monotonic_ns())

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

    def close(self) -> None:
        """Have nothing to let go."""


async def _until(deadline_s: float) -> None:
    if (wait_s := deadline_s - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(wait_s)
