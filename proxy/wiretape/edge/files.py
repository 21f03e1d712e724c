"""Files as cassettes need them: private, read in pieces, and written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


class OpenFile:
    """A Source: a file's bytes as it was opened, whatever becomes of its name. Closed when nobody has it any more."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open the file at this path. Raises OSError."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        source = cls(descriptor)
        weakref.finalize(source, os.close, descriptor)
        return source

    def read(self, start: int, end: int) -> bytes:
        """Give the bytes between two places; fewer where there are no more. One call gives at most 2 GiB."""
        return os.pread(self.descriptor, end - start, start)


@contextmanager
def replacing(path: Path, *, synced: bool = True) -> Iterator[BinaryIO]:
    """A file that takes this path's place when it is left without an error. Raises OSError.

    With `synced` it is on the disk then.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(beside, flags, PRIVATE_FILE), "wb", 1 << 20) as file:
            yield file
            file.flush()
            if synced:
                os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    if synced:
        sync_path(path.parent)


def clear_unfinished(path: Path) -> None:
    """Remove what a process that was killed had begun to put at this path; only where nobody else may be at it."""
    begun = re.compile(re.escape(f".{path.name}.") + "[0-9]+")
    with contextlib.suppress(OSError):
        for beside in [one for one in path.parent.iterdir() if begun.fullmatch(one.name)]:
            beside.unlink()


def sync_path(path: Path) -> None:
    """Wait until a file's bytes, or the names in a folder, are on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
