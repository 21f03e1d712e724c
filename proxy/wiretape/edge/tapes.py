"""Cassettes on disk: loading, listing, and writing what an import made.

A sealed file is never written in place: a new one is made beside it, synced and moved over it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from wiretape.cassette.draft import Shelved
from wiretape.cassette.format import Tape, render
from wiretape.cassette.reader import Reading, read
from wiretape.cassette.scan import scan
from wiretape.cassette.shelf import Entry, Shelf, asked_ids, entry_of
from wiretape.cassette.show import Summary, summary
from wiretape.edge.blobs import Blobs
from wiretape.edge.files import OpenFile, replacing
from wiretape.edge.journal import CASSETTE_BYTES_MAX
from wiretape.edge.names import JOURNAL_SUFFIX, SEALED_SUFFIX, blobs_path, tape_path
from wiretape.edge.sidecar import INDEX_ABOVE_BYTES, Index, hash_of, read_index, write_index
from wiretape.errors import CassetteError


class Sealed(Struct, frozen=True):
    """What sealing made; `incomplete` counts the interactions that the recorder cut."""

    path: Path
    interactions: int
    incomplete: int
    others: tuple[Sealed, ...] = ()
    """Of the same recording: the cassettes of its sessions, and its parts, as far as they are there."""


def load(path: Path) -> Tape:
    """The Tape in a sealed file or a journal; a large one's interactions are read when they are asked for.

    A damaged line is named in the notes, and what it belonged to is left out. Raises CassetteError, which names
    file and line, where the whole cannot be read.
    """
    source, fetch = opened(path), Blobs(blobs_path(path)).fetch
    journal = path.name.endswith(JOURNAL_SUFFIX)
    if source.size <= INDEX_ABOVE_BYTES:
        return read(source.read(0, source.size), str(path), journal=journal, fetch=fetch, strict=False)
    index = (None if journal else read_index(path, source)) or _indexed(path, source, journal=journal)
    shelved = Shelved(source=source, ids=index.ids, fetch=fetch, room=index.header_bytes)
    shelf = Shelf(shelved, index.entries, str(path), frozenset(index.foreign))
    return Tape(header=index.header, interactions=shelf, notes=index.notes, ids=index.ids)


def content(path: Path) -> bytes:
    """A cassette's bytes, whatever they hold. Raises CassetteError."""
    source = opened(path)
    return source.read(0, source.size)


def opened(path: Path) -> OpenFile:
    """A cassette's file. Raises CassetteError where it is too large, or cannot be read."""
    try:
        source = OpenFile.at(path)
    except OSError as error:
        raise CassetteError(f"{path}: cannot be read: {error.strerror}.") from error
    if source.size > CASSETTE_BYTES_MAX:
        raise CassetteError(f"{path}: over {CASSETTE_BYTES_MAX} bytes; record to several cassettes.")
    return source


def reading(path: Path, source: OpenFile, *, journal: bool) -> Reading:
    """One way through a cassette's file. Raises CassetteError where the whole cannot be read."""
    return Reading(source, scan(source, str(path), journal=journal), Blobs(blobs_path(path)).fetch)


def write_tape(tape: Tape, path: Path) -> Sealed:
    """The sealed file of a tape at this path, whole or not at all. Raises CassetteError."""
    blobs = Blobs(blobs_path(path))
    try:
        with replacing(path) as file:
            file.writelines(render(tape, blobs.keep))
            blobs.sync()
    except OSError as error:
        raise CassetteError(f"{path}: cannot be written: {error.strerror}.") from error
    return Sealed(path, len(tape.interactions), tape.incomplete)


def recorded(stem: Path) -> list[Path]:
    """The sealed files of a stem: its own, those of its recording sessions, and those of its parts, where they are."""
    own = tape_path(stem)
    family = re.compile(re.escape(stem.name) + r"(@[^@.]+)?(\.[0-9]{6,})?" + re.escape(SEALED_SUFFIX))
    found = [path for path in stem.parent.iterdir() if family.fullmatch(path.name)] if stem.parent.exists() else []
    return sorted(found, key=lambda path: (path != own, path.name)) or [own]


def listing(folder: Path) -> Iterator[Summary]:
    """Every cassette and every journal in a folder and below, by name."""
    found = [path for suffix in (SEALED_SUFFIX, JOURNAL_SUFFIX) for path in folder.rglob(f"*{suffix}")]
    return (_summary(folder, path) for path in sorted(found))


def _summary(folder: Path, path: Path) -> Summary:
    name = str(path.relative_to(folder)).removesuffix(SEALED_SUFFIX).removesuffix(JOURNAL_SUFFIX)
    sealed = path.name.endswith(SEALED_SUFFIX)
    try:
        return summary(name, load(path), path.stat().st_size, sealed=sealed)
    except CassetteError as error:
        return Summary(name=name, interactions=0, bytes=0, recorded="", incomplete=0, sealed=sealed, problem=str(error))


def _indexed(path: Path, source: OpenFile, *, journal: bool) -> Index:
    """The index of a file that has none; a sealed one gets it, so that the next time is quicker."""
    way = reading(path, source, journal=journal)
    entries: list[Entry] = []
    asked: set[str] = set()
    for strip, interaction in way:
        entries.append(entry_of(interaction, strip))
        asked.update(asked_ids(interaction))
    found = way.scan
    index = Index(
        of="" if journal else hash_of(source),
        header=found.header,
        header_bytes=found.header_bytes,
        ids=found.ids,
        entries=entries,
        foreign=sorted(asked.difference(found.ids.values())),
        notes=way.notes,
    )
    if not journal:
        write_index(path, index)
    return index
