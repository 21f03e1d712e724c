"""The folder beside a cassette that holds its long bodies, each under the hash of its bytes."""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque
from collections.abc import Container
from pathlib import Path

from wiretape.edge.files import replacing, sync_path

BLOB_BYTES_MAX = 64 << 20
"""A longer one is not read: no recording writes it."""
_OURS = re.compile(r"[0-9a-f]{64}|\.[0-9a-f]{64}\.[0-9]+")
"""A blob, or one that was being written when its process was killed."""


class Blobs:
    """One such folder; it comes to be with its first blob. `sync` may run beside `keep`, in another thread.

    Names are hashes: the reader checks that before it asks, and the bytes against it afterwards.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unsynced: deque[str] = deque()

    def keep(self, name: str, body: bytes) -> None:
        """Put a body there, whole or not at all; what is there already is not written again. Raises OSError."""
        path = self._folder / name
        if not (path.is_file() and path.read_bytes() == body):
            with replacing(path, synced=False) as file:
                file.write(body)
            self._unsynced.append(name)

    def sync(self) -> None:
        """Wait until all that was put there is on the disk. Raises OSError; then it is tried again the next time."""
        names = [self._unsynced.popleft() for _ in range(len(self._unsynced))]
        try:
            for path in (*(self._folder / name for name in names), self._folder, self._folder.parent) if names else ():
                sync_path(path)
        except OSError:
            self._unsynced.extend(names)
            raise

    def fetch(self, name: str) -> bytes:
        """Give a body. Raises ValueError where there is none that can be read."""
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                return file.read(BLOB_BYTES_MAX)
        except OSError as error:
            raise ValueError(f"the blob {self._folder.name}/{name} cannot be read: {error.strerror}") from error

    def move(self, folder: Path) -> None:
        """Be another folder from now on, with all that is in this one. Raises OSError."""
        if self._folder.exists():
            self._folder.rename(folder)
        self._folder = folder

    def sweep(self, kept: Container[str]) -> None:
        """Remove the blobs that are not among these, and the folder once it is empty; nothing that is not ours.

        Where a link stands in the folder's place others may name what it holds: all stays.
        """
        if self._folder.is_symlink():
            return
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if _OURS.fullmatch(path.name) and path.name not in kept:
                    path.unlink()
            self._folder.rmdir()
