"""The sessions of a proxy that knows cassettes: each has a cursor, a pace and faults; made on first use, bounded."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence

from msgspec import Struct

from wiretape.cassette.fault_words import faults
from wiretape.cassette.faults import Struck
from wiretape.cassette.format import Interaction
from wiretape.cassette.match import Library
from wiretape.cassette.miss import Miss
from wiretape.cassette.pace import PaceOptions
from wiretape.cassette.performance import Performance, perform
from wiretape.cassette.shelf import Entry
from wiretape.cassette.show import printable
from wiretape.cassette.verify import Verifier
from wiretape.errors import (
    BadRequest,
    BodyTooLarge,
    Overloaded,
    RequestTooLarge,
    SessionExists,
    SessionUnknown,
)
from wiretape.exchange import Request

SHOWN_MAX = 100
"""Misses, differences and unplayed requests that a report tells; there may be more, and the counts say so."""
NAME_LENGTH_MAX = 120


class Chosen(Struct, frozen=True):
    """What some of the cassettes hold, and where each of it stands among what all of them hold."""

    library: Library
    places: Sequence[int]


Libraries = Callable[[tuple[str, ...]], Chosen]
"""Cassettes by their names, all of them where none is named. Raises ConfigError for one that is not there."""


class SessionOptions(Struct, frozen=True, kw_only=True):
    """Bounds of sessions."""

    sessions_max: int = 1_000
    """Sessions at a time; a request of one more is answered 503."""


class SessionSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a session plays."""

    speed: float = 0.0
    """0 does not wait, 1 keeps the recorded pace."""
    pace: PaceOptions = PaceOptions()
    faults: tuple[str, ...] = ()
    """What goes wrong, in these words: `cut:after=3`."""
    cassettes: tuple[str, ...] = ()
    """Of the cassettes that the proxy replays, those that this session knows; none is all."""


class SessionCounts(Struct, frozen=True, kw_only=True):
    """How much a session has come to."""

    name: str
    played: int
    """Requests that a recording answered; in `verify`, that were compared with one."""
    refused: int
    """Requests that no recording answered."""
    drifted: int
    """Differences between live and recorded answers (`verify`)."""


class SessionReport(SessionCounts, frozen=True, kw_only=True):
    """What a session has come to. Requests are told as they are stored, so nothing secret is in them."""

    settings: SessionSettings
    uncompared: int
    """Live answers that were not held against anything: cut short, too large, or in a coding not known (`verify`)."""
    unplayed: int
    """Recorded requests that were not made."""
    misses: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """The unplayed ones, in recorded order."""
    struck: tuple[Struck, ...] = ()
    """How often each fault has changed an answer."""

    def passes(self, *, played_all: bool) -> bool:
        """Whether nothing was refused, nothing drifted, and, where that is asked, everything played."""
        return not (self.refused or self.drifted or (played_all and self.unplayed))


class Session:
    """One client's way through the cassettes. Raises ConfigError for faults that there are not."""

    def __init__(self, name: str, settings: SessionSettings, chosen: Chosen) -> None:
        self.name = name
        self.settings = settings
        self.chosen = chosen
        self.played = 0
        self.verifier = Verifier()
        self._faults = faults(settings.faults)
        self._cursor = chosen.library.session(name)
        self._unchanged: tuple[Interaction, Performance] | None = None

    def instead(self, request: Request) -> Performance | None:
        """What a fault answers before any recording is looked for."""
        return self._faults.instead(request.path)

    @property
    def refused(self) -> int:
        """Requests that no recording answered."""
        return self._cursor.misses.count

    @property
    def misses(self) -> tuple[str, ...]:
        """Why, of the last ones (`match.misses_max`)."""
        return tuple(miss.message for miss in self._cursor.misses)

    def find(self, request: Request, body: bytes) -> Interaction | Miss:
        """Look a request up: the answer has this session's ids, and a miss counts as refused until it is forgiven.

        Raises RequestTooLarge for a body that decodes to more than is compared.
        """
        found = self._found(request, body)
        return found if isinstance(found, Miss) else self._cursor.render(found)

    def forgive(self, found: Interaction | Miss) -> None:
        """Take back a miss that is not refused."""
        if isinstance(found, Miss):
            self._cursor.misses.forgive(found)

    def _found(self, request: Request, body: bytes) -> Interaction | Miss:
        try:
            return self._cursor.find(request, body)
        except BodyTooLarge as error:
            raise RequestTooLarge(str(error)) from error

    def find_live(self, request: Request, body: bytes) -> Interaction | None:
        """Look up what a live answer is held against; a request that was never recorded is a difference."""
        found = self._found(*self.verifier.translated(request, body))
        if isinstance(found, Miss):
            self.forgive(found)
            self.verifier.missed(found)
            return None
        self.played += 1
        return found

    def perform(self, interaction: Interaction) -> Performance:
        """What a client gets of a recorded answer, at this session's pace, after its faults."""
        self.played += 1
        return self._faults.on(interaction.path, self._performance(interaction))

    def _performance(self, interaction: Interaction) -> Performance:
        """The last one is kept: a poll is answered by the same again and again."""
        if self._unchanged is None or self._unchanged[0] is not interaction:
            made = perform(interaction, self.settings.speed, self.settings.pace)
            self._unchanged = interaction, made
            return made
        return self._unchanged[1]

    def unplayed(self) -> list[Entry]:
        """What was recorded and not asked for, in recorded order."""
        return self._cursor.unplayed()

    def places(self) -> set[int]:
        """Where what it has played stands among what all cassettes hold."""
        left = set(self._cursor.left())
        return {place for at, place in enumerate(self.chosen.places) if at not in left}

    def counts(self) -> SessionCounts:
        """How much came of it so far; costs the same however long the recording is."""
        drifted = self.verifier.drifted
        return SessionCounts(name=self.name, played=self.played, refused=self.refused, drifted=drifted)

    def report(self) -> SessionReport:
        """What came of it so far."""
        left = self.unplayed()
        return SessionReport(
            name=self.name,
            settings=self.settings,
            played=self.played,
            refused=self.refused,
            drifted=self.verifier.drifted,
            uncompared=self.verifier.uncompared,
            unplayed=len(left),
            misses=self.misses,
            drift=self.verifier.drift,
            left=tuple(map(told, left[:SHOWN_MAX])),
            struck=self._faults.struck,
        )


