"""A table of a sandbox's objects by id, which knows what was changed in it."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


class Table(dict[str, T]):
    """A dict that remembers the keys that were set, touched or deleted, until they are taken. Only `del` deletes."""

    def __init__(self) -> None:
        super().__init__()
        self._changed: dict[str, None] = {}

    def __setitem__(self, key: str, value: T) -> None:
        super().__setitem__(key, value)
        self.touch(key)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.touch(key)

    def touch(self, key: str) -> None:
        """Say that something inside the value has changed."""
        self._changed[key] = None

    def take_changed(self) -> list[str]:
        """The keys of what was changed since they were last taken, each once, in the order of the first change."""
        taken, self._changed = list(self._changed), {}
        return taken
