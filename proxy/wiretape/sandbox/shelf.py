"""The files that a run can reach."""

from __future__ import annotations

from collections.abc import Sequence

from wiretape.sandbox.calls import Result
from wiretape.sandbox.plot import Stored


class EmptyShelf:
    """No files at all."""

    searchable = False
    readable: Sequence[Stored] = ()

    def search(self, query: str, results_max: int, threshold: float) -> Sequence[Result]:
        """Nothing."""
        return ()

    def keep(self, content: bytes, name: str) -> str:
        """A file nobody can read."""
        return "file-none"

    def text(self, file_id: str) -> str:
        """Nothing."""
        return ""
