"""The index beside a large sealed file: what finds its interactions without reading it.

A cache and no more: it names the hash of the file that it was made of, is made anew where that is another, and
nothing depends on it. Commit it or not.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import zlib
from pathlib import Path

import msgspec
from msgspec import Struct

from wiretape import __version__
from wiretape.cassette.format import Header
from wiretape.cassette.scan import BLOCK_BYTES, Source
from wiretape.cassette.shelf import Entry
from wiretape.edge.files import replacing
from wiretape.edge.names import index_path

INDEX_ABOVE_BYTES = 1 << 20
"""Smaller files are read whole: that is as quick."""
_MADE_BY = f"{__version__} {sys.byteorder}"
_SUM_BYTES = 4


class Index(Struct, frozen=True, kw_only=True):
    """What stands in it."""

    of: str
    """SHA-256 of the sealed file."""
    header: Header
    header_bytes: int
    ids: dict[str, str]
    entries: list[Entry]
    foreign: list[str]
    """Ids that a request was the first to name, sorted."""
    notes: tuple[str, ...] = ()
    by: str = _MADE_BY


_DECODER = msgspec.msgpack.Decoder(Index)


def write_index(path: Path, index: Index) -> None:
    """Put it beside this sealed file, where that can be done."""
    with contextlib.suppress(OSError), replacing(index_path(path)) as file:
        held = msgspec.msgpack.encode(index)
        file.write(_sum(held) + held)


def read_index(path: Path, source: Source) -> Index | None:
    """The index of this sealed file; None where there is none, a damaged one, or one of something else."""
    try:
        found = index_path(path).read_bytes()
        index = _DECODER.decode(found[_SUM_BYTES:]) if found.startswith(_sum(found[_SUM_BYTES:])) else None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    if index is None:
        return None
    return index if (index.by, index.of) == (_MADE_BY, hash_of(source)) else None


def hash_of(source: Source) -> str:
    """SHA-256 of all of it."""
    made = hashlib.sha256()
    for start in range(0, source.size, BLOCK_BYTES):
        made.update(source.read(start, start + BLOCK_BYTES))
    return made.hexdigest()


def _sum(held: bytes) -> bytes:
    """What tells that these bytes are as they were written: a damaged place would lead anywhere."""
    return zlib.crc32(held).to_bytes(_SUM_BYTES, "big")
