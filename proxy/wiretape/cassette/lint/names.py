"""What is wrong with ids: aliases that are not declared or not used, and ids that come from nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from wiretape.cassette.format import Tape
from wiretape.cassette.ids import find
from wiretape.cassette.lint.finding import Finding, Severity
from wiretape.cassette.lint.lines import Lines
from wiretape.cassette.shelf import asked_ids

_ALIAS = re.compile(rb"\{\{\{\{|\{\{([a-z]+#[0-9]+)\}\}")
"""Braces in fours are two that stood in a body (`ids`)."""


class _Table(Struct):
    ids: dict[str, str] = {}


def names(tape: Tape, lines: Lines) -> Iterator[Finding]:
    """The findings about ids and their aliases."""
    yield from _aliases(lines)
    yield from _unbound(tape, lines)


def _aliases(lines: Lines) -> Iterator[Finding]:
    declared, used = _declared(lines), set[str]()
    for number, line in lines.numbered():
        for alias in dict.fromkeys(match[1].decode() for match in _ALIAS.finditer(line) if match[1]):
            used.add(alias)
            if alias not in declared:
                told = f"{{{{{alias}}}}} stands here, and the first line declares no such id"
                yield Finding(line=number, rule="alias", told=told)
    for alias in declared.keys() - used:
        told = f"nothing uses {alias} any more; take it out of `ids`"
        yield Finding(line=declared[alias], rule="unused", severity=Severity.WARNING, told=told)


def _declared(lines: Lines) -> dict[str, int]:
    """Each alias with the line that declares it: the first, or nothing could be read of the tape."""
    number, line = next(filter(lambda numbered: numbered[1].strip(), lines.numbered()))
    return dict.fromkeys(msgspec.json.decode(line, type=_Table).ids, number)


def _unbound(tape: Tape, lines: Lines) -> Iterator[Finding]:
    """Such an id binds on first use; often it is an assistant's that lives in the environment."""
    known: set[str] = set()
    for one in tape.interactions:
        for identity in dict.fromkeys(asked_ids(one)):
            if identity not in known:
                told = f"no answer before this request has introduced {identity}; replay takes any id in its place"
                yield _warning(lines.place(one.index).request, one.index, told)
                known.add(identity)
        known.update(find(one.body.decode("utf-8", "replace")))


def _warning(line: int, index: int, told: str) -> Finding:
    return Finding(line=line, rule="unbound-id", severity=Severity.WARNING, interaction=index, told=told)
