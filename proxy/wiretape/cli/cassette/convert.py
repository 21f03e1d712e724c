"""`wiretape cassette import` and `export`: other tools' recordings become cassettes, and cassettes theirs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from wiretape import __version__
from wiretape.cassette.convert.exports import EXPORTS
from wiretape.cassette.convert.foreign import Progress
from wiretape.cassette.convert.formats import FORMATS, SOURCE_BYTES_MAX, Imported, read
from wiretape.cassette.convert.sse import Asked
from wiretape.cassette.format import Tape, joined
from wiretape.cli.options import cassette_dir_option, redact_rules
from wiretape.edge.exporting import write_export
from wiretape.edge.store import load, stem_of, tape_path, write_tape
from wiretape.errors import CassetteError, ImportRefused

_LONG_BYTES = 4 << 20
"""Reading more than this takes long enough to say how far it is."""


class _Read(Struct, frozen=True):
    """A file that was understood, and where its cassette will lie."""

    file: Path
    path: Path
    imported: Imported


class _Written(Struct, frozen=True):
    cassette: str
    interactions: int
    files: list[str]


class _File(Struct, frozen=True):
    file: str
    format: str
    interactions: int
    notes: tuple[str, ...]


class _Refused(Struct, frozen=True):
    file: str
    reason: str


class _Report(Struct, frozen=True):
    """What `--json` prints."""

    cassettes: list[_Written]
    files: list[_File]
    refused: list[_Refused]


@click.command(name="import")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--into", "name", help="One cassette for all files, in their order [one each, named after its file]")
@cassette_dir_option
@click.option(
    "--config", type=click.Path(path_type=Path), help="File whose [redact] rules hold [default: wiretape.toml]"
)
@click.option("--format", "kind", type=click.Choice(FORMATS), help="What the files are [told by their content]")
@click.option("--request", help="What a bare event stream answers, `METHOD TARGET` [told by its first event]")
@click.option("--body", default=Asked().body.decode(), show_default=True, help="The body of that request")
@click.option("--keep-going", is_flag=True, help="Write what could be read although other files were refused")
@click.option("--json", "as_program", is_flag=True, help="JSON for programs")
def import_command(  # noqa: PLR0913  one argument for each option
    files: tuple[Path, ...],
    *,
    name: str | None,
    cassette_dir: Path,
    config: Path | None,
    kind: str | None,
    request: str | None,
    body: str,
    keep_going: bool,
    as_program: bool,
) -> None:
    """Make cassettes of other tools' recordings: VCR.py, Ruby VCR, go-vcr, HAR, Azure's test proxy, event streams.

    YAML needs the extra `yaml`. Nothing is written if a file is refused, unless you say so.

    \b
    Example:
      wiretape cassette import tests/cassettes/*.yaml --into old-run
    """  # noqa: D301  \b keeps click from folding the lines
    paths = _free_paths(files, name, cassette_dir)
    refused: list[_Refused] = []
    reader = partial(read, kind=kind, asked=_asked(request, body), redact=redact_rules(config))
    done = list(_all_read(files, paths, reader, refused))
    written = [] if refused and not keep_going else list(_all_written(done))
    report = _Report(written, [_file(one) for one in done], refused)
    if as_program:
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    _tell(report, quiet=as_program)


def _free_paths(files: Sequence[Path], name: str | None, cassette_dir: Path) -> list[Path]:
    """Where each file's cassette will lie; nothing is written over."""
    paths = [tape_path(stem_of(name or file.stem, cassette_dir)) for file in files]
    for path in paths:
        if path.exists():
            raise CassetteError(f"{path} is there already: give another name with --into, or remove it first")
        if name is None and paths.count(path) > 1:
            raise CassetteError(f"Two files would become {path}: import them one by one, or --into one cassette")
    return paths


def _asked(request: str | None, body: str) -> Asked:
    if request is None:
        return Asked(body=body.encode())
    method, _, url = request.partition(" ")
    if not url.strip():
        raise CassetteError("--request is a method and a target, such as `POST /v1/threads/runs`")
    return Asked(method=method, url=url.strip(), body=body.encode())


def _all_read(
    files: Sequence[Path], paths: Sequence[Path], reader: Callable[..., Imported], refused: list[_Refused]
) -> Iterator[_Read]:
    size = sum(map(_size, files))
    shown = is_watched() and (len(files) > 1 or size > _LONG_BYTES)
    with click.progressbar(
        length=size, label="Reading", file=sys.stderr, hidden=not shown, update_min_steps=max(size // 200, 1)
    ) as bar:
        going = _Going(bar.update)
        for file, path in zip(files, paths, strict=True):
            try:
                by = f"wiretape {__version__}, from {file.name}"
                yield _Read(file, path, reader(_bytes(file), by, progress=going.within(_size(file))))
            except ImportRefused as error:
                refused.append(_Refused(str(file), str(error)))
            going.done(_size(file))


class _Going:
    """How far the reading of some files is, in bytes."""

    def __init__(self, forward: Callable[[int], None]) -> None:
        self._forward = forward
        self._begin = 0
        self._at = 0

    def within(self, size: int) -> Progress:
        """What the reader of a file of this size tells its progress."""
        return lambda done, of: self._to(self._begin + size * done // of)

    def done(self, size: int) -> None:
        """A file of this size is behind."""
        self._begin += size
        self._to(self._begin)

    def _to(self, place: int) -> None:
        self._forward(place - self._at)
        self._at = place


def _size(file: Path) -> int:
    return file.stat().st_size


def is_watched() -> bool:
    """Whether a person looks at what goes to stderr."""
    return sys.stderr.isatty()


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > SOURCE_BYTES_MAX:
            raise ImportRefused(f"This file is over {SOURCE_BYTES_MAX} bytes: divide the recording.")
        return file.read_bytes()
    except OSError as error:
        raise ImportRefused(f"This file cannot be read: {error.strerror}.") from error


def _all_written(done: Sequence[_Read]) -> Iterator[_Written]:
    parts: dict[Path, list[_Read]] = {}
    for one in done:
        parts.setdefault(one.path, []).append(one)
    for path, some in parts.items():
        tape: Tape = reduce(joined, (one.imported.tape for one in some))
        sealed = write_tape(tape, path)
        yield _Written(str(sealed.path), sealed.interactions, [str(one.file) for one in some])


def _file(one: _Read) -> _File:
    tape = one.imported.tape
    return _File(str(one.file), one.imported.kind, len(tape.interactions), tape.notes)


def _tell(report: _Report, *, quiet: bool) -> None:
    """Results on stdout, what a person should know on stderr; exit code 1 where a file was refused."""
    for file in report.files:
        for note in file.notes:
            click.echo(f"{file.file}: note: {note}", err=True)
    for one in report.refused:
        click.echo(f"{one.file}: {one.reason}", err=True)
    if not quiet:
        for written in report.cassettes:
            click.echo(f"{written.interactions} interactions in {written.cassette}")
    if report.refused:
        lost = "" if report.cassettes else "; nothing was written, --keep-going writes the others"
        click.echo(f"{len(report.refused)} of {len(report.refused) + len(report.files)} files refused{lost}", err=True)
        sys.exit(1)


class _Out(Struct, frozen=True):
    """What `export --json` prints."""

    cassette: str
    files: list[str]
    lost: tuple[str, ...]


@click.command(name="export")
@click.argument("name")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="The file; for sse, the folder")
@click.option("--format", "kind", required=True, type=click.Choice(list(EXPORTS)), help="What to write")
@cassette_dir_option
@click.option("--json", "as_program", is_flag=True, help="JSON for programs")
def export_command(name: str, target: Path, kind: str, cassette_dir: Path, *, as_program: bool) -> None:
    """Write a cassette as another tool's recording; what that cannot hold is told.

    HAR for browsers' tools and proxies, VCR.py's YAML (needs the extra `yaml`), or each event stream as its bytes.

    \b
    Example:
      wiretape cassette export text-run --to text-run.har --format har
    """  # noqa: D301  as above
    path = tape_path(stem_of(name, cassette_dir))
    exported = EXPORTS[kind](load(path))
    if not exported.parts:
        raise CassetteError(f"{path} holds no event stream: nothing to export")
    files = write_export(exported, target)
    for loss in exported.lost:
        click.echo(f"{path}: note: {loss}", err=True)
    out = _Out(str(path), [str(file) for file in files], exported.lost)
    click.echo(msgspec.json.format(msgspec.json.encode(out)).decode() if as_program else "\n".join(out.files))
