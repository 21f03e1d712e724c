"""Whether a cassette can be trusted and committed: what is damaged, illegal, left over or secret in it."""

from __future__ import annotations

from wiretape.cassette.lint.account import account
from wiretape.cassette.lint.content import content
from wiretape.cassette.lint.exposed import exposed
from wiretape.cassette.lint.finding import RULES, Finding, Severity
from wiretape.cassette.lint.lines import Lines
from wiretape.cassette.lint.names import names
from wiretape.cassette.lint.oracle import Oracle
from wiretape.cassette.lint.streams import streams

__all__ = ["RULES", "Finding", "Oracle", "Severity", "lint"]


def lint(data: bytes, name: str, oracle: Oracle, *, journal: bool = False) -> list[Finding]:
    """All findings in a cassette's bytes, by line; `name` is the file's. Never raises for what it reads.

    A journal may end in a torn line. Where a merge was left half done, that and secrets are all that is told.
    """
    lines = Lines(data, journal=journal)
    tape = None if lines.is_merging else lines.tape(name)
    found = [*exposed(tape, lines, oracle)]
    if tape is not None:
        for check in (content, names, streams, account):
            found += check(tape, lines)
    return sorted(dict.fromkeys([*lines.findings, *found]), key=lambda one: (one.line, one.rule, one.told))
