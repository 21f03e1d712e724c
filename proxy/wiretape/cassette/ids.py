"""Ids and their aliases: found in responses, put into text as `{{thread#1}}`, put back.

Stored text is a template. `{{alias}}` stands for a declared id, `{{{{` for two braces; a secret's placeholder
stands for itself and is kept readable. Everything else, an undeclared name too, is plain text. Encoding and
then expanding gives the very same text, whatever the text was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import groupby

_PREFIXES = (
    "asst|thread|run|step|msg|call|file|vs|vsfb|resp|conv|chatcmpl|fc|rs|ws|ci|fs|ig|mcp|mcpl|mcpr|cntr|cfile"
    "|batch|ftjob|upload|part"
)
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TAIL = rf"(?:{_UUID}|(?=[A-Za-z]*[0-9])[A-Za-z0-9]{{6,200}}|[A-Za-z0-9]{{20,200}})"
"""Made by a machine: with a digit, or too long for a word; the tail of `file_search` is neither."""


def _prefix(name: str) -> str:
    r"""A kind before its separator, at a word's beginning: an escape as in `\nthread_…` is no part of a word."""
    escapes = (rf"\\[nrtbf]{name}", rf"\\u[0-9A-Fa-f]{{4}}{name}", rf"%[0-9A-Fa-f]{{2}}{name}")
    return rf"{name}(?=[_-])(?:(?<![A-Za-z0-9_-]{name})|{'|'.join(f'(?<={escape})' for escape in escapes)})"


def _prefixes() -> str:
    """All of them, by their first letters: the search looks at the rest of a word only where one may begin."""
    by_letter = groupby(sorted(_PREFIXES.split("|")), key=lambda name: name[0])
    return "|".join(f"(?:{'|'.join(map(_prefix, names))})" for _, names in by_letter)


_ID = rf"(?:{_prefixes()})[_-]{_TAIL}"

_FIND = re.compile(_ID)
_FIND_BYTES = re.compile(_ID.encode())
_ENCODE = re.compile(rf"\{{\{{secret:[a-z]+(?:#[0-9]+)?\}}\}}|\{{\{{|{_ID}")
_ESCAPE = re.compile(r"\{\{secret:[a-z]+(?:#[0-9]+)?\}\}|\{\{")
_EXPAND = re.compile(r"\{\{\{\{|\{\{([^{}]{1,80})\}\}")


def find(text: str) -> list[str]:
    """Every id in this text, in order, repeats too."""
    return _FIND.findall(text)


def apart(text: str) -> tuple[str, tuple[str, ...]]:
    """A text with only the kinds of its ids in it, and the ids.

    A control character, which stands in no JSON text, goes before a kind, so nothing else looks like this.
    """
    ids = tuple(_FIND.findall(text))
    if not ids:
        return text, ids
    first, *rest = _FIND.split(text)
    return first + "".join(f"\x00{kind(one)}{part}" for one, part in zip(ids, rest, strict=True)), ids


def kind(identity: str) -> str:
    """What it is an id of, such as `thread`."""
    return identity[: min(at for at in (identity.find("_"), identity.find("-")) if at > 0)]


def replaced(data: bytes, other: Callable[[str], str]) -> tuple[bytes, list[tuple[int, int, int]]]:
    """The text with another id for each; and (where, bytes, bytes now) of those that became longer or shorter."""
    changes: list[tuple[int, int, int]] = []

    def put(match: re.Match[bytes]) -> bytes:
        made = other(match[0].decode()).encode()
        if len(made) != len(match[0]):
            changes.append((match.start(), len(match[0]), len(made)))
        return made

    return _FIND_BYTES.sub(put, data), changes


class Expansion:
    """Puts ids back into stored text; `table` maps an alias (`thread#1`) to the id as recorded, and is not copied.

    With `expansion_max`, expanding raises ValueError once the ids that were put back are longer than that together.
    """

    def __init__(self, table: Mapping[str, str], expansion_max: int | None = None) -> None:
        self.table = table
        self._room = expansion_max

    def expand(self, stored: str) -> str:
        """Stored text as it was."""
        return _EXPAND.sub(self._original, stored) if "{{" in stored else stored

    def _original(self, match: re.Match[str]) -> str:
        original = "{{" if match[1] is None else self.table.get(match[1], match[0])
        if self._room is not None:
            self._room -= len(original)
            if self._room < 0:
                raise ValueError("the aliases up to here expand to far more than the file")
        return original


class Aliases(Expansion):
    """The id table of one cassette; `see` lets it grow, in order of first appearance."""

    table: dict[str, str]

    def __init__(self, table: Mapping[str, str] | None = None) -> None:
        super().__init__(dict(table or {}))
        self._names = {identity: alias for alias, identity in self.table.items()}
        self._counts: dict[str, int] = {}
        self._foreign: set[str] = set()

    @property
    def foreign(self) -> frozenset[str]:
        """Ids that a request was the first to name."""
        return frozenset(self._foreign)

    def see(self, text: str) -> None:
        """Give each new id in a response an alias."""
        for identity in find(text):
            if identity not in self._names and identity not in self._foreign:
                self._declare(identity)

    def pass_over(self, text: str) -> None:
        """Give the ids of a request none, unless a response had them first: no server made them here."""
        self._foreign.update(one for one in find(text) if one not in self._names)

    def encode(self, text: str) -> str:
        """Text as it is stored: ids by their alias, braces escaped."""
        if self._names:
            return _ENCODE.sub(self._stored, text)
        return _ESCAPE.sub(self._stored, text) if "{{" in text else text

    def _declare(self, identity: str) -> None:
        family = kind(identity)
        self._counts[family] = count = self._counts.get(family, 0) + 1
        alias = f"{family}#{count}"
        self.table[alias] = identity
        self._names[identity] = alias

    def _stored(self, match: re.Match[str]) -> str:
        found = match[0]
        if found == "{{":
            return "{{{{"
        alias = self._names.get(found)
        return f"{{{{{alias}}}}}" if alias else found
