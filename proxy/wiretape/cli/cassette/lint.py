"""`wiretape cassette lint`: whether cassettes can be trusted and committed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import click
from msgspec import Struct

from wiretape.cassette import lint as rooms
from wiretape.cassette.lint import Finding, Oracle, Severity, lint
from wiretape.cassette.show import printable
from wiretape.cli.cassette.options import dir_option, echo_json, file_of, json_option
from wiretape.edge.store import content

_SUFFIXES = (".tape.jsonl", ".part.jsonl")


class _Linted(Struct, frozen=True):
    """What was found in one file."""

    file: str
    findings: list[Finding]


@click.command(name="lint")
@click.argument("names", nargs=-1)
@dir_option
@click.option("--strict", is_flag=True, help="Fail on warnings too")
@click.option("--ignore", multiple=True, type=click.Choice(list(rooms.RULES)), help="Leave out a rule; repeatable")
@json_option
def lint_command(
    names: Sequence[str], cassette_dir: Path, *, strict: bool, ignore: Sequence[str], as_program: bool
) -> None:
    """Find what is damaged, illegal, left over or secret in cassettes; all of the folder where none is named.

    Exits 1 where there is an error. Secrets are looked for by the rules of gitleaks.

    \b
    Example:
      wiretape cassette lint text-run
      wiretape cassette lint --strict --ignore unbound-id
    """  # noqa: D301  \b keeps click from folding the lines
    found = list(_linted(_paths(names, cassette_dir), frozenset(ignore)))
    if as_program:
        echo_json(found)
    else:
        click.echo("\n".join(_told(found)))
    if any(_fails(one, strict=strict) for linted in found for one in linted.findings):
        sys.exit(1)


def _paths(names: Sequence[str], folder: Path) -> list[Path]:
    """The files that are meant: a name, a path, or every cassette of the folder."""
    if names:
        return [file_of(name, folder) for name in names]
    return sorted(path for suffix in _SUFFIXES for path in folder.rglob(f"*{suffix}"))


def _linted(paths: Sequence[Path], ignored: frozenset[str]) -> Iterator[_Linted]:
    oracle = Oracle(files(rooms).joinpath("gitleaks.toml").read_text("utf-8"))
    with click.progressbar(paths, label="lint", file=sys.stderr, hidden=not sys.stderr.isatty()) as watched:
        for path in watched:
            found = lint(content(path), str(path), oracle, journal=path.name.endswith(_SUFFIXES[1]))
            yield _Linted(str(path), [one for one in found if one.rule not in ignored])


def _told(found: Iterable[_Linted]) -> Iterator[str]:
    files_, errors, warnings = 0, 0, 0
    for linted in found:
        files_ += 1
        errors += sum(_fails(one, strict=False) for one in linted.findings)
        warnings += sum(not _fails(one, strict=False) for one in linted.findings)
        yield from (_line(linted.file, one) for one in linted.findings)
    yield f"{files_} cassettes, {errors} errors, {warnings} warnings"


def _line(file: str, one: Finding) -> str:
    about = "" if one.interaction is None else f" #{one.interaction}"
    return printable(f"{file}:{one.line}:{about} {one.severity} {one.rule}: {one.told}")


def _fails(one: Finding, *, strict: bool) -> bool:
    return strict or one.severity is Severity.ERROR
