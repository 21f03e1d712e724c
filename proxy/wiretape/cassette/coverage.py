"""Which writes cover which reads: what a POST may change, a GET must not show before it, nor show the old of after it.

A write covers its own path, the collection that path is in, and where a dialect says so the whole that it belongs
to: everything under its thread. Paths are as recorded, without their query.
"""

from __future__ import annotations

from wiretape.dialects import DIALECTS

SAFE = frozenset({"GET", "HEAD"})
"""Methods that change nothing; any other writes."""


def read_scopes(path: str) -> tuple[str, ...]:
    """What a write has to cover so that it comes before a read of this path, or after it."""
    return tuple(dict.fromkeys((path, *_realms(path))))


def write_scopes(path: str) -> tuple[str, ...]:
    """What a write to this path covers, as far as the path tells."""
    collection = path.rpartition("/")[0]
    return tuple(dict.fromkeys((path, *((collection,) if collection else ()), *_realms(path))))


def begins(method: str, path: str) -> bool:
    """Whether a write covers something that only its answer names."""
    return method == "POST" and any(dialect.begins(path) for dialect in DIALECTS)


def begun_scopes(path: str, answer: bytes) -> tuple[str, ...]:
    """What such a write covers by its answer."""
    found = (dialect.begun(path, answer) for dialect in DIALECTS)
    return tuple(scope for scope in found if scope is not None)


def _realms(path: str) -> list[str]:
    found = (dialect.realm(path) for dialect in DIALECTS)
    return [realm for realm in found if realm is not None]
