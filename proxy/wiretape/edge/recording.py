"""Recording: observers put what they saw on a bounded queue; one thread writes it to the journal.

On the caller's thread (one event loop) an observer only appends to the queue. The writer's thread redacts,
encodes and appends, so nothing unredacted is ever on disk. It writes at least every `journal_lag_s` and syncs
when an interaction has ended. When the queue is full the interaction is closed as cut; when the disk refuses,
the journal is cut back to its last whole line and the recording stops with a reason. Traffic notices neither.
"""

from __future__ import annotations

import secrets as chance
import threading
from pathlib import Path
from typing import Self

from wiretape.cassette.format import Header
from wiretape.cassette.recorder import Take
from wiretape.cassette.redact_rules import NO_RULES, RedactOptions
from wiretape.cassette.secrets import Secrets
from wiretape.edge.journal import CASSETTE_BYTES_MAX, Journal
from wiretape.edge.pieces import Queue, Slot, Step
from wiretape.edge.record_options import RecordOptions
from wiretape.edge.tapes import Sealed, Start, cleaned, journal_path, load, seal_locked, start, tape_path, timestamp
from wiretape.exchange import Chunk, Ending, Head, Observer, Request

_END_LINE = b'{"k":"end"'
_NS_PER_MS = 1_000_000
_ID_BYTES = 8


class Recording:
    """One cassette being recorded; made by `open`. Observers of one event loop feed it; `seal` ends it."""

    def __init__(  # noqa: PLR0913 - as `open`, which is what makes one
        self, stem: Path, journal: Journal, begin: Start, options: RecordOptions, secrets: Secrets, *, over: bool
    ) -> None:
        self.name = str(stem)
        self._stem = stem
        self._journal = journal
        self._over = over
        self._next_index = begin.index
        self._began_ns = begin.began_ns
        self._origin_ns: int | None = None
        self._lost = 0
        self._queue = Queue(options)
        self._secrets = secrets
        self._writer = _Writer(journal, self._queue, options, secrets)
        self._thread = threading.Thread(target=self._writer.run, name="wiretape-journal", daemon=True)
        self._thread.start()

    @classmethod
    def open(  # noqa: PLR0913 - what a recording is, and one word on what becomes of an older one
        cls,
        stem: Path,
        upstream: str,
        by: str,
        wall_ns: int,
        options: RecordOptions,
        *,
        over: bool = False,
        redact: RedactOptions = NO_RULES,
    ) -> Self:
        """Begin, or go on after a crash, to record to this stem.

        What is recorded is added to a cassette that is there already; with `over` it replaces it. Raises
        CassetteLocked while another process records to it, CassetteError where what is there cannot be read.
        """
        where = ", ".join(cleaned(one) for one in upstream.split(", "))
        header = Header(by=by, recorded=timestamp(wall_ns), upstream=where, id=chance.token_hex(_ID_BYTES))
        path = tape_path(stem)
        is_added = not over and path.exists()
        sealed_id, sealed_bytes = (load(path).header.id, path.stat().st_size) if is_added else ("", 0)
        journal = Journal.open(journal_path(stem), CASSETTE_BYTES_MAX - sealed_bytes)
        try:
            begin = start(journal, header, sealed_id, over=over)
            secrets = Secrets(options.secrets_max, redact, begun=is_added or begin.index > 1)
            return cls(stem, journal, begin, options, secrets, over=over)
        except BaseException:
            journal.close()
            raise

    @property
    def dropped(self) -> int:
        """Interactions that were lost to a bound, to what they held or to the disk."""
        return self._lost + self._writer.dropped

    @property
    def lookbacks_passed(self) -> int:
        """Times `redact_lookback` let go what might have begun a secret."""
        return self._secrets.lookbacks_passed

    @property
    def reason(self) -> str | None:
        """Why recording has stopped, where it has; every exchange from then on counts as dropped."""
        return self._writer.reason

    def observer(self, request: Request) -> Observer:
        """One exchange's observer: its calls append to a queue, they never wait."""
        slot = Slot(self._next_index, request, self._t0_ms(request))
        self._next_index += 1
        if self._writer.reason is not None:
            self._lost += 1
            slot.overrun = True
        return _Recorded(self, slot)

    def put(self, slot: Slot, step: Step, value: object, size: int) -> None:
        """One call of an observer."""
        if slot.overrun or slot.closed or self._queue.put(slot, step, value, size):
            return
        self._lost += 1
        slot.overrun = True
        self._queue.force(slot, _cut)

    def seal(self) -> Sealed:
        """Stop, and make the sealed file; the journal goes. Raises CassetteError; then the journal stays.

        Exchanges that are still open are closed as cut by the recorder.
        """
        self._writer.stop()
        self._thread.join()
        return seal_locked(self._journal, self._stem, over=self._over, secrets=self._secrets)

    def discard(self) -> None:
        """Stop without sealing, where nothing was watched; a journal that a crash had left stays as it was."""
        self._writer.stop()
        self._thread.join()
        if self._next_index > 1:
            self._journal.close()
        else:
            self._journal.remove()

    def _t0_ms(self, request: Request) -> int:
        """By the monotonic clock, from where the wall clock stood at the first request."""
        if self._origin_ns is None:
            self._origin_ns = request.at_ns - max(request.wall_ns - self._began_ns, 0)
        return max(request.at_ns - self._origin_ns, 0) // _NS_PER_MS


