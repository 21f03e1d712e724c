"""A bare event stream: the body of one answer, whose request is said, or told by the first event.

The bytes are taken as they are. Streams that others made by hand often lack blank lines; a client sees one event
there, and a note says so.
"""

from __future__ import annotations

import re

import msgspec
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


_USUAL = "/v1/threads/runs"
_TARGETS = (
    ("response.", "/v1/responses"),
    ("chat.completion", "/v1/chat/completions"),
    ("text_completion", "/v1/completions"),
    ("transcript.", "/v1/audio/transcriptions"),
)
"""Where streams whose events are named so come from; all others are taken for those of a run."""
_THREAD = re.compile(r"thread_[A-Za-z0-9]{1,64}")


class _Datum(Struct):
    """What an event's data says of its kind."""

    type: str = ""
    object: str = ""
    thread_id: str = ""


class Asked(Struct, frozen=True, kw_only=True):
    """The request that a bare stream is the answer to."""

    method: str = "POST"
    url: str = ""
    """The usual one for the kind of the first event, where it is empty."""
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
        url=asked.url or _usual_target(frames),
        request_headers=_JSON if asked.body else (),
        request_body=asked.body,
        status=200,
        headers=_STREAM,
        body=data,
        notes=tuple(_unparted(frames)),
    )
    return [one]


def _usual_target(frames: list[Frame]) -> str:
    first = next(frame for frame in frames if frame.data is not None)
    datum = _datum(first.data or b"")
    kind = first.event or datum.type or datum.object
    if kind.startswith("thread.run") and _THREAD.fullmatch(datum.thread_id):
        return f"/v1/threads/{datum.thread_id}/runs"
    return next((target for name, target in _TARGETS if kind.startswith(name)), _USUAL)


def _datum(data: bytes) -> _Datum:
    """The event's own; of events that were put together by hand, the first one's."""
    for text in (data, data.partition(b"\n")[0]):
        try:
            return msgspec.json.decode(text, type=_Datum)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return _Datum()


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
