"""What the recorder's thread does: take from the queue, let each Take make its lines, append them."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any

from wiretape.cassette.recorder import Take
from wiretape.edge.pieces import Queue, Slot, Step
from wiretape.edge.record_options import RecordOptions
from wiretape.edge.reel import END_LINE, Reel
from wiretape.edge.reels import Reels

_KEY_BYTES = 32
_TURNS = 4
"""Times that it writes within `journal_lag_s`: a write and its sync take their time, too."""
_SLICE = 16
"""Pieces that are made lines of in one go, at 5 to 15 µs each."""


class Writer:
    """The one thread of a recording that writes. When the disk refuses it pauses, and goes on when there is room."""

    def __init__(self, reels: Reels, queue: Queue, options: RecordOptions) -> None:
        self.dropped = 0
        """Exchanges of which something is missing."""
        self.left_out = 0
        """Exchanges that the sample did not take."""
        self.resumed = 0
        """Times that it went on after the disk had refused."""
        self.reason: str | None = None
        """Why it pauses, while it does."""
        self._reels = reels
        self._queue = queue
        self._options = options
        self._veil = secrets.token_bytes(_KEY_BYTES) if options.content == "hash" else None
        self._stalled: dict[int, Reel] = {}
        self._retry_s = 0.0
        self._held_bytes = 0
        self._stop = threading.Event()

    def run(self) -> None:
        """Until `stop`, and then what is left. Whatever happens, the recording tells that it has stopped."""
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - nobody waits for this thread, and its text may hold a secret
            self.reason = f"The recorder failed ({type(error).__name__}); recording has stopped, traffic goes on."
            self.dropped += sum(self._reels.fail(reel) for reel in self._reels.all())

    def _run(self) -> None:
        while not self._stop.is_set():
            self._queue.wake.wait(self._patience_s())
            self._queue.wake.clear()
            self._revive()
            self._write()
            self._stop.wait(self._options.journal_lag_s / _TURNS)
        self._write()

    def _patience_s(self) -> float | None:
        """For how long there is nothing to do but what is told."""
        if self._stalled:
            return self._options.retry_s
        return self._options.journal_lag_s if self._reels.is_unsettled else None

    def stop(self) -> None:
        """From the caller's thread: write what waits, then end."""
        self._stop.set()
        self._queue.wake.set()

    def _write(self) -> None:
        lines: dict[int, tuple[Reel, list[bytes]]] = {}
        for slot, step, value in self._slices(self._queue.pieces):
            if slot is None:
                self._reels.close_session(value)
            elif not slot.closed and (reel := self._reel(slot)) is not None:
                lines.setdefault(id(reel), (reel, []))[1].extend(self._lines(reel, slot, step, value))
        for reel, found in lines.values():
            self._append(reel, b"".join(found))
        for reel, error, lost in self._reels.sync():
            self._stall(reel, error, lost)
        self._reels.seal_over()

    def _slices(self, waiting: int) -> Iterator[tuple[Slot | None, Step, Any]]:
        """Take it bit by bit with rests, a quarter of the lag in all: who works on keeps the loop waiting for the GIL.

        A thread that wants the GIL of one that works gets it after 5 ms, and uvloop wants it for each event.
        """
        rest_s = self._options.journal_lag_s / _TURNS * _SLICE / max(waiting, 1)
        for begin in range(0, waiting, _SLICE):
            if begin:
                self._stop.wait(rest_s)
            yield from self._queue.take(min(_SLICE, waiting - begin))

    def _reel(self, slot: Slot) -> Reel | None:
        """The exchange's reel; an exchange for which there is none counts as dropped."""
        try:
            reel = self._reels.of(slot)
        except Exception:  # noqa: BLE001 - the reason is kept by the reels, and the other sessions are recorded
            self._close(slot)
            self.dropped += 1
            return None
        if id(reel) in self._stalled and slot.take is None:
            self._close(slot)
            self.dropped += 1
            return None
        return reel

    def _lines(self, reel: Reel, slot: Slot, step: Step, value: object) -> list[bytes]:
        try:
            lines = self._step(reel, slot, step, value)
        except OSError as error:
            self._stall(reel, error, 0)
            return []
        except Exception:  # noqa: BLE001 - whatever one exchange holds, the others are recorded
            return self._drop(slot)
        lines = _sifted(slot, lines, last=step in _LAST)
        if self._held_bytes > self._options.held_bytes_max:
            return lines + self._drop(slot)
        if slot.sieve is not None and slot.sieve.taken is False:
            self.left_out += 1
            self._close(slot)
        elif step in _LAST:
            self._close(slot)
        return lines

    def _step(self, reel: Reel, slot: Slot, step: Step, value: object) -> list[bytes]:
        take = slot.take or reel.begin(slot, self._options, self._veil)
        held = take.held_bytes
        try:
            return step(take, value)
        finally:
            self._held_bytes += take.held_bytes - held

    def _drop(self, slot: Slot) -> list[bytes]:
        """Close an exchange that cannot be recorded."""
        self.dropped += 1
        lines = _sifted(slot, slot.take.cut(), last=True) if slot.take is not None else []
        self._close(slot)
        return lines

    def _close(self, slot: Slot) -> None:
        slot.closed = True
        self._held_bytes -= 0 if slot.take is None else slot.take.held_bytes
        slot.take = None
        self._reels.done(slot)

    def _append(self, reel: Reel, lines: bytes) -> None:
        if not lines:
            return
        written = reel.write(lines)
        if written.error is not None:
            self._stall(reel, written.error, lines.count(END_LINE, written.kept))

    def _stall(self, reel: Reel, error: OSError, lost: int) -> None:
        """Every exchange of which something is missing counts as dropped; it has no end, so it is never served."""
        self.reason = f"{reel.journal.path}: {error.strerror}; recording has stopped, traffic goes on."
        self._stalled[id(reel)] = reel
        self._retry_s = time.monotonic() + self._options.retry_s
        self.dropped += self._reels.fail(reel) + lost
        self._held_bytes = self._reels.held_bytes

    def _revive(self) -> None:
        if not self._stalled or time.monotonic() < self._retry_s:
            return
        self._retry_s = time.monotonic() + self._options.retry_s
        stalled = (reel for reel in self._reels.all() if id(reel) in self._stalled)
        self._stalled = {id(reel): reel for reel in stalled if reel.journal.revive() is not None}
        if not self._stalled:
            self.resumed += 1
            self.reason = None


def cut(take: Take, _: object) -> list[bytes]:
    """The step of an exchange for which the queue had no room."""
    return take.cut()


def _sifted(slot: Slot, lines: list[bytes], *, last: bool) -> list[bytes]:
    return lines if slot.sieve is None else slot.sieve.sift(lines, last=last)


_LAST = frozenset({Take.end, cut})
