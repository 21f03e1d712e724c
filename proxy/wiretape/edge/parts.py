"""The parts of a recording that goes on for ever: numbered, sealed one by one, the oldest removed."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from wiretape.edge.names import JOURNAL_SUFFIX, SEALED_SUFFIX, blobs_path, index_path

PARTS = 8
"""Parts that fit into the limits: what is removed at a time is so small a share of what is kept."""
_NUMBERED = r"(?:@[^@.]+)?\.([0-9]{6,})"
_NS_PER_S = 1_000_000_000


class Part(Struct, frozen=True):
    """A sealed part on the disk."""

    path: Path
    bytes: int
    """With its blobs and its index."""
    sealed_ns: int

    def remove(self) -> None:
        """Take it away; what does not go is tried again with the next part."""
        with contextlib.suppress(OSError):
            self.path.unlink()
            index_path(self.path).unlink(missing_ok=True)
            shutil.rmtree(blobs_path(self.path), ignore_errors=True)


def next_part(stem: Path) -> Path:
    """The stem of the part that comes next."""
    numbers = (int(found[1]) for found in _found(stem, r"\..*"))
    return stem.with_name(f"{stem.name}.{max(numbers, default=0) + 1:06d}")


def left_behind(stem: Path) -> list[Path]:
    """The stems of parts that a crash kept from being sealed."""
    return sorted(path.with_name(path.name.removesuffix(JOURNAL_SUFFIX)) for path in _files(stem, JOURNAL_SUFFIX))


def overdue(stem: Path, bytes_max: int, age_max_s: float, now_ns: int) -> list[Part]:
    """The oldest parts that are over a limit (0 is none), oldest first; `now_ns` is by the wall clock."""
    kept, found = 0, []
    for part in sorted(_parts(stem), key=lambda one: (one.sealed_ns, one.path.name), reverse=True):
        kept += part.bytes
        too_old = age_max_s and now_ns - part.sealed_ns > age_max_s * _NS_PER_S
        if too_old or (bytes_max and kept > bytes_max):
            found.append(part)
    return found[::-1]


def _parts(stem: Path) -> Iterator[Part]:
    for path in _files(stem, SEALED_SUFFIX):
        with contextlib.suppress(FileNotFoundError):
            beside = (index_path(path), *_inside(blobs_path(path)))
            size = sum(one.stat().st_size for one in (path, *beside) if one.exists())
            yield Part(path, size, path.stat().st_mtime_ns)


def _files(stem: Path, suffix: str) -> list[Path]:
    return [stem.with_name(found.string) for found in _found(stem, re.escape(suffix))]


def _found(stem: Path, suffix: str) -> list[re.Match[str]]:
    """Numbered files of this recording and its sessions; `weather.prod` is one of its own beside `weather`."""
    names = re.compile(re.escape(stem.name) + _NUMBERED + suffix)
    inside = stem.parent.iterdir() if stem.parent.exists() else ()
    return [found for path in inside if (found := names.fullmatch(path.name))]


def _inside(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.exists() else iter(())
