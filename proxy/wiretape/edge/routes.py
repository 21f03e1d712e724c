"""Where a request goes: its session taken off, its upstream by longest prefix. Decides; sends nothing."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from msgspec import structs

from wiretape.edge.sessions import NAME_LENGTH_MAX
from wiretape.errors import BadRequest, NoRoute
from wiretape.exchange import Request
from wiretape.wire.headers import value, without

SESSION_HEADER = b"x-wiretape-session"
SESSION_PREFIX = "/s/"


def scoped(request: Request) -> Request:
    """Take the session off path and header; raises BadRequest for a name that is empty or too long.

    In a path the name is percent-decoded (RFC 3986 section 2.1): a test's name may hold brackets and slashes.
    """
    session, target = _from_path(request.target)
    named = value(request.headers, SESSION_HEADER) if session is None else session
    if named is None:
        return request
    if not 0 < len(named) <= NAME_LENGTH_MAX:
        raise BadRequest(f"a session's name has 1 to {NAME_LENGTH_MAX} characters; this one has {len(named)}")
    return structs.replace(request, target=target, session=named, headers=without(request.headers, {SESSION_HEADER}))


def _from_path(target: str) -> tuple[str | None, str]:
    if not target.startswith(SESSION_PREFIX):
        return None, target
    path, mark, query = target.removeprefix(SESSION_PREFIX).partition("?")
    session, slash, rest = path.partition("/")
    return unquote(session), (slash + rest or "/") + mark + query


class Prefixes:
    """The upstreams' names by path prefix; a prefix matches whole path segments."""

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        self._longest_first = sorted(named, key=lambda pair: len(pair[0]), reverse=True)

    def upstream(self, path: str) -> str:
        """Name the upstream with the longest fitting prefix; raises NoRoute."""
        for prefix, name in self._longest_first:
            if path == prefix or path.startswith(prefix.rstrip("/") + "/") or prefix == "/":
                return name
        known = ", ".join(prefix for prefix, _ in self._longest_first)
        raise NoRoute(f"no upstream has a prefix of {path}; known are {known}")