class _Recorded:
    """The Observer of one exchange."""

    __slots__ = ("_put", "_slot")

    def __init__(self, recording: Recording, slot: Slot) -> None:
        self._put = recording.put
        self._slot = slot

    def sent(self, chunk: Chunk) -> None:
        self._put(self._slot, Take.sent, chunk, len(chunk.data))

    def head(self, head: Head) -> None:
        self._put(self._slot, Take.head, head, 0)

    def chunk(self, chunk: Chunk) -> None:
        self._put(self._slot, Take.chunk, chunk, len(chunk.data))

    def end(self, ending: Ending) -> None:
        self._put(self._slot, Take.end, ending, 0)


class _Writer:
    """What the writer's thread does: take from the queue, let each Take make its lines, append them."""

    def __init__(self, journal: Journal, queue: Queue, options: RecordOptions, secrets: Secrets) -> None:
        self.dropped = 0
        self.reason: str | None = None
        self._journal = journal
        self._queue = queue
        self._options = options
        self._secrets = secrets
        self._open: dict[int, Take] = {}
        self._held_bytes = 0
        self._stop = threading.Event()

    def run(self) -> None:
        """Until `stop`, and then what is left. Whatever happens, the recording tells that it has stopped."""
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - nobody waits for this thread, and its text may hold a secret
            self._fail(OSError(0, f"the recorder failed ({type(error).__name__})"), b"")

    def _run(self) -> None:
        while not self._stop.is_set():
            self._queue.wake.wait()
            self._queue.wake.clear()
            self._write()
            self._stop.wait(self._options.journal_lag_s / 2)
        self._write()

    def stop(self) -> None:
        """From the caller's thread: write what waits, then end."""
        self._stop.set()
        self._queue.wake.set()

    def _write(self) -> None:
        taken = self._queue.take()
        if self.reason is not None:
            return
        lines = b"".join(line for piece in taken for line in self._lines(*piece))
        if lines:
            self._append(lines)

    def _append(self, lines: bytes) -> None:
        written = self._journal.append(lines)
        if written.error is not None:
            self._fail(written.error, lines[written.kept :])
        elif _END_LINE in lines and (error := self._journal.sync()) is not None:
            self._fail(error, lines)

    def _fail(self, error: OSError, lost: bytes) -> None:
        """Recording ends here. Every exchange of which something is missing counts as dropped."""
        self.reason = f"{self._journal.path}: {error.strerror}; recording has stopped, traffic goes on."
        self.dropped += len(self._open) + lost.count(_END_LINE)
        self._open.clear()

    def _lines(self, slot: Slot, step: Step, value: object) -> list[bytes]:
        if slot.closed:
            return []
        try:
            lines = self._step(slot, step, value)
        except Exception:  # noqa: BLE001 - whatever one exchange holds, the others are recorded
            return self._drop(slot)
        if self._held_bytes > self._options.held_bytes_max:
            return lines + self._drop(slot)
        if step in _LAST:
            self._close(slot)
        return lines

    def _step(self, slot: Slot, step: Step, value: object) -> list[bytes]:
        if slot.take is None:
            slot.take = Take(slot.index, slot.request, slot.t0_ms, self._secrets, self._options)
            self._open[slot.index] = slot.take
        held = slot.take.held_bytes
        try:
            return step(slot.take, value)
        finally:
            self._held_bytes += slot.take.held_bytes - held

    def _drop(self, slot: Slot) -> list[bytes]:
        """Close an exchange that cannot be recorded."""
        self.dropped += 1
        lines = slot.take.cut() if slot.take is not None else []
        self._close(slot)
        return lines

    def _close(self, slot: Slot) -> None:
        slot.closed = True
        if slot.take is not None:
            self._held_bytes -= slot.take.held_bytes
        slot.take = None
        self._open.pop(slot.index, None)


def _cut(take: Take, _: object) -> list[bytes]:
    """The step of an exchange for which the queue had no room."""
    return take.cut()


_LAST = frozenset({Take.end, _cut})
