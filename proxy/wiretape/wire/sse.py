"""Server-sent events: bytes in, frames out, however the bytes were cut.

Strategy. A frame is one block of the stream up to and including the line end that closes its blank line
(WHATWG HTML, section 9.2.5 and 9.2.6). Because a lone CR closes a line, a block that ends in CR is handed
out at once; an LF right after it belongs to that line end and opens the next frame's `raw`. So the same
bytes make the same frames wherever they were cut, no frame waits for a byte it does not need, and the raw
slices of all frames joined are the input. A byte-order mark stays in the first frame's `raw`.

Each byte is copied and searched a fixed number of times: a search goes on where the last one stopped, and
what is held is cut only when a frame is complete. Until the first CR, blocks end at LF LF and are found by
`bytes.find`; the usual form, `event: X` LF `data: Y` LF LF, is taken from the lines of a whole read at once.
"""

from __future__ import annotations

import re
from typing import NoReturn

from msgspec import Struct

from wiretape.errors import FrameTooLarge

_BLOCK_END = re.compile(rb"\n[\r\n]|\r\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_RETRY_DIGITS_MAX = 18
_LF, _CR = 10, 13
_NAMES_MAX = 64


class Frame(Struct, frozen=True, gc=False):
    """One block of the stream. Blank blocks and blocks of comments are frames too, with `data` None."""

    raw: bytes
    """The bytes of the block, exactly as they came."""
    event: str = ""
    """The last `event` field; empty where there is none (a browser would say `message`)."""
    data: bytes | None = None
    """All `data` fields, joined by LF; None where there is no such field, so nothing is to be dispatched."""
    id: str | None = None
    """The `id` field of this block; empty resets the stream's last id, None leaves it."""
    retry: int | None = None
    """The `retry` field in milliseconds."""
    whole: bool = True
    """False for the rest of a stream that ended without its blank line; browsers drop it."""


class Framer:
    """Cuts one stream into frames: `feed` bytes as they come, then `finish` once.

    A block over `frame_bytes_max` bytes raises FrameTooLarge, after the frames before it were handed out, and
    nothing can be read behind it. A framer that `skips_large` leaves such a block out instead, holds no more of it
    than a bound's worth and one read, and counts it in `skipped`: its raw slices joined are then not the input.
    """

    def __init__(self, frame_bytes_max: int = 1 << 20, *, skips_large: bool = False) -> None:
        self.skipped = 0
        """Blocks that were left out."""
        self._frame_bytes_max = frame_bytes_max
        self._skips_large = skips_large
        self._skipping = False
        self._held = bytearray()
        self._searched = 0
        self._first = True
        self._after_cr = False
        self._plain = True
        self._overflown = False
        self._names: dict[bytes, str] = {}

    def may_begin(self, data: bytes) -> bool:
        """Whether bytes that are one whole frame without CR would be handed out as that frame, and nothing else."""
        return self._plain and not self._held and not self._overflown and len(data) <= self._frame_bytes_max

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete with these bytes."""
        if self._overflown:
            self._refuse()
        self._plain = self._plain and _CR not in data
        if not self._held and self._plain and (frame := self._single(data)) is not None:
            return [frame]
        if self._held:
            self._held += data
            if self._end(self._held, 0, self._searched) < 0:
                return self._keep([], len(self._held))
            data = bytes(self._held)
            self._held.clear()
        return self._cut(data)

    def finish(self) -> list[Frame]:
        """What is left when the stream has ended: nothing, or one frame that is not `whole`."""
        if self._overflown:
            self._refuse()
        raw = bytes(self._held)
        self._held.clear()
        if not raw or self._skipping:
            return []
        begin = self._begin(raw, 0)
        closes_last = self._after_cr and begin == len(raw)
        return [_read(raw, begin, whole=closes_last)]

    def _cut(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        start = self._cut_usual(data, frames) if self._plain else 0
        if start == len(data):
            return frames
        while (end := self._end(data, start, start)) >= 0 and self._may_pass(end - start):
            raw = data[start:end]
            if not self._skipping:
                frames.append(_read(raw, self._begin(raw, 0)))
            self._first, self._after_cr, self._skipping = False, raw.endswith(b"\r"), False
            start = end
        self._held += data[start:]
        return self._keep(frames, (end if end >= 0 else len(data)) - start)

    def _single(self, data: bytes) -> Frame | None:
        """Take bytes that are one frame of the usual form and of a known name, as most reads of a paced stream are."""
        line = data.find(b"\n")
        name, last = self._names.get(data[:line]), len(data) - 2
        if not name or data.find(b"\n", line + 1) != last or last >= self._frame_bytes_max - 1:
            return None
        if data[-1] != _LF or not data.startswith(b"data: ", line + 1):
            return None
        return Frame(data, name, data[line + 7 : last])

    def _cut_usual(self, data: bytes, frames: list[Frame]) -> int:
        """Take the leading frames of two lines, `event: X` and `data: Y`; where the first other block begins."""
        start, names, lines = 0, self._names, data.split(b"\n")
        for at in range(0, len(lines) - 3, 3):
            event, text = lines[at], lines[at + 1]
            name = names.get(event) or self._name(event)
            end = start + len(event) + len(text) + 3
            if lines[at + 2] or not name or not text.startswith(b"data: ") or end - start > self._frame_bytes_max:
                break
            frames.append(Frame(data[start:end], name, text[6:]))
            start = end
        self._first = self._first and start == 0
        return start

    def _name(self, line: bytes) -> str:
        """The name in an event line of the usual form, else nothing. Few are in use, so each is decoded once."""
        if not line.startswith(b"event: "):
            return ""
        name = line[7:].decode("utf-8", "replace")
        if len(self._names) < _NAMES_MAX:
            self._names[line] = name
        return name

    def _may_pass(self, size: int) -> bool:
        """Whether to read on behind a block of this size; one that is left out is counted at its first sight."""
        if size <= self._frame_bytes_max or self._skipping:
            return True
        self._skipping = self._skips_large
        self.skipped += self._skips_large
        return self._skips_large

    def _keep(self, frames: list[Frame], size: int) -> list[Frame]:
        """Note how far was searched, and whether the block now held has passed the bound."""
        self._overflown = not self._may_pass(size)
        if self._overflown and not frames:
            self._refuse()
        if self._skipping:
            # As good as the block itself to find its end by, but for a byte-order mark over the bound.
            self._held[:-1] = b":"
        self._searched = max(len(self._held) - 1, 0)
        return frames

    def _refuse(self) -> NoReturn:
        self._held.clear()
        raise FrameTooLarge(
            f"A block of this event stream is over {self._frame_bytes_max} bytes; raise frame_bytes_max to read it."
        )

    def _begin(self, data: bytes | bytearray, start: int) -> int:
        """Where the block's own lines begin: behind the byte-order mark, or the LF of a CR LF."""
        if self._after_cr and data.startswith(b"\n", start):
            return start + 1
        if self._first and data.startswith(_BYTE_ORDER_MARK, start):
            return start + 3
        return start

    def _end(self, data: bytes | bytearray, start: int, searched: int) -> int:
        """Behind the block that starts at `start`, or -1 where its blank line has not come."""
        begin = self._begin(data, start)
        if data.startswith((b"\n", b"\r"), begin):
            return begin + 1
        if self._plain:
            found = data.find(b"\n\n", max(begin, searched))
            return found + 2 if found >= 0 else -1
        match = _BLOCK_END.search(data, max(begin, searched))
        return match.end() if match else -1


def _read(raw: bytes, begin: int, *, whole: bool = True) -> Frame:
    """Any block, line by line (section 9.2.6). Only LF, CR and CR LF end a line of bytes."""
    event, data, last_id, retry = "", [], None, None
    for line in raw[begin:].splitlines():
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                data.append(value)
            case b"event":
                event = value.decode("utf-8", "replace")
            case b"id" if b"\0" not in value:
                last_id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) <= _RETRY_DIGITS_MAX:
                retry = int(value)
            case _:
                pass
    return Frame(raw, event, b"\n".join(data) if data else None, last_id, retry, whole)
