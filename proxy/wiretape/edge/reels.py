"""All that a recording writes to: a reel for each session, and the parts of one that goes on for ever."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from msgspec import Struct

from wiretape.cassette.redact_rules import NO_RULES, RedactOptions
from wiretape.cassette.secrets import Secrets
from wiretape.edge.names import DEFAULT_SESSION, session_stem, tape_path
from wiretape.edge.parts import PARTS, left_behind, next_part, overdue
from wiretape.edge.pieces import Slot
from wiretape.edge.record_options import RecordOptions
from wiretape.edge.reel import Reel
from wiretape.edge.seal import new_header, seal_journal
from wiretape.edge.tapes import Sealed
from wiretape.errors import CassetteError, Overloaded

_NS_PER_S = 1_000_000_000
_TOLD_MAX = 100
"""Cassettes that were sealed meanwhile and are told of at the end; all are on the disk."""
Sealer = Callable[[], Sealed]


class Told(Struct, frozen=True):
    """What the first line of each cassette says."""

    by: str
    upstream: str
    redact: RedactOptions = NO_RULES
    """Not told: what is taken out of it, beside what always is."""


class Reels:
    """The reels of one recording: used by its writer's thread alone, and by `finish` when that has ended.

    Parts and sessions that are over are sealed by a thread of their own, one after the other.
    """

    def __init__(self, stem: Path, told: Told, wall_ns: int, options: RecordOptions, *, over: bool) -> None:
        self._stem = stem
        self._told = told
        self._options = options
        self._over = over
        self._rotates = bool(options.max_bytes or options.max_age_s)
        self._secrets: deque[Secrets] = deque(maxlen=_TOLD_MAX + options.sessions_max)
        self._current = {DEFAULT_SESSION: self._opened(DEFAULT_SESSION, wall_ns)}
        self._retired: dict[int, Reel] = {}
        self._of: dict[int, Reel] = {}
        self._refused: dict[str, tuple[float, CassetteError]] = {}
        self._sealing: dict[Path, Future[Sealed]] = {}
        self._pool = ThreadPoolExecutor(1, "wiretape-seal")
        self._syncs = ThreadPoolExecutor(1, "wiretape-sync")
        self.removed = 0
        """Parts that were removed because of age or size."""
        self.problem: str | None = None
        """Why something is not sealed, or not recorded."""
        for left in left_behind(stem) if self._rotates else ():
            self._seal_later(left, partial(seal_journal, left))

    def of(self, slot: Slot) -> Reel:
        """The reel of an exchange. Raises CassetteError where it cannot be opened, Overloaded over `sessions_max`."""
        found = self._of.get(slot.index)
        if found is None:
            found = self._of[slot.index] = self._for_session(slot)
        return found

    def done(self, slot: Slot) -> None:
        """An exchange is over."""
        reel = self._of.pop(slot.index, None)
        if reel is not None:
            reel.open_slots.pop(slot.index, None)

    def close_session(self, name: str) -> None:
        """A session is over: its cassette is sealed when its last exchange is."""
        reel = self._current.pop(name, None) if name != DEFAULT_SESSION else None
        if reel is not None:
            self._retired[id(reel)] = reel

    @property
    def is_unsettled(self) -> bool:
        """Whether an exchange has ended of which it is not known that it is on the disk."""
        return any(reel.is_unsettled for reel in self.all())

    def sync(self) -> list[tuple[Reel, OSError, int]]:
        """Let what has ended get to the disk; gives the reels for which that failed, and how much each has lost."""
        failed = [(reel, *found) for reel in self.all() if (found := reel.sync_error())]
        for reel in self.all():
            if reel.is_sync_due:
                reel.sync(self._syncs)
        return failed

    @property
    def lookbacks_passed(self) -> int:
        """Times `redact_lookback` let go what might have begun a secret."""
        return sum(one.lookbacks_passed for one in list(self._secrets))

    def seal_over(self) -> None:
        """Seal what is over; only when all that is known of it is written."""
        for reel in [one for one in self._retired.values() if not one.open_slots]:
            del self._retired[id(reel)]
            self._seal_later(reel.stem, reel.seal)

    def fail(self, reel: Reel) -> int:
        """Give up what is open on a reel; how many exchanges that are."""
        slots = list(reel.open_slots.values())
        for slot in slots:
            slot.closed, slot.take = True, None
            self.done(slot)
        return len(slots)

    @property
    def held_bytes(self) -> int:
        """Bytes of bodies that are held for the exchanges that are open."""
        slots = (slot for reel in self.all() for slot in reel.open_slots.values())
        return sum(slot.take.held_bytes for slot in slots if slot.take is not None)

    def all(self) -> list[Reel]:
        """All that are written to."""
        return [*self._current.values(), *self._retired.values()]

    def finish(self) -> Sealed:
        """Seal what is open. Raises CassetteError for the first that cannot be, when the others are."""
        sealed, *others = [self._try(reel) for reel in self.all()] or [Sealed(tape_path(self._stem), 0, 0)]
        self._pool.shutdown()
        self._syncs.shutdown()
        self._prune()
        done = [future.result() for future in self._sealing.values() if future.exception() is None]
        if isinstance(sealed, CassetteError):
            raise sealed
        rest = (*done, *(one for one in others if isinstance(one, Sealed)))
        return Sealed(sealed.path, sealed.interactions, sealed.incomplete, tuple(rest))

    def discard(self) -> None:
        """End without sealing."""
        self._pool.shutdown()
        self._syncs.shutdown()
        for reel in self.all():
            reel.discard()

    def _for_session(self, slot: Slot) -> Reel:
        session = slot.request.session
        if session in self._refused and time.monotonic() < self._refused[session][0]:
            raise self._refused[session][1]
        reel = self._current.get(session) or self._new(session, slot.request.wall_ns)
        if self._rotates and self._is_full(reel, slot.request.wall_ns):
            self._retire(session, reel)
            full, reel = reel, self._new(session, slot.request.wall_ns)
            reel.secrets.go_on(full.secrets)
        return reel

    def _new(self, session: str, wall_ns: int) -> Reel:
        if len(self._current) >= self._options.sessions_max + 1:
            raise Overloaded(f"{self._options.sessions_max} sessions are recorded (record.sessions_max)")
        stem = session_stem(self._stem, session)
        self._wait_for(stem)
        try:
            reel = self._current[session] = self._again(stem) or self._opened(session, wall_ns)
        except CassetteError as error:
            self._refused[session] = time.monotonic() + self._options.retry_s, error
            self.problem = str(error)
            raise
        return reel

    def _opened(self, session: str, wall_ns: int) -> Reel:
        header = new_header(self._told.by, self._told.upstream, wall_ns)
        reel = Reel.open(
            session_stem(self._stem, session), header, self._options.secrets_max, self._told.redact, over=self._over
        )
        self._secrets.append(reel.secrets)
        return reel

    def _again(self, stem: Path) -> Reel | None:
        """The reel of a session that was closed, and has exchanges that are not over."""
        reel = next((one for one in self._retired.values() if one.stem == stem), None)
        return None if reel is None else self._retired.pop(id(reel))

    def _wait_for(self, stem: Path) -> None:
        """A session that begins again while its cassette is sealed."""
        sealing = self._sealing.get(stem)
        if sealing is not None:
            sealing.exception()

    def _is_full(self, reel: Reel, wall_ns: int) -> bool:
        options = self._options
        is_large = options.max_bytes and reel.journal.size > options.max_bytes / PARTS
        is_old = options.max_age_s and wall_ns - reel.began_ns > options.max_age_s / PARTS * _NS_PER_S
        return bool(reel.taken and (is_large or is_old))

    def _retire(self, session: str, reel: Reel) -> None:
        """What is open goes on in the old part; where too many parts wait for it, the oldest waits no longer."""
        reel.retire(next_part(reel.stem))
        del self._current[session]
        self._retired[id(reel)] = reel
        if len(self._retired) > PARTS:
            self.fail(next(iter(self._retired.values())))

    def _seal_later(self, stem: Path, seal: Sealer) -> None:
        self._sealing[stem] = self._pool.submit(self._sealed, seal)
        for old in [one for one, sealing in self._sealing.items() if sealing.done()][:-_TOLD_MAX]:
            del self._sealing[old]

    def _sealed(self, seal: Sealer) -> Sealed:
        try:
            return seal()
        except CassetteError as error:
            self.problem = str(error)
            raise
        finally:
            self._prune()

    def _try(self, reel: Reel) -> Sealed | CassetteError:
        try:
            return self._last(reel)
        except CassetteError as error:
            self.problem = str(error)
            return error

    def _last(self, reel: Reel) -> Sealed:
        if self._rotates and reel.is_empty:
            reel.discard()
            return Sealed(tape_path(reel.stem), 0, 0)
        if self._rotates and id(reel) not in self._retired:
            reel.retire(next_part(reel.stem))
        return reel.seal()

    def _prune(self) -> None:
        if self._rotates:
            with contextlib.suppress(OSError):
                for part in overdue(self._stem, self._options.max_bytes, self._options.max_age_s, time.time_ns()):
                    part.remove()
                    self.removed += 1
