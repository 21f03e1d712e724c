r"""Finds what stands at JSON paths in a text, by its bytes: what is beside them is never written anew.

A path is `$`, then steps: `.name` or `['name']`, `[3]`, `.*` or `[*]`, and `..name` at any depth (RFC 9535's names for
them). The text is a body, or a frame of an event stream with JSON in its data. It is walked token by token, without
recursion; where it stops being JSON the walk ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
import re2
from msgspec import Struct

from wiretape.cassette.edits import Found
from wiretape.cassette.folding import fold

_NAME = r"[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff-]*|\*"
_STEP = re.compile(rf"(?:(\.\.)|\.)({_NAME})|(\.\.)?\[(?:(\*)|([0-9]{{1,9}})|'([^']*)'|\"([^\"]*)\")\]")
_TOKEN = re.compile(rb'(?:[ \t\r\n]|(?<=[\r\n])data:)*("[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[{}\[\],:]|[^\s{}\[\],:"]+)')
_START = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?=[{\[])|^data:[ ]?(?=[{\[])", re.MULTILINE)
_KEY, _INDEX = b"\x00", b"\x01"
_NOTHING = (-1, 0)
"""Depth and start of the container that goes whole."""
_ANY = rb"[\x00\x01][^\x00\x01]*"


class JsonPath(Struct, frozen=True):
    """A path: a pattern for where a value stands, and the last name in it, without which nothing is there."""

    pattern: re.Pattern[bytes]
    needed: bytes


def parse_path(text: str) -> JsonPath:
    """The path that this text says. Raises ValueError, which says what is wrong."""
    if not text.startswith("$"):
        raise ValueError("begin with $, as in $.metadata.name")
    pattern, needed, at = b"", b"", 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(f"what follows {text[:at]!r} is no step; .name, ['name'], [0], [*] and ..name are")
        step, name = _step(match)
        pattern, needed, at = pattern + step, name or needed, match.end()
    if not pattern:
        raise ValueError("name what is to go, as in $.metadata.name")
    return JsonPath(re2.compile(pattern, _options()), needed)


def at_paths(data: bytes, paths: Sequence[JsonPath]) -> Iterator[Found]:
    """The values at these paths, in order; what is inside one that goes, goes with it."""
    wanted = [path for path in paths if path.needed in data or b"\\" in data]
    opened = _START.search(data) if wanted else None
    return _Walk(data, wanted).found(opened.end()) if opened else iter(())


class _Walk:
    """One walk over one text: the place of the value that comes next, container by container."""

    def __init__(self, data: bytes, paths: Sequence[JsonPath]) -> None:
        self._data = data
        self._paths = paths
        self._steps: list[bytes] = []
        self._is_object: list[bool] = []
        self._index: list[int] = []
        self._needs_key = False
        self._going = _NOTHING

    def found(self, start: int) -> Iterator[Found]:
        """What stands at the paths, from the first bracket on."""
        for match in _TOKEN.finditer(self._data, start):
            one = self._fed(match[1], *match.span(1))
            if one is not None:
                yield one
            if not self._steps:
                return

    def _fed(self, token: bytes, start: int, end: int) -> Found | None:
        """One token; a value that goes, where it ends."""
        if token in {b"}", b"]"}:
            return self._close(end)
        if token in {b",", b":"}:
            self._next(token)
        elif self._needs_key:
            self._steps[-1] = _KEY + _name(token)
        elif token in {b"{", b"["}:
            self._open(token, start)
        elif self._goes() and token != b"null":
            return _scalar(token, start, end)
        return None

    def _open(self, token: bytes, start: int) -> None:
        if self._goes():
            self._going = (len(self._steps), start)
        is_object = token == b"{"
        self._is_object.append(is_object)
        self._index.append(0)
        self._steps.append(b"" if is_object else _INDEX + b"0")
        self._needs_key = is_object

    def _close(self, end: int) -> Found | None:
        for stack in (self._is_object, self._index, self._steps):
            stack.pop()
        self._needs_key = False
        depth, start = self._going
        if depth != len(self._steps):
            return None
        self._going = _NOTHING
        return Found(start, end, "json", self._data[start:end], is_bare=True)

    def _next(self, token: bytes) -> None:
        """A comma leads to the next key or element, a colon to the value."""
        self._needs_key = token == b"," and self._is_object[-1]
        if token == b"," and not self._is_object[-1]:
            self._index[-1] += 1
            self._steps[-1] = _INDEX + str(self._index[-1]).encode()

    def _goes(self) -> bool:
        place = b"".join(self._steps)
        return self._going is _NOTHING and any(path.pattern.fullmatch(place) is not None for path in self._paths)


def _scalar(token: bytes, at: int, end: int) -> Found:
    if token.startswith(b'"'):
        closes = len(token) > 1 and token.endswith(b'"')  # the text may break off in it
        return Found(at + 1, end - closes, "json", fold(token[1 : len(token) - closes]))
    return Found(at, end, "json", token, is_bare=True)


def _name(token: bytes) -> bytes:
    try:
        return msgspec.json.decode(token, type=str).encode()
    except (msgspec.DecodeError, UnicodeError):
        return token


def _step(match: re.Match[str]) -> tuple[bytes, bytes]:
    """A step as a pattern, and the name in it."""
    below, name, below_index, any_index, index, single, double = match.groups()
    before = rb"(?:" + _ANY + rb")*" if below or below_index else b""
    if index is not None:
        return before + _INDEX + index.encode(), b""
    named = next((one for one in (name, single, double) if one is not None), "*" if any_index else "")
    is_any = any_index or (name == "*")
    return (before + _ANY, b"") if is_any else (before + _KEY + re.escape(named).encode(), named.encode())


def _options() -> object:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return options
