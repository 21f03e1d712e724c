"""Which process the open runs in a ledger belong to, and whether it lives: each holds a locked file beside the ledger.

The kernel lets a lock go when its process ends, however it ends; so a successor knows at once, and no clock is asked.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

_OWNER_ONLY: Final = 0o600
_ID_BYTES: Final = 8


class Owner:
    """This process, as far as one ledger is concerned."""

    def __init__(self, ledger: Path) -> None:
        self.id = secrets.token_hex(_ID_BYTES)
        """Random, so that no later process is ever taken for this one."""
        self._path = _file(ledger, self.id)
        self._descriptor: int | None = None

    def claim(self) -> None:
        """Make and lock the file, unless that was done; raises OSError. Nothing may be saved before.

        Call it with the ledger's write lock held: who looks for dead ones must not find it made and not yet locked.
        """
        if self._descriptor is None:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor

    def release(self) -> None:
        """Let go: whatever is still saved is a successor's."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = None


def owners(ledger: Path) -> list[str]:
    """All that have a file beside the ledger, dead or alive, also those that left no run."""
    prefix = _file(ledger, "").name
    names = (one.name for one in ledger.parent.iterdir())
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def is_dead(ledger: Path, owner: str) -> bool:
    """Whether the owner of this id has ended. One whose file cannot be looked into is taken to live."""
    try:
        descriptor = os.open(_file(ledger, owner), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def bury(ledger: Path, owner: str) -> None:
    """Remove the file of a dead owner."""
    with suppress(OSError):
        _file(ledger, owner).unlink()


def _file(ledger: Path, owner: str) -> Path:
    return ledger.with_name(f"{ledger.name}-owner-{owner}")
