"""What the `cassette` commands share: where cassettes lie, which file a name means, and how answers are printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wiretape.cli.options import cassette_dir_option as dir_option
from wiretape.cli.options import echo_json, json_option
from wiretape.edge.store import journal_path, stem_of, tape_path

__all__ = ["aligned", "dir_option", "echo_json", "file_of", "json_option"]


def file_of(name: str, cassette_dir: Path) -> Path:
    """The sealed file a person means; the journal where only that is there."""
    stem = stem_of(name, cassette_dir)
    sealed, journal = tape_path(stem), journal_path(stem)
    return journal if journal.exists() and not sealed.exists() else sealed


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as columns; the first row names them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
