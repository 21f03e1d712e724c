"""From a journal to a sealed file, a line at a time; and where a recording begins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from wiretape.cassette.format import Header, header_line, recorded_at
from wiretape.cassette.rules import NO_RULES, Rules
from wiretape.cassette.scan import good_end
from wiretape.cassette.sealing import Piece, Sealing
from wiretape.cassette.secrets import Secrets
from wiretape.edge.blobs import Blobs
from wiretape.edge.files import clear_unfinished, replacing
from wiretape.edge.journal import Journal
from wiretape.edge.names import blobs_path, cleaned, journal_path, tape_path
from wiretape.edge.sidecar import INDEX_ABOVE_BYTES, Index, write_index
from wiretape.edge.tapes import Sealed, opened, reading
from wiretape.errors import CassetteError

_NS_PER_S = 1_000_000_000
_ID_BYTES = 8


class Start(Struct, frozen=True):
    """Where a recording begins: the first interaction's number, and the time its `t0` count from."""

    index: int
    began_ns: int


def seal_journal(stem: Path, *, over: bool = False) -> Sealed:
    """Seal what a crash left; with `over`, in place of a cassette that is there.

    Raises CassetteError, and CassetteLocked while it is still recorded to.
    """
    if not journal_path(stem).exists():
        raise CassetteError(f"{journal_path(stem)}: there is no journal to seal.")
    return seal_locked(Journal.open(journal_path(stem)), stem, over=over)


def seal_locked(journal: Journal, stem: Path, *, over: bool, secrets: Secrets | None = None) -> Sealed:
    """Seal an open journal and take it away; it stays, closed, where that fails.

    What the recording has learned of `secrets` by now is taken out of all of it.
    """
    path = tape_path(stem)
    clear_unfinished(path)
    try:
        sealed = _sealed(_pieces(journal, path, over=over), path, secrets)
    except OSError as error:
        journal.close()
        raise CassetteError(f"{path}: cannot be written: {error.strerror}.") from error
    except BaseException:
        journal.close()
        raise
    journal.remove()
    return sealed


def start(journal: Journal, header: Header, sealed_id: str = "", *, over: bool = False) -> Start:
    """Make a journal ready for appending: with its first line, or cut back to its last good one after a crash.

    One whose recording is `sealed_id` was sealed already: it begins anew, and so it does where the recording goes
    `over` what is there. Raises CassetteError where it is damaged before its end, or cannot be written.
    """
    source = journal.source()
    good = 0 if over else good_end(source)
    way = reading(journal.path, source, journal=True) if good else None
    if way is None or (sealed_id and way.scan.header.id == sealed_id):
        journal.cut(0)
        _write(journal, header_line(header))
        return Start(1, _began_ns(header))
    way.refuse_damage(str(journal.path))
    journal.cut(good)
    _write(journal, b"" if source.read(good - 1, good) == b"\n" else b"\n")
    return Start(max((strip.index for strip in way.scan.strips), default=0) + 1, _began_ns(way.scan.header))


def sealed_already(path: Path) -> tuple[str, int]:
    """The id and the length of a sealed file that will be recorded to. Raises CassetteError where it is damaged."""
    source = opened(path)
    way = reading(path, source, journal=False)
    way.refuse_damage(str(path))
    return way.scan.header.id, source.size


def new_header(by: str, upstream: str, wall_ns: int) -> Header:
    """The first line of a recording that begins now; `upstream` may be several, and is told without secrets."""
    where = ", ".join(cleaned(one) for one in upstream.split(", "))
    return Header(by=by, recorded=timestamp(wall_ns), upstream=where, id=token_hex(_ID_BYTES))


def timestamp(wall_ns: int) -> str:
    """A header's time, in UTC and whole seconds."""
    return datetime.fromtimestamp(wall_ns // _NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Keeper:
    """Keeps blobs, and knows which."""

    def __init__(self, path: Path) -> None:
        self._blobs = Blobs(blobs_path(path))
        self._names: set[str] = set()

    def keep(self, name: str, body: bytes) -> None:
        self._blobs.keep(name, body)
        self._names.add(name)

    def sync(self) -> None:
        self._blobs.sync()

    def sweep(self) -> None:
        self._blobs.sweep(self._names)


def _pieces(journal: Journal, path: Path, *, over: bool) -> list[Piece]:
    """What the sealed file will hold: a recording in which nothing happened costs nothing that was there."""
    recorded = Piece(reading(journal.path, journal.source(), journal=True), str(journal.path))
    if not path.exists():
        return [recorded]
    if over and recorded.strips:
        recorded.header = replace(recorded.header, match=_rules_of(path).joined(recorded.header.match))
        return [recorded]
    there = Piece(reading(path, opened(path), journal=False), str(path))
    return [there] if over else [there, recorded]


def _rules_of(path: Path) -> Rules:
    """What a person wrote into a cassette's first line, which holds for its next recording; of no cassette, none."""
    try:
        return reading(path, opened(path), journal=False).scan.header.match
    except CassetteError:
        return NO_RULES


def _sealed(pieces: list[Piece], path: Path, secrets: Secrets | None) -> Sealed:
    keeper = _Keeper(path)
    sealing = Sealing(pieces, keeper.keep, secrets)
    with replacing(path) as file:
        size, sha = _written(file, sealing.lines())
        keeper.sync()
    keeper.sweep()
    if size > INDEX_ABOVE_BYTES:
        write_index(path, _index(sealing, sha))
    return Sealed(path, len(sealing.entries), sealing.incomplete)


def _written(file: BinaryIO, lines: Iterable[bytes]) -> tuple[int, str]:
    """The length and the hash of what was written."""
    made, size = hashlib.sha256(), 0
    for line in lines:
        file.write(line)
        made.update(line)
        size += len(line)
    return size, made.hexdigest()


def _index(sealing: Sealing, sha: str) -> Index:
    header_bytes = len(header_line(sealing.header, sealing.ids)) - 1
    return Index(
        of=sha,
        header=sealing.header,
        header_bytes=header_bytes,
        ids=sealing.ids,
        entries=sealing.entries,
        foreign=sorted(sealing.foreign),
    )


def _write(journal: Journal, line: bytes) -> None:
    error = journal.append(line).error or journal.sync()
    if error is not None:
        raise CassetteError(f"{journal.path}: cannot be written: {error.strerror}.") from error


def _began_ns(header: Header) -> int:
    began = recorded_at(header)
    return 0 if began is None else int(began.timestamp()) * _NS_PER_S
