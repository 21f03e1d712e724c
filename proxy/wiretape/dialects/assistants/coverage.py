"""What belongs together in the Assistants API: a write to any part of a thread may change all that is in it.

A thread holds its messages, runs and steps; a vector store its files and batches, which it counts. Whatever prefix
a server puts before them stays.
"""

from __future__ import annotations

import re

_WHOLES = ("/threads/", "/vector_stores/")
_NO_ID = "runs"
"""Where an id stands elsewhere: `/threads/runs` makes a thread."""
_BEGUN = "/threads/runs"
_THREAD_ID = re.compile(rb'"thread_id"\s{0,8}:\s{0,8}"([^"\\]{1,256})"')


def realm(path: str) -> str | None:
    """The path of the thread or vector store that everything under this path (without query) belongs to."""
    for whole in _WHOLES:
        before, found, rest = path.partition(whole)
        identity = rest.partition("/")[0]
        if found and identity and identity != _NO_ID:
            return before + whole + identity
    return None


def begins(path: str) -> bool:
    """Whether a POST to this path makes a thread beside what its path names."""
    return path.endswith(_BEGUN)


def begun(path: str, answer: bytes) -> str | None:
    """The path of the thread that such a POST has made, by its answer, in JSON or as a stream."""
    named = _THREAD_ID.search(answer) if begins(path) else None
    return named and path.removesuffix("runs") + named[1].decode("latin-1")
