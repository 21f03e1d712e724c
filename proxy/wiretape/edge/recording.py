"""Recording: observers put what they saw on a bounded queue; one thread writes it to journals.

On the caller's thread (one event loop) an observer only appends to the queue. The writer's thread redacts,
encodes and appends, so nothing unredacted is ever on disk. It writes at least every `journal_lag_s` and syncs
when an interaction has ended. When the queue is full the interaction is closed as cut; when the disk refuses,
the journal is cut back to its last whole line and the recording pauses, with a reason, until there is room. Traffic
notices neither.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

from wiretape.cassette.recorder import Take
from wiretape.cassette.redact_rules import NO_RULES, RedactOptions
from wiretape.edge.pieces import Queue, Slot, Step
from wiretape.edge.record_options import RecordOptions
from wiretape.edge.reels import Reels, Told
from wiretape.edge.tapes import Sealed
from wiretape.edge.writer import Writer, cut
from wiretape.exchange import Chunk, Ending, Head, Observer, Request


class Recording:
    """Cassettes being recorded, one for each session; made by `open`. One event loop feeds it; `seal` ends it."""

    def __init__(self, stem: Path, reels: Reels, options: RecordOptions) -> None:
        self.name = str(stem)
        self._reels = reels
        self._next_index = 1
        self._lost = 0
        self._queue = Queue(options)
        self._writer = Writer(reels, self._queue, options)
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
        return cls(stem, Reels(stem, Told(by, upstream, redact), wall_ns, options, over=over), options)

    @property
    def dropped(self) -> int:
        """Interactions that were lost to a bound, to what they held or to the disk."""
        return self._lost + self._writer.dropped

    @property
    def reason(self) -> str | None:
        """Why recording has stopped, where it has: every exchange until it goes on counts as dropped."""
        return self._writer.reason or self._reels.problem

    @property
    def lookbacks_passed(self) -> int:
        """Times `redact_lookback` let go what might have begun a secret."""
        return self._reels.lookbacks_passed

    @property
    def waiting(self) -> int:
        """Pieces that the writer has not written yet."""
        return self._queue.pieces

    @property
    def counts(self) -> dict[str, int]:
        """What its limits have come to."""
        return {
            "dropped": self.dropped,
            "sampled_out": self._writer.left_out,
            "resumed": self._writer.resumed,
            "parts_removed": self._reels.removed,
        }

    def observer(self, request: Request) -> Observer:
        """One exchange's observer: its calls append to a queue, they never wait."""
        slot = Slot(self._next_index, request)
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
        self._queue.force(slot, cut)

    def close_session(self, name: str) -> None:
        """A session is over: its cassette is sealed, in the background, when its last exchange has ended."""
        self._queue.force(None, cut, name)

    def seal(self) -> Sealed:
        """Stop, and make the sealed files; the journals go. Raises CassetteError; then that journal stays.

        Exchanges that are still open are closed as cut by the recorder.
        """
        self._writer.stop()
        self._thread.join()
        return self._reels.finish()

    def discard(self) -> None:
        """Stop without sealing, where nothing was watched; a journal that a crash had left stays as it was."""
        self._writer.stop()
        self._thread.join()
        self._reels.discard()


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
        self._put(self._slot, Take.chunks, chunk, len(chunk.data))

    def end(self, ending: Ending) -> None:
        self._put(self._slot, Take.end, ending, 0)
