"""The file a recording is appended to: locked, and whole lines or nothing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import Self

from msgspec import Struct

from wiretape.edge.files import PRIVATE_FILE, PRIVATE_FOLDER, OpenFile
from wiretape.errors import CassetteError, CassetteLocked

CASSETTE_BYTES_MAX = 1 << 30
"""A larger file is refused: what finds its interactions would be as large as a cassette should be."""


class Written(Struct, frozen=True):
    """How much of an append is on disk: all of it, or the whole lines before the error."""

    kept: int
    error: OSError | None = None


class Journal:
    """One journal, open for appending by one process; `open` raises CassetteLocked for the second.

    It takes `bytes_max` at most, so that what is recorded can be read again.
    """

    def __init__(self, path: Path, descriptor: int, bytes_max: int = CASSETTE_BYTES_MAX) -> None:
        self.path = path
        self._bytes_max = bytes_max
        self._descriptor = descriptor
        self._is_full = False
        self._size = self._synced = os.fstat(descriptor).st_size

    @classmethod
    def open(cls, path: Path, bytes_max: int = CASSETTE_BYTES_MAX) -> Self:
        """The journal at this path, made if it is not there. Raises CassetteError and CassetteLocked."""
        try:
            path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            return cls(path, _locked(path), bytes_max)
        except CassetteError:
            raise
        except OSError as error:
            raise CassetteError(f"{path}: cannot be opened for recording: {error.strerror}.") from error

    @property
    def size(self) -> int:
        """Bytes that are in it."""
        return self._size

    def source(self) -> OpenFile:
        """What is in it now; only while it is open. Raises CassetteError where no reader would take so much."""
        if self._size > CASSETTE_BYTES_MAX:
            raise CassetteError(f"{self.path}: over {CASSETTE_BYTES_MAX} bytes; record to several cassettes.")
        return OpenFile(self._descriptor)

    def cut(self, size: int) -> None:
        """Keep the first `size` bytes; what follows is appended there."""
        os.ftruncate(self._descriptor, size)
        self._size, self._synced = size, min(size, self._synced)

    def append(self, lines: bytes) -> Written:
        """Add whole lines. After an error the file ends with its last whole line."""
        written = 0
        if self._size + len(lines) > self._bytes_max:
            self._is_full = True
            return Written(0, _full())
        try:
            while written < len(lines):
                written += os.pwrite(self._descriptor, lines[written:], self._size + written)
        except OSError as error:
            kept = lines.rfind(b"\n", 0, written) + 1
            with contextlib.suppress(OSError):
                self.cut(self._size + kept)
            return Written(kept, error)
        self._size += written
        return Written(written)

    def sync(self) -> OSError | None:
        """Wait until what is in it now is on the disk; it may be appended to meanwhile.

        After an error `cut_back` it: what came since the last sync may be lost, and no later sync would tell.
        """
        size = self._size
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            return error
        self._synced = size
        return None

    def cut_back(self) -> None:
        """Let it end where the last sync left it."""
        with contextlib.suppress(OSError):
            self.cut(self._synced)

    def revive(self) -> OSError | None:
        """Try, after an error, whether it can be appended to again; not where it has reached its own limit."""
        if self._is_full:
            return _full()
        try:
            self.cut(self._size)
        except OSError as error:
            return error
        return self.append(b"\n").error or self.sync()

    def move(self, path: Path) -> None:
        """Be at another path from now on, still locked. Raises OSError."""
        self.path.rename(path)
        self.path = path

    def close(self) -> None:
        """Give up file and lock."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """Take the file away, while still locked."""
        self.path.unlink()
        self.close()


def _full() -> OSError:
    return OSError(errno.EFBIG, "The cassette is full: record to another one")


def _locked(path: Path) -> int:
    """A descriptor that holds the lock on the file now at this path; another may have sealed it in between."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise CassetteLocked(
                f"{path}: another process records to this cassette; stop it, or record to another name."
            ) from error
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
