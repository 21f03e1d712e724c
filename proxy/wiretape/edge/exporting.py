"""Exports on disk: new files only, and none where one of them cannot be written."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from wiretape.cassette.convert.exported import Exported
from wiretape.edge.files import PRIVATE_FILE, PRIVATE_FOLDER
from wiretape.errors import CassetteError


def write_export(exported: Exported, target: Path) -> list[Path]:
    """Write an export's files: the one at `target`, several into the folder `target`.

    Raises CassetteError where a file is there already or cannot be written; then none of them stays.
    """
    done: list[Path] = []
    try:
        for name, data in exported.parts:
            path = target / name if name else target
            path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            _write_new(path, data, done)
    except OSError as error:
        _remove(done)
        raise CassetteError(f"{error.filename or target}: cannot be written: {error.strerror}.") from error
    return done


def _write_new(path: Path, data: bytes, done: list[Path]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    done.append(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()
