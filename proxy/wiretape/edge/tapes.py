"""Cassettes on disk: what their names mean, loading, sealing, listing.

A cassette is named by its stem: `talks/weather` is `talks/weather.part.jsonl` while it is recorded and
`talks/weather.tape.jsonl` when it is sealed. A sealed file is never written in place: a new one is made beside
it, synced and moved over it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from wiretape.cassette.format import Header, Tape, header_line, joined, recorded_at, render
from wiretape.cassette.reader import good_bytes, read
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.show import Summary, summary
from wiretape.cassette.sweep import is_needed, swept
from wiretape.edge.journal import CASSETTE_BYTES_MAX, PRIVATE_FILE, PRIVATE_FOLDER, Journal
from wiretape.errors import CassetteError, ConfigError

SEALED_SUFFIX = ".tape.jsonl"
JOURNAL_SUFFIX = ".part.jsonl"

_NS_PER_S = 1_000_000_000


class Sealed(Struct, frozen=True):
    """What sealing made; `incomplete` counts the interactions that the recorder cut."""

    path: Path
    interactions: int
    incomplete: int


class Start(Struct, frozen=True):
    """Where a recording begins: the first interaction's number, and the time its `t0` count from."""

    index: int
    began_ns: int


def stem_of(name_or_path: str, cassette_dir: Path) -> Path:
    """The stem a person means: a bare name lies in `cassette_dir`, a path is a path, a file's suffix is taken off.

    Raises ConfigError for what can name no file.
    """
    named = name_or_path.removesuffix(SEALED_SUFFIX).removesuffix(JOURNAL_SUFFIX)
    last = named.rpartition("/")[2]
    if last in {"", ".", ".."} or not named.isprintable():
        raise ConfigError(
            f"{name_or_path!r} names no cassette: a name such as `weather` or `talks/weather` was expected."
        )
    is_bare = "/" not in named and named == name_or_path
    return cassette_dir / named if is_bare else Path(named)


def tape_path(stem: Path) -> Path:
    """The sealed file of a stem."""
    return stem.with_name(stem.name + SEALED_SUFFIX)


def journal_path(stem: Path) -> Path:
    """The journal of a stem."""
    return stem.with_name(stem.name + JOURNAL_SUFFIX)


def load(path: Path) -> Tape:
    """The Tape in a sealed file or a journal. Raises CassetteError, which names file and line."""
    return read(content(path), str(path), journal=path.name.endswith(JOURNAL_SUFFIX))


def content(path: Path) -> bytes:
    """A cassette's bytes, whatever they hold. Raises CassetteError."""
    try:
        if path.stat().st_size > CASSETTE_BYTES_MAX:
            raise CassetteError(f"{path}: over {CASSETTE_BYTES_MAX} bytes; record to several cassettes.")
        return path.read_bytes()
    except OSError as error:
        raise CassetteError(f"{path}: cannot be read: {error.strerror}.") from error


def write_tape(tape: Tape, path: Path) -> Sealed:
    """The sealed file of a tape at this path, whole or not at all. Raises CassetteError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        _write_synced(beside, b"".join(render(tape)))
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise CassetteError(f"{path}: cannot be written: {error.strerror}.") from error
    return Sealed(path, len(tape.interactions), tape.incomplete)


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
    try:
        tape = read(journal.read(), str(journal.path), journal=True)
        path = tape_path(stem)
        sealed = write_tape(_clean(_result(tape, path, over=over), secrets), path)
    except BaseException:
        journal.close()
        raise
    journal.remove()
    return sealed


def _clean(tape: Tape, secrets: Secrets | None) -> Tape:
    if secrets is None or not is_needed(secrets):
        return tape
    return replace(tape, interactions=tuple(swept(one, secrets) for one in tape.interactions))


def _result(tape: Tape, path: Path, *, over: bool) -> Tape:
    """What the sealed file will hold: a recording in which nothing happened costs nothing that was there."""
    if not path.exists():
        return tape
    if over:
        return tape if tape.interactions else load(path)
    return joined(load(path), tape)


def start(journal: Journal, header: Header, sealed_id: str = "", *, over: bool = False) -> Start:
    """Make a journal ready for appending: with its first line, or cut back to its last good one after a crash.

    One whose recording is `sealed_id` was sealed already: it begins anew, and so it does where the recording goes
    `over` what is there. Raises CassetteError where it is damaged before its end, or cannot be written.
    """
    data = b"" if over else journal.read()
    good = data[: good_bytes(data)]
    tape = read(good, str(journal.path), journal=True) if good else None
    if tape is None or (sealed_id and tape.header.id == sealed_id):
        journal.cut(0)
        _write(journal, header_line(header))
        return Start(1, _began_ns(header))
    journal.cut(len(good))
    _write(journal, b"" if good.endswith(b"\n") else b"\n")
    last = max((interaction.index for interaction in tape.interactions), default=0)
    return Start(last + 1, _began_ns(tape.header))


def _write(journal: Journal, line: bytes) -> None:
    error = journal.append(line).error
    if error is not None:
        raise CassetteError(f"{journal.path}: cannot be written: {error.strerror}.") from error


def cleaned(upstream: str) -> str:
    """An upstream's URL without what may be secret in it: user, password, query and fragment."""
    parts = urlsplit(upstream)
    try:
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return f"{parts.scheme}://"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}" if parts.scheme else upstream


def timestamp(wall_ns: int) -> str:
    """A header's time, in UTC and whole seconds."""
    return datetime.fromtimestamp(wall_ns // _NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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


def _began_ns(header: Header) -> int:
    began = recorded_at(header)
    return 0 if began is None else int(began.timestamp()) * _NS_PER_S


def _write_synced(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, PRIVATE_FILE), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
