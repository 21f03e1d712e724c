"""A bare event stream: the body of one answer, whose request has to be said.

The bytes are taken as they are. Streams that others made by hand often lack blank lines; a client sees one event
there, and a note says so.
"""

from __future__ import annotations

import re

from msgspec import Struct

from wiretape.cassette.convert.foreign import LIMITS, Foreign
from wiretape.errors import FrameTooLarge, ImportRefused
from wiretape.exchange import Headers
from wiretape.wire.sse import Frame, Framer

_JSON: Headers = ((b"content-type", b"application/json"),)
_STREAM: Headers = ((b"content-type", b"text/event-stream; charset=utf-8"),)
_FIELD = re.compile(rb"(?:data|event|id|retry)(?::.*)?|:.*", re.DOTALL)
_LOOKED_AT = 64 << 10
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EVENT = re.compile(rb"(?:^|[\r\n])event:")


class Asked(Struct, frozen=True, kw_only=True):
    """The request that a bare stream is the answer to."""

    method: str = "POST"
    url: str = "/v1/threads/runs"
    body: bytes = b'{"stream":true}'


def is_one(data: bytes) -> bool:
    """Whether each line that these bytes begin with is one of an event stream's (WHATWG HTML, section 9.2.5)."""
    lines = data[:_LOOKED_AT].removeprefix(_BYTE_ORDER_MARK).splitlines()
    whole = lines[: max(len(lines) - 1, 1)] if len(data) > _LOOKED_AT else lines
    return any(whole) and all(_FIELD.fullmatch(line) for line in whole if line)


def exchanges(data: bytes, asked: Asked) -> list[Foreign]:
    """The one exchange of a stream. Raises ImportRefused where it holds no event."""
    frames = _frames(data)
    if all(frame.data is None for frame in frames):
        raise ImportRefused("This is no event stream: no line of it begins with `data:`.")
    one = Foreign(
        method=asked.method,
        url=asked.url,
        request_headers=_JSON if asked.body else (),
        request_body=asked.body,
        status=200,
        headers=_STREAM,
        body=data,
        notes=tuple(_unparted(frames)),
    )
    return [one]


def _frames(data: bytes) -> list[Frame]:
    framer = Framer(LIMITS.frame_bytes_max)
    try:
        return [*framer.feed(data), *framer.finish()]
    except FrameTooLarge as error:
        raise ImportRefused(str(error)) from error


def _unparted(frames: list[Frame]) -> list[str]:
    """What a stream that was cut or made by hand gives away."""
    merged = sum(len(_EVENT.findall(frame.raw)) > 1 for frame in frames)
    notes = [f"{merged} of its blocks hold several `event` lines: without blank lines a client sees one event."]
    cut = ["Its last event ends without a blank line: a browser drops it."]
    return [*(notes if merged else ()), *(() if frames[-1].whole else cut)]
