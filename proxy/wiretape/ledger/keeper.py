"""Writes open runs to the ledger, on a thread of its own: a ledger that is locked, slow or damaged costs no traffic."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final

from wiretape.errors import LedgerError
from wiretape.ledger.damage import inode
from wiretape.ledger.open import immediate, open_ledger
from wiretape.ledger.open_runs import Saved, adopt, write
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.owner import Owner, bury, is_dead, owners
from wiretape.runs.tracker import Key

_REST_S: Final = 0.2
"""Seconds between two writes, so that what comes together is written together."""
_RETRY_S: Final = 2.0
_LAST_TRIES: Final = 5
_LAST_REST_S: Final = 0.05
"""Seconds between the last tries: as long as a sink rests."""
_LEFT_MAX: Final = 10_000
"""Reported runs that may wait for their rows; of others the saved state stays, and is a successor's to look at."""
WARN_EVERY_S: Final = 60.0
_FAILURES: Final = (sqlite3.Error, OSError, LedgerError)


class Keeper:
    """The newest state of each open run that waits to be written; what cannot be written waits on.

    `put` and `drop` only take note, and belong to the loop's thread; `adopt` and `close` wait for the file.
    """

    def __init__(self, path: Path, options: LedgerOptions, warn: Callable[..., object]) -> None:
        self._path = path
        self._options = options
        self._warn = warn
        self._owner = Owner(path)
        self._lock = Lock()
        """Over what waits: the loop puts it, the thread takes it."""
        self._waits: dict[Key, Saved | None] = {}
        self._bytes = 0
        self._in_hand: dict[Key, Saved | None] = {}
        """What is being written."""
        self._woken = Event()
        self._stopping = Event()
        self._thread = Thread(target=self._work, name="wiretape-open-runs", daemon=True)
        self.refused = 0
        """States not taken because too many bytes wait."""
        self.failed = 0
        """States that one attempt at writing could not write; they are tried again."""
        self.renewed = 0
        """How often another file was found in the ledger's place: what was saved before is not in it."""
        self._inode: int | None = None
        self._warned_at: float | None = None
        self._thread.start()

    def adopt(self, upstreams: Sequence[str]) -> list[Saved]:
        """Take over what dead processes left; nothing, and a warning, where that fails. A ledger is not made for it."""
        try:
            return self._adopt(upstreams) if self._path.exists() else []
        except _FAILURES as error:
            self._complain(f"what an earlier process left could not be read: {error}")
            return []

    def put(self, saved: Saved) -> bool:
        """Have a run saved, instead of what waits of it; whether there was room."""
        with self._lock:
            if self._bytes + len(saved.state) > self._options.open_runs_bytes_max:
                self.refused += 1
                return False
            self._take_note((saved.upstream, saved.run_id), saved)
        self._woken.set()
        return True

    def drop(self, key: Key) -> None:
        """Have a run taken out, once it has its row: it was reported."""
        with self._lock:
            self._take_note(key, None)
        self._woken.set()

    def close(self, deadline_s: float) -> list[Key]:
        """Write what waits, and end; gives the runs that could not be saved, and are nobody's now."""
        self._stopping.set()
        self._woken.set()
        self._thread.join(deadline_s)
        with self._lock:
            lost = [key for key, saved in (self._in_hand | self._waits).items() if saved is not None]
        self._owner.release()
        return lost

    def _take_note(self, key: Key, saved: Saved | None) -> None:
        before = self._waits.pop(key, None)
        self._bytes += (len(saved.state) if saved else 0) - (len(before.state) if before else 0)
        self._waits[key] = saved

    def _adopt(self, upstreams: Sequence[str]) -> list[Saved]:
        with closing(open_ledger(self._path, self._options)) as connection, immediate(connection):
            self._owner.claim()
            self._see_file()
            now_us, known = time.time_ns() // 1000, owners(self._path)
            found, buried = adopt(connection, self._owner.id, upstreams, self._is_dead, now_us, known=known)
        for owner in buried:
            bury(self._path, owner)
        return found

    def _is_dead(self, owner: str) -> bool:
        return is_dead(self._path, owner)

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._woken.wait()
            self._woken.clear()
            self._stopping.wait(_REST_S if self._written() else _RETRY_S)
        for _ in range(_LAST_TRIES):  # the rows of what has just ended are being written meanwhile
            if not self._written() or not self._waits:
                break
            Event().wait(_LAST_REST_S)

    def _written(self) -> bool:
        with self._lock:
            taken = self._in_hand = self._waits
            self._waits, self._bytes = {}, 0
        try:
            self._wait_on(self._write(taken))
        except _FAILURES as error:
            self._put_back(taken)
            self._complain(f"{len(taken)} open runs could not be saved, and wait: {error}")
            return False
        finally:
            self._in_hand = {}
        return True

    def _wait_on(self, left: list[Key]) -> None:
        """Take them out with what is written next; nobody is woken, as a successor would see their rows too."""
        with self._lock:
            for key in left[: max(_LEFT_MAX - len(self._waits), 0)]:
                self._waits.setdefault(key, None)

    def _write(self, taken: dict[Key, Saved | None]) -> list[Key]:
        """Write these; gives the reported runs that have no row yet."""
        if not taken:
            return []
        # Opened each time: what is moved aside, replaced or repaired meanwhile is then found.
        with closing(open_ledger(self._path, self._options)) as connection:
            saved = [one for one in taken.values() if one is not None]
            with immediate(connection):
                self._owner.claim()
                self._see_file()
                return write(connection, self._owner.id, saved, [key for key, one in taken.items() if one is None])

    def _see_file(self) -> None:
        before, self._inode = self._inode, inode(self._path)
        self.renewed += before not in {None, self._inode}

    def _put_back(self, taken: dict[Key, Saved | None]) -> None:
        self.failed += len(taken)
        with self._lock:
            newer, self._waits, self._bytes = self._waits, {}, 0
            for key, saved in (taken | newer).items():
                self._take_note(key, saved)
        self._woken.set()

    def _complain(self, detail: str) -> None:
        now_s = time.monotonic()
        if self._warned_at is None or now_s - self._warned_at >= WARN_EVERY_S:
            self._warned_at = now_s
            self._warn(detail=detail)
