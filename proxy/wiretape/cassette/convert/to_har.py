"""A cassette as HAR 1.2, which browsers' tools and proxies read.

Beside the standard's fields stand, with the underscore that it asks for: `_eventSourceMessages` for each event of a
stream (`time` in seconds since 1970, `eventName`, `eventId`, `data`), `_chunks` (`[ms since the last, bytes]` of each
read) where the times are known, `_how` and `_session` where they are not the usual ones. All bodies are plain:
`size` is that of the text, as it is stored.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from urllib.parse import parse_qsl

import msgspec

from wiretape.cassette.convert import exported
from wiretape.cassette.convert.exported import Exported
from wiretape.cassette.format import Ended, Header, Interaction, Tape, recorded_at
from wiretape.cassette.pace import fits
from wiretape.exchange import Headers
from wiretape.wire.headers import is_event_stream, value
from wiretape.wire.sse import Framer

_Fields = dict[str, object]
_EPOCH = datetime.fromtimestamp(0, UTC)


def export(tape: Tape) -> Exported:
    """The one file."""
    interactions = exported.served(tape)
    log = {
        "version": "1.2",
        "creator": {"name": "wiretape", "version": tape.header.by.removeprefix("wiretape ") or "unknown"},
        "entries": [_entry(tape.header, one) for one in interactions],
    }
    text = msgspec.json.format(msgspec.json.encode({"log": log}), indent=1) + b"\n"
    return Exported((("", text),), (*exported.told(tape), *_undated(tape)))


def _undated(tape: Tape) -> Iterator[str]:
    if recorded_at(tape.header) is None:
        yield "When it was recorded is not known; HAR wants a date, so 1970 stands there."


def _entry(header: Header, one: Interaction) -> _Fields:
    started = _started(header, one)
    gaps = [gap for gap, _ in one.chunks] if one.times_known else []
    wait, receive = sum(gaps[:1]), sum(gaps[1:])
    return {
        "startedDateTime": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "time": wait + receive,
        "request": _request(header, one),
        "response": _response(one),
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": receive},
    } | _private(one, started)


def _started(header: Header, one: Interaction) -> datetime:
    began = recorded_at(header) or _EPOCH
    return began.astimezone(UTC) + timedelta(milliseconds=one.t0_ms)


def _private(one: Interaction, started: datetime) -> _Fields:
    chunks: _Fields = {"_chunks": one.chunks} if one.times_known and fits(one) else {}
    how: _Fields = {} if one.how is Ended.COMPLETE else {"_how": str(one.how)}
    session: _Fields = {} if one.session == "default" else {"_session": one.session}
    messages: _Fields = {"_eventSourceMessages": list(_messages(one, started))} if is_event_stream(one.headers) else {}
    return chunks | how | session | messages


def _messages(one: Interaction, started: datetime) -> Iterator[_Fields]:
    """The events as a browser dispatches them, each at the time at which its last byte came."""
    framer = Framer(max(len(one.body), 1))
    frames = [frame for raw in (one.body,) for frame in (*framer.feed(raw), *framer.finish())]
    for frame, at_ms in zip(frames, _arrivals(one, [len(frame.raw) for frame in frames]), strict=True):
        if frame.data is not None:
            message: _Fields = {"time": started.timestamp() + at_ms / 1000, "eventName": frame.event or "message"}
            numbered: _Fields = {"eventId": frame.id} if frame.id else {}
            yield message | numbered | {"data": frame.data.decode("utf-8", "replace")}


def _arrivals(one: Interaction, sizes: list[int]) -> Iterator[int]:
    """Milliseconds from the start at which each frame was whole; 0 where that is not known."""
    known = one.chunks if one.times_known and fits(one) else ()
    reads = list(zip(accumulate(size for _, size in known), accumulate(gap for gap, _ in known), strict=True))
    at = 0
    for end in accumulate(sizes):
        while at < len(reads) and reads[at][0] < end:
            at += 1
        yield reads[at][1] if reads else 0


def _request(header: Header, one: Interaction) -> _Fields:
    url = exported.url(header, one)
    query = parse_qsl(one.target.partition("?")[2], keep_blank_values=True)
    sent: _Fields = {"postData": _post_data(one)} if one.request_body else {}
    return {
        "method": one.method,
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers(one.request_headers),
        "queryString": [{"name": name, "value": given} for name, given in query],
        "headersSize": -1,
        "bodySize": len(one.request_body),
    } | sent


def _post_data(one: Interaction) -> _Fields:
    return {"mimeType": value(one.request_headers, b"content-type") or ""} | _body(one.request_body)


def _response(one: Interaction) -> _Fields:
    content: _Fields = {"size": len(one.body), "mimeType": value(one.headers, b"content-type") or ""}
    return {
        "status": one.status,
        "statusText": exported.phrase(one.status or 0),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers(one.headers),
        "content": content | _body(one.body),
        "redirectURL": value(one.headers, b"location") or "",
        "headersSize": -1,
        "bodySize": len(one.body),
    }


def _body(body: bytes) -> _Fields:
    text = exported.text_or_none(body)
    return {"text": base64.b64encode(body).decode(), "encoding": "base64"} if text is None else {"text": text}


def _headers(headers: Headers) -> list[_Fields]:
    return [{"name": name, "value": text} for name, text in exported.pairs(headers)]
