"""What the names of an exchange's header fields tell, whatever their values are: nearly all exchanges have the same."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from wiretape.exchange import Headers
from wiretape.wire.headers import HOP_BY_HOP, end_to_end

LISTS_KEPT = 256
"""Lists of names that are remembered, each no longer than a message's head may be."""
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
URL_FIELDS = frozenset({b"location", b"content-location", b"referer"})
"""Fields whose value is a URL."""
_USUAL_OPTIONS = frozenset({b"keep-alive", b"close"})
"""What `Connection` says where it names no field, or one that is left out in any case."""


class Names(Struct, frozen=True):
    """The names of some header fields, in order."""

    joined: bytes
    """NUL, which is part of nothing that is looked for, stands between."""
    folded: bytes
    are_tokens: bool
    hold_urls: bool
    """Whether there is a field whose value is a URL."""
    kept: tuple[int, ...]
    """Where those stand that are no fields of one connection by rule."""
    connection: tuple[int, ...]
    """Where `Connection` stands."""


@lru_cache(LISTS_KEPT)
def names_of(names: tuple[bytes, ...]) -> Names:
    """What these names tell."""
    joined = b"\0".join(names)
    folded = [name.lower() for name in names]
    return Names(
        joined=joined,
        folded=joined.lower(),
        are_tokens=all(_TOKEN.fullmatch(name) for name in names),
        hold_urls=not URL_FIELDS.isdisjoint(folded),
        kept=tuple(at for at, name in enumerate(folded) if name not in HOP_BY_HOP),
        connection=tuple(at for at, name in enumerate(folded) if name == b"connection"),
    )


def forwarded(headers: Headers) -> Headers:
    """The fields that are end to end: neither hop-by-hop by rule nor named by `Connection`."""
    names = names_of(tuple([name for name, _ in headers]))
    if any(headers[at][1].strip().lower() not in _USUAL_OPTIONS for at in names.connection):
        return end_to_end(headers)
    return headers if len(names.kept) == len(headers) else tuple([headers[at] for at in names.kept])
