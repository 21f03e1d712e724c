r"""Undoes the escapes of a text, layer by layer, and knows where each place of what is left stood.

One folding makes one byte of `%2F`, `\u002f`, `\/` and `/`, of any number of `25` behind a `%` or of backslashes,
and joins a value that goes on in the next `data:` line. What comes out may hold escapes again, of another kind, as in
`%5Cu002f`. So it is folded again, a bounded number of times: it stays linear.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

LAYERS_MAX = 4
"""Times a text is folded, or how many encodings may stand inside one another."""
_ESCAPED_U = ord("u")
_HIGH_SURROGATE, _LOW_SURROGATE = 0xD800, 0xDC00
_ESCAPE = re.compile(
    rb"[%\\\r\n](?:(?<=%)(?:25)*([0-9A-Fa-f]{2})"
    rb"|(?<=\\)\\*u([dD][89abAB][0-9A-Fa-f]{2})\\+u([dD][c-fC-F][0-9A-Fa-f]{2})|(?<=\\)\\*u([0-9A-Fa-f]{4})"
    rb"|(?<=\\)\\*([\"\\/bfnrt])|(?<=[\r\n])[\r\n]?data: ?)"
)
"""It begins with what an escape begins with: the engine goes from one such byte to the next, not over each."""
_BREAK = re.compile(rb"[\r\n]{1,2}data: ?")
_STEPS = (_BREAK, *[_ESCAPE] * LAYERS_MAX)
_BROKEN_ESCAPE = re.compile(rb"(?:%(?:25)*2?[0-9A-Fa-f]?|\\+(?:u[0-9A-Fa-f]{0,3})?)\Z")
_ESCAPE_BYTES = 64
_CONTROLS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def fold(data: bytes) -> bytes:
    """The text with one layer of its escapes undone."""
    return _ESCAPE.sub(_plain, data) if may_hold_escapes(data) else data


def layers(data: bytes) -> list[bytes]:
    """The text with its lines joined, with one layer undone, with two and so on, as far as there are any; else it."""
    return [folded for folded, _ in _steps(data)] or [data]


def _steps(data: bytes) -> Iterator[tuple[bytes, re.Pattern[bytes]]]:
    """Lines are joined first: what a line end breaks is one escape then, not two halves among others."""
    for pattern in _STEPS:
        folded = _undone(data, pattern)
        if folded != data:
            yield folded, pattern
            data = folded
        elif pattern is _ESCAPE:
            return


def _undone(data: bytes, pattern: re.Pattern[bytes]) -> bytes:
    may_match = data.count(b"data:") > 1 if pattern is _BREAK else may_hold_escapes(data)
    return pattern.sub(_plain, data) if may_match else data


def layered(data: bytes) -> bytes:
    """All `layers` in one text, for a search that asks only whether something is there; NUL stands between them."""
    return b"\0".join(layers(data)) if may_hold_escapes(data) else data


def placed(data: bytes) -> Iterator[tuple[bytes, Origin]]:
    """The `layers`, each with what leads its places back to the text."""
    origin = None
    for folded, pattern in _steps(data):
        origin = Origin(data, pattern, origin)
        yield folded, origin
        data = folded
    if origin is None:
        yield data, Origin(data)


class Origin:
    """Where a place of the folded text stands in the text: the borders of every escape that `fold` undoes, in both.

    `outer` is that of the text itself, where that is folded already: places lead back through both.
    """

    def __init__(self, text: bytes, pattern: re.Pattern[bytes] = _ESCAPE, outer: Origin | None = None) -> None:
        self._outer = outer
        self._folded, self._text = [0, 0], [0, 0]
        shift = 0
        for match in pattern.finditer(text) if may_hold_escapes(text) else ():
            start = match.start() - shift
            shift += len(match[0]) - len(_plain(match))
            self._folded += (start, match.end() - shift)
            self._text += match.span()

    def start(self, at: int) -> int:
        """Of what begins there; the escape's beginning where that is inside one."""
        border = bisect_right(self._folded, at) - 1
        is_inside = border % 2 == 0
        place = self._text[border] + (0 if is_inside else at - self._folded[border])
        return self._outer.start(place) if self._outer else place

    def end(self, at: int) -> int:
        """Of what ends there; the escape's end where that is inside one."""
        border = bisect_left(self._folded, at)
        is_inside = border % 2 == 1
        place = self._text[border] if is_inside else self._text[border - 1] + at - self._folded[border - 1]
        return self._outer.end(place) if self._outer else place


def may_hold_escapes(data: bytes) -> bool:
    """Whether the folded text may be another."""
    return b"%" in data or b"\\" in data or data.count(b"data:") > 1


def may_break(data: bytes) -> bool:
    """Whether an escape may go on behind the text."""
    return b"%" in data or b"\\" in data


def unbroken(data: bytes) -> bytes:
    """The text without the escapes at its end that it breaks off in."""
    if not may_break(data):
        return data
    start, end = max(len(data) - _ESCAPE_BYTES, 0), len(data)
    while (broken := _BROKEN_ESCAPE.search(data, start, end)) is not None:
        end = broken.start()
    return data[:end]


def _plain(match: re.Match[bytes]) -> bytes:
    if match.re is _BREAK:
        return b""
    hexed, high, low, unit, char = match.groups()
    if hexed:
        return bytes((int(hexed, 16),))
    if high:
        pair = int(high, 16) - _HIGH_SURROGATE << 10 | int(low, 16) - _LOW_SURROGATE
        return chr(0x10000 + pair).encode()
    if unit:
        return _of_unit(int(unit, 16), len(match[0]) - len(b"u0000"))
    return _CONTROLS.get(char, char) if char else b""


def _of_unit(unit: int, backslashes: int) -> bytes:
    """After an even number of backslashes, an escaped `u` has one of them before it: an escape begins there."""
    if unit == _ESCAPED_U and backslashes > 1 and backslashes % 2:
        return b"\\u"
    return chr(unit).encode("utf-8", "surrogatepass")
