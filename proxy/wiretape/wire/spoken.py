"""Which protocol a request line names: llhttp takes RTSP and ICE for HTTP of their versions, and does not tell."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FOREIGN = re.compile(rb" (?:RTSP|ICE)/[0-9.]+\r\n")
_END_BYTES = 32
"""More than the longest end of a line that is looked for."""


class Spoken:
    """Looks at the ends of request lines, as a parser is fed them; nearly every read holds nothing to look at."""

    __slots__ = ("cut",)

    def __init__(self) -> None:
        self.cut = b""
        """The end of a request line that the last read broke off in."""

    def parts(self, data: bytes) -> Iterator[bytes]:
        """Cut a read so that a line that might be a foreign request line is a part of its own."""
        done = 0
        if self.cut:
            done = data.find(b"\n") + 1 or len(data)
            yield data[:done]
        for found in _FOREIGN.finditer(data, done):
            start = max(done, data.rfind(b"\n", done, found.start()) + 1)
            yield data[done:start]
            yield data[start : found.end()]
            done = found.end()
        yield data[done:]

    def is_foreign(self, part: bytes, target: bytes) -> bool:
        """Tell whether the request line that a part brought or went on with names another protocol than HTTP."""
        line = part[part.rfind(b"\n", 0, -1) + 1 :]
        end = (self.cut + line)[-_END_BYTES:]
        is_open = not line.endswith(b"\n") and (bool(self.cut) or _is_asking(line, target))
        self.cut = end if is_open else b""
        found = _FOREIGN.search(end)
        return found is not None and found.end() == len(end)


def _is_asking(line: bytes, target: bytes) -> bool:
    """Whether a line that broke off is the request line, and no field: it ends in the target, or soon after."""
    return any(_ends_in_target(asked.strip(b" "), target) for asked in (line, line.rpartition(b" ")[0]))


def _ends_in_target(asked: bytes, target: bytes) -> bool:
    """Whether it ends in a method, which has no small letter, and the target; or is what a cut left of them."""
    if asked.endswith(b" " + target):
        return asked[: -len(target)].rstrip(b" ")[-1:].isupper()
    return bool(asked) and target.endswith(asked)