class Sessions:
    """All sessions by name. A name in a path or header makes one with the proxy's own settings on first use."""

    def __init__(self, libraries: Libraries, options: SessionOptions, settings: SessionSettings | None = None) -> None:
        self._libraries = libraries
        self._options = options
        self._settings = settings or SessionSettings()
        self._all = libraries(())
        self._sessions: dict[str, Session] = {}
        self._gone: OrderedDict[str, int] = OrderedDict()
        """How often each name is gone; of those that went last, `sessions_max`."""
        self._gone_refused = 0
        self._gone_played: set[int] = set()
        self._gone_drift: tuple[str, ...] = ()
        self._gone_misses: tuple[str, ...] = ()

    def session(self, name: str) -> Session:
        """Find or make a session; raises Overloaded."""
        return self._sessions.get(name) or self._made(name, self._settings, self._all)

    def take(self, name: str) -> str:
        """Tell the session of this name from those of the same name that were reset or deleted before it."""
        before = self._gone.get(name, 0)
        return f"{name}~{before + 1}" if before else name

    def reports(self) -> list[SessionReport]:
        """All of them, in the order in which they came to be."""
        return [session.report() for session in self._sessions.values()]

    def counts(self) -> list[SessionCounts]:
        """How much came of each, in the order in which they came to be."""
        return [session.counts() for session in self._sessions.values()]

    def known(self, name: str) -> Session:
        """Find a session; raises SessionUnknown."""
        found = self._sessions.get(name)
        if found is None:
            raise SessionUnknown(f"there is no session {name!r}: one comes to be on its first request, or when created")
        return found

    async def create(self, name: str, settings: SessionSettings) -> Session:
        """Make a session. Raises SessionExists, Overloaded, BadRequest for a name, ConfigError for settings."""
        if not 0 < len(name) <= NAME_LENGTH_MAX:
            raise BadRequest(f"a session's name has 1 to {NAME_LENGTH_MAX} characters; this one has {len(name)}")
        named = settings.cassettes
        chosen = await asyncio.to_thread(self._libraries, named) if named else self._all
        if name in self._sessions:
            raise SessionExists(f"there is a session {name!r} already: reset or delete it, or take another name")
        return self._made(name, settings, chosen)

    def reset(self, name: str) -> Session:
        """Let a session begin anew, with the settings that it had; raises SessionUnknown."""
        old = self.known(name)
        self.delete(name)
        return self._made(name, old.settings, old.chosen)

    def delete(self, name: str) -> None:
        """Forget a session, but not what it played and missed; raises SessionUnknown."""
        session = self.known(name)
        self._gone_refused += session.refused
        self._gone_played |= session.places()
        self._gone_drift = (*self._gone_drift, *session.verifier.drift)[:SHOWN_MAX]
        self._gone_misses = (*self._gone_misses, *session.misses)[:SHOWN_MAX]
        self._gone[name] = self._gone.pop(name, 0) + 1
        if len(self._gone) > self._options.sessions_max:
            self._gone.popitem(last=False)
        del self._sessions[name]

    @property
    def refused(self) -> int:
        """Requests that no recording answered, over all sessions there ever were."""
        return self._gone_refused + sum(session.refused for session in self._sessions.values())

    @property
    def misses(self) -> tuple[str, ...]:
        """Why requests were refused: the last `match.misses_max` of each session; of those that are gone, the first."""
        return (*self._gone_misses, *(line for one in self._sessions.values() for line in one.misses))

    @property
    def drift(self) -> tuple[str, ...]:
        """Differences, over all sessions there ever were; of each, and of those that are gone, the first 100."""
        return (*self._gone_drift, *(line for one in self._sessions.values() for line in one.verifier.drift))

    def unplayed(self) -> list[Entry]:
        """Give what no session played, in recorded order."""
        played = self._gone_played.union(*(session.places() for session in self._sessions.values()))
        return [one for place, one in enumerate(self._all.library.interactions.entries) if place not in played]

    def _made(self, name: str, settings: SessionSettings, chosen: Chosen) -> Session:
        if len(self._sessions) >= self._options.sessions_max:
            raise Overloaded(f"{self._options.sessions_max} sessions are open (sessions_max)")
        made = self._sessions[name] = Session(name, settings, chosen)
        return made


def told(one: Entry) -> str:
    """A recorded request in a line."""
    return printable(f"#{one.index} {one.method} {one.target}")
