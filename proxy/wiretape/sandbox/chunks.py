"""Texts cut into chunks, and how near a chunk is to a query: plain arithmetic over words, no model.

A token counts as four characters. A chunk's score is the share of the query's words that it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from wiretape.sandbox.words import DULL

TOKEN_CHARACTERS = 4
VECTOR_BYTES = 1_024
"""What the service counts for each chunk beside its text (openai-dotnet, CanUseBatchIngestion: 21 make 1,045)."""

_WORD = re.compile(r"\w+")


class Cut(Struct, frozen=True):
    """How texts are cut: both in tokens; an overlap is at most half a chunk."""

    max_chunk_size_tokens: int = 800
    chunk_overlap_tokens: int = 400


def chunks(text: str, cut: Cut) -> list[str]:
    """The text in pieces of that size, each but the first beginning with the end of the one before."""
    size = cut.max_chunk_size_tokens * TOKEN_CHARACTERS
    overlap = cut.chunk_overlap_tokens * TOKEN_CHARACTERS
    starts = range(0, max(len(text) - overlap, 1), size - overlap) if text else ()
    return [text[start : start + size] for start in starts]


def usage_bytes(pieces: Iterable[str]) -> int:
    """What these chunks use in a vector store."""
    return sum(len(piece.encode()) + VECTOR_BYTES for piece in pieces)


def words(text: str) -> frozenset[str]:
    """The distinct words of a text, in lower case and without a plural's s."""
    return frozenset(word.removesuffix("s") or word for word in _WORD.findall(text.casefold()))


def sought(query: str) -> frozenset[str]:
    """The words of a query that say what it is about; all of them where none does."""
    return frozenset(word for word in words(query) if word not in DULL) or words(query)


def score(wanted: frozenset[str], chunk: str) -> float:
    """The share of the wanted words that the chunk has, from 0 to 1."""
    return round(len(wanted & words(chunk)) / len(wanted), 4) if wanted else 0.0


def text_of(content: bytes) -> str:
    """What a file says: nothing where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""
