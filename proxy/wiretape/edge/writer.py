"""What the recorder's thread does: take from the queue, let each Take make its lines, append them."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator

from wiretape.cassette.recorder import Take
from wiretape.edge.pieces import BATCH_PIECES_MAX, Batch, Queue, Slot
from wiretape.edge.record_options import RecordOptions
from wiretape.edge.reel import END_LINE, Reel
from wiretape.edge.reels import Reels
from wiretape.errors import Overloaded

_KEY_BYTES = 32
_WAIT, _BEGIN_RESTS, _RESTS = 3 / 8, 1 / 16, 3 / 16
"""Shares of `journal_lag_s`: between two writes, and of the rests within one. What comes when a write has just begun
waits for its rests, for the pause, and for the rests of the next. The more comes at a time, the less a piece costs."""


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
            self._stop.wait(self._options.journal_lag_s * _WAIT)
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
        """All that waits now."""
        left = self._queue.pieces
        while left > 0 and (written := self._write_some()):
            left -= written
        for reel, error, lost in self._reels.sync():
            self._stall(reel, error, lost)
        self._reels.seal_over()

    def _write_some(self) -> int:
        """What waits, up to the end of a session; how many pieces that were."""
        batches, over = self._queue.take()
        for new in self._slices([batch for batch in batches if batch.slot.take is None], _BEGIN_RESTS):
            for batch in new:
                self._begin(batch.slot)
        for some in self._slices(batches, _RESTS):
            self._record(some)
        if over is not None:
            self._reels.close_session(over)
            self._queue.done(1, 0)
        return sum([batch.pieces for batch in batches]) + (over is not None)

    def _slices(self, batches: list[Batch], rests: float) -> Iterator[list[Batch]]:
        """Bit by bit with rests, such a share of the lag in all: who works on keeps the loop waiting for the GIL.

        A thread that wants the GIL of one that works gets it after 5 ms, and uvloop wants it for each event.
        """
        rest_s = self._options.journal_lag_s * rests / max(sum([batch.pieces for batch in batches]), 1)
        begin = pieces = 0
        for end, batch in enumerate(batches, 1):
            pieces += batch.pieces
            if pieces >= BATCH_PIECES_MAX or end == len(batches):
                yield batches[begin:end]
                if end < len(batches):
                    self._stop.wait(rest_s * pieces)
                begin, pieces = end, 0

    def _record(self, batches: list[Batch]) -> None:
        lines: dict[Reel, list[bytes]] = {}
        for batch in batches:
            begun = self._begin(batch.slot)
            if begun is not None:
                lines.setdefault(begun[0], []).extend(self._lines(*begun, batch))
        for reel, found in lines.items():
            self._append(reel, b"".join(found))
        self._queue.done(sum([batch.pieces for batch in batches]), sum([batch.bytes for batch in batches]))

    def _begin(self, slot: Slot) -> tuple[Reel, Take] | None:
        """An exchange that has begun: what its head tells is looked for from now on. None where it is not recorded.

        One that cannot begin counts as dropped.
        """
        if slot.closed:
            return None
        take = None
        try:
            reel = self._reels.of(slot)
            if slot.take is not None or id(reel) not in self._stalled:
                take = slot.take or reel.begin(slot, self._options, self._veil)
        except Exception:  # noqa: BLE001 - the reason is kept by the reels, and the other sessions are recorded
            take = None
        if take is None:
            self._drop(slot)
            return None
        return reel, take

    def _lines(self, reel: Reel, take: Take, batch: Batch) -> list[bytes]:
        slot, lines = batch.slot, list[bytes]()
        try:
            self._steps(take, batch, lines)
        except OSError as error:
            self._stall(reel, error, 0)
            return []
        except Exception:  # noqa: BLE001 - whatever one exchange holds, the others are recorded
            return _sifted(slot, lines, last=False) + self._drop(slot)
        is_last = batch.calls[-1][0] in _LAST
        lines = _sifted(slot, lines, last=is_last)
        if slot.sieve is not None and slot.sieve.taken is False:
            self.left_out += not slot.overrun  # that one was counted as dropped
            is_last = True
        if is_last:
            self._close(slot)
        return lines

    def _steps(self, take: Take, batch: Batch, lines: list[bytes]) -> None:
        """Make the lines; those that were made before an error are kept. Raises Overloaded where too much is held."""
        before = self._held_bytes - take.held_bytes
        try:
            for step, values in batch.calls:
                lines.extend(step(take, *values))
                if before + take.held_bytes > self._options.held_bytes_max:
                    raise Overloaded(f"{self._options.held_bytes_max} bytes of bodies are held (record.held_bytes_max)")
        finally:
            self._held_bytes = before + take.held_bytes

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
