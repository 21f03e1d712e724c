"""Ids and their aliases: found in responses, put into text as `{{thread#1}}`, put back.

Stored text is a template. `{{alias}}` stands for a declared id, `{{{{` for two braces; a secret's placeholder
stands for itself and is kept readable. Everything else, an undeclared name too, is plain text. Encoding and
then expanding gives the very same text, whatever the text was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PREFIXES = (
    "asst|thread|run|step|msg|call|file|vs|vsfb|resp|conv|chatcmpl|fc|rs|ws|ci|fs|ig|mcp|mcpl|mcpr|cntr|cfile"
    "|batch|ftjob|upload|part"
)
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TAIL = rf"(?:{_UUID}|(?=[A-Za-z]*[0-9])[A-Za-z0-9]{{6,200}}|[A-Za-z0-9]{{20,200}})"
"""Made by a machine: with a digit, or too long for a word; the tail of `file_search` is neither."""
_ID = rf"(?<![A-Za-z0-9_-])(?:{_PREFIXES})[_-]{_TAIL}"

_FIND = re.compile(_ID)
_ENCODE = re.compile(rf"\{{\{{secret:[a-z]+(?:#[0-9]+)?\}}\}}|\{{\{{|{_ID}")
_ESCAPE = re.compile(r"\{\{secret:[a-z]+(?:#[0-9]+)?\}\}|\{\{")
_EXPAND = re.compile(r"\{\{\{\{|\{\{([^{}]{1,80})\}\}")


def find(text: str) -> list[str]:
    """Every id in this text, in order, repeats too."""
    return _FIND.findall(text)


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

    def see(self, text: str) -> None:
        """Give each new id in a response an alias."""
        for identity in find(text):
            if identity not in self._names:
                self._declare(identity)

    def encode(self, text: str) -> str:
        """Text as it is stored: ids by their alias, braces escaped."""
        if self._names:
            return _ENCODE.sub(self._stored, text)
        return _ESCAPE.sub(self._stored, text) if "{{" in text else text

    def _declare(self, identity: str) -> None:
        kind = re.split("[_-]", identity, maxsplit=1)[0]
        self._counts[kind] = count = self._counts.get(kind, 0) + 1
        alias = f"{kind}#{count}"
        self.table[alias] = identity
        self._names[identity] = alias

    def _stored(self, match: re.Match[str]) -> str:
        found = match[0]
        if found == "{{":
            return "{{{{"
        alias = self._names.get(found)
        return f"{{{{{alias}}}}}" if alias else found
