"""What metrics tell apart: a bounded number of names; the rest is `_OTHER`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from wiretape.telemetry import vocabulary as v

NAME_CHARS_MAX: Final = 256
"""Characters of a name that others chose; a longer one would stand in each of its series."""


class Known:
    """Names told apart: those listed, or else the first few seen; all others become `_OTHER`.

    So does a name that is empty: to Prometheus it is the same as none, and two series would be one.
    """

    def __init__(self, listed: Iterable[str], first_max: int) -> None:
        self._names = set(listed)
        self._room = 0 if self._names else first_max

    def __call__(self, name: str) -> str:
        """The name itself, or `_OTHER`."""
        if name not in self._names and self._room and 0 < len(name) <= NAME_CHARS_MAX:
            self._names.add(name)
            self._room -= 1
        return name if name in self._names else v.OTHER


class Aliases:
    """Ids shown by their alias alone, of the first `most` aliases in the table; all others become `_OTHER`."""

    def __init__(self, table: Mapping[str, str], most: int) -> None:
        known = list(dict.fromkeys(table.values()))[:most]
        self._table = {name: alias for name, alias in table.items() if alias in known}

    def __call__(self, name: str | None) -> str:
        """The alias, or `_OTHER`."""
        return self._table.get(name or "", v.OTHER)
