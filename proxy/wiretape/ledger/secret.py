"""The secret under which credentials are hashed: made once, and kept beside the ledger."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

SUFFIX: Final = ".hash-key"
"""What the ledger's file name is followed by."""

_BYTES: Final = 32


def hash_secret(ledger: Path | None) -> bytes:
    """Read or make the secret of a ledger; one for this process alone where there is no ledger or no room for a file.

    Several processes may ask at once: all get the same. The file is readable by its owner alone.
    """
    if ledger is None:
        return secrets.token_bytes(_BYTES)
    path = ledger.with_name(ledger.name + SUFFIX)
    try:
        return _read(path) or _made(path)
    except OSError:
        return secrets.token_bytes(_BYTES)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes().strip() or None
    except FileNotFoundError:
        return None


def _made(path: Path) -> bytes:
    """Written under another name first, and to the disk: who finds the file finds it whole.

    One that is empty all the same (its machine lost power, its volume was full) is replaced, or each start would hash
    by a secret of its own.
    """
    made = secrets.token_hex(_BYTES).encode()
    draft = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(made + b"\n")
            file.flush()
            os.fsync(descriptor)
        return _placed(draft, path) or made
    finally:
        draft.unlink(missing_ok=True)


def _placed(draft: Path, path: Path) -> bytes | None:
    """Put ours there, or give what another process has put there meanwhile."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        found = path.read_bytes().strip()
        if found:
            return found
        draft.replace(path)
    return None
