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
    """Written under another name first: who finds the file finds it whole."""
    made = secrets.token_hex(_BYTES).encode()
    draft = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(made + b"\n")
        path.hardlink_to(draft)
    except FileExistsError:
        made = path.read_bytes().strip() or made
    finally:
        draft.unlink()
    return made
