"""One cassette while it is recorded: its journal, its blobs, and the exchanges that are open on it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from wiretape.cassette.format import Header
from wiretape.cassette.recorder import Take
from wiretape.cassette.redact_rules import RedactOptions
from wiretape.cassette.sample import Sieve
from wiretape.cassette.secrets import Secrets
from wiretape.edge.blobs import Blobs
from wiretape.edge.journal import CASSETTE_BYTES_MAX, Journal, Written
from wiretape.edge.names import blobs_path, journal_path, tape_path
from wiretape.edge.pieces import Slot
from wiretape.edge.record_options import RecordOptions
from wiretape.edge.seal import Start, seal_locked, sealed_already, start
from wiretape.edge.tapes import Sealed
from wiretape.exchange import Request

END_LINE = b'{"k":"end"'
_NS_PER_MS = 1_000_000


class Reel:
    """One journal that is being written; made by `open`, ended by `seal`, `close` or `discard`."""

    def __init__(self, stem: Path, journal: Journal, begin: Start, secrets: Secrets, *, over: bool) -> None:
        self.stem = stem
        self.journal = journal
        self.open_slots: dict[int, Slot] = {}
        self.secrets = secrets
        self.began_ns = begin.began_ns
        self.taken = 0
        """Exchanges of which something was written, since it was opened."""
        self._ended = self._ended_synced = 0
        self._syncing: Future[OSError | None] | None = None
        self._over = over
        self._before = begin.index - 1
        self._origin_ns: int | None = None
        self._blobs = Blobs(blobs_path(journal.path))

    @classmethod
    def open(cls, stem: Path, header: Header, secrets_max: int, redact: RedactOptions, *, over: bool) -> Self:
        """Begin, or go on after a crash, to record to this stem. Raises CassetteError and CassetteLocked."""
        path = tape_path(stem)
        is_added = not over and path.exists()
        sealed_id, sealed_bytes = sealed_already(path) if is_added else ("", 0)
        journal = Journal.open(journal_path(stem), CASSETTE_BYTES_MAX - sealed_bytes)
        try:
            begin = start(journal, header, sealed_id, over=over)
            secrets = Secrets(secrets_max, redact, begun=is_added or begin.index > 1)
            return cls(stem, journal, begin, secrets, over=over)
        except BaseException:
            journal.close()
            raise

    def begin(self, slot: Slot, options: RecordOptions, veil: bytes | None) -> Take:
        """Let an exchange begin here."""
        index, at_ms = slot.index + self._before, self._t0_ms(slot.request)
        slot.take = Take(index, slot.request, at_ms, self.secrets, options, self.keep, veil)
        slot.sieve = Sieve(slot.request.target, options.sample) if options.sample < 1 else None
        self.open_slots[slot.index] = slot
        self.taken += 1
        return slot.take

    def keep(self, name: str, body: bytes) -> None:
        """Put a long body beside the journal. Raises OSError."""
        self._blobs.keep(name, body)

    def write(self, lines: bytes) -> Written:
        """Append lines; where an exchange has ended in them, `sync` is due."""
        written = self.journal.append(lines)
        self._ended += lines.count(END_LINE, 0, written.kept)
        return written

    @property
    def is_unsettled(self) -> bool:
        """Whether an exchange has ended of which it is not known that it is on the disk."""
        return self._syncing is not None or self._ended > self._ended_synced

    @property
    def is_sync_due(self) -> bool:
        """Whether an exchange has ended that is not on the disk, and nobody sees to it."""
        return self._syncing is None and self._ended > self._ended_synced

    def sync(self, pool: ThreadPoolExecutor) -> None:
        """Let another thread wait for the disk: blobs first, then the journal. The lines that come meanwhile do not."""
        self._syncing = pool.submit(self._sync, self._ended)

    def sync_error(self) -> tuple[OSError, int] | None:
        """Why the last sync failed, and how many exchanges had ended since the one before; once."""
        if self._syncing is None or not self._syncing.done():
            return None
        error, self._syncing = self._syncing.result(), None
        if error is None:
            return None
        self.journal.cut_back()
        lost, self._ended = self._ended - self._ended_synced, self._ended_synced
        return error, lost

    def settle(self) -> None:
        """Wait for the sync that is under way."""
        if self._syncing is not None:
            self._syncing.result()

    def _sync(self, ended: int) -> OSError | None:
        try:
            self._blobs.sync()
        except OSError as error:
            return error
        failed = self.journal.sync()
        self._ended_synced = self._ended_synced if failed else ended
        return failed

    def retire(self, stem: Path) -> None:
        """Go on under another name, so that another reel can take this one's. Raises OSError."""
        self.settle()
        self._blobs.move(blobs_path(journal_path(stem)))
        self.journal.move(journal_path(stem))
        self.stem = stem

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it that would be missed."""
        return not self.taken and not self._before

    def seal(self) -> Sealed:
        """Make the sealed file; the journal goes. Raises CassetteError; then the journal stays."""
        self.settle()
        sealed = seal_locked(self.journal, self.stem, over=self._over, secrets=self.secrets)
        self.secrets.settle()
        return sealed

    def discard(self) -> None:
        """End it without sealing; a journal with something in it stays as it is."""
        self.settle()
        if self.is_empty:
            self.journal.remove()
        else:
            self.journal.close()

    def _t0_ms(self, request: Request) -> int:
        """By the monotonic clock, from where the wall clock stood at the first request."""
        if self._origin_ns is None:
            self._origin_ns = request.at_ns - max(request.wall_ns - self.began_ns, 0)
        return max(request.at_ns - self._origin_ns, 0) // _NS_PER_MS
