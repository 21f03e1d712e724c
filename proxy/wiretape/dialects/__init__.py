"""The API families that are understood; everything else passes through all the same."""

from functools import lru_cache
from typing import Final

from wiretape.dialects import assistants
from wiretape.dialects.events import Dialect, Route

DIALECTS: Final[tuple[Dialect, ...]] = (assistants,)
"""One line for each dialect."""


_ROUTES_KEPT: Final = 256
"""Paths whose route is remembered: each request asks twice, and a run's poll again and again."""


@lru_cache(_ROUTES_KEPT)
def route(method: str, path: str) -> tuple[Dialect, Route] | None:
    """The dialect that knows this path (without query) and its route, or None."""
    for dialect in DIALECTS:
        found = dialect.route(method, path)
        if found is not None:
            return dialect, found
    return None
