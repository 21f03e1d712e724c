"""HAR 1.2, as browsers, proxies and test tools write it.

Understood: text bodies, which HAR keeps decoded, and base64; Polly.js's lists of base64 or hexadecimal pieces,
which are still compressed; parameters of a form without its text; header values that hold several lines;
`_eventSourceMessages` where a stream has no text. Times: `_chunks` (this project's own: `[ms since the last, bytes]`
of each read) or those of the messages; else `time` for a body that came whole. An entry without an answer, or
without its body, is left out and named.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from urllib.parse import urlencode

from msgspec import Raw, Struct, field

from wiretape.cassette.convert import fields
from wiretape.cassette.convert.documents import decode
from wiretape.cassette.convert.foreign import Foreign, Reads
from wiretape.cassette.format import STATUS_MAX, STATUS_MIN
from wiretape.exchange import Headers, How

_FORM = "application/x-www-form-urlencoded"
_NO_YEAR = 1970
_SECONDS_MAX = 1 << 40
_NO_BODY_STATUSES = frozenset({204, 304})
_ENDS = {"upstream_failed": How.UPSTREAM_FAILED, "client_left": How.CLIENT_LEFT}
"""`_how`, this project's own: how an answer ended that did not come to its end."""


class _Pair(Struct):
    name: str
    value: str | None = None


class _PostData(Struct, rename="camel"):
    mime_type: str | None = None
    text: str | None = None
    encoding: str | None = None
    params: list[_Pair] | None = None


class _Request(Struct, rename="camel"):
    method: str
    url: str
    headers: list[_Pair] = []
    post_data: _PostData | None = None


class _Content(Struct, rename="camel"):
    text: str | None = None
    encoding: str | None = None
    size: float | None = None
    is_binary: bool | None = field(name="_isBinary", default=None)


class _Response(Struct, rename="camel"):
    status: int
    headers: list[_Pair] = []
    content: _Content | None = None


class _Message(Struct, rename="camel"):
    data: str = ""
    event_name: str | None = None
    event_id: str | None = None
    time: float | None = None


class _Entry(Struct, rename="camel"):
    request: _Request
    response: _Response
    started_date_time: str = ""
    time: float | None = None
    messages: list[_Message] | None = field(name="_eventSourceMessages", default=None)
    chunks: list[tuple[int, int]] | None = field(name="_chunks", default=None)
    how: str | None = field(name="_how", default=None)
    session: str | None = field(name="_session", default=None)


class _Log(Struct):
    entries: list[Raw]


class _File(Struct):
    log: _Log


def exchanges(data: bytes) -> list[Foreign]:
    """The exchanges of a file. Raises ImportRefused."""
    return fields.exchanges(decode(data.removeprefix(b"\xef\xbb\xbf"), _File).log.entries, _foreign)


def _foreign(raw: Raw) -> Foreign:
    entry = decode(raw, _Entry)
    began = _began(entry.started_date_time)
    return Foreign(
        method=entry.request.method,
        url=entry.request.url,
        request_headers=_headers(entry.request.headers),
        request_body=_sent(entry.request.post_data),
        status=entry.response.status,
        headers=_headers(entry.response.headers),
        body=_body(entry),
        how=_ENDS.get(entry.how or "", How.COMPLETE),
        session=entry.session or "default",
        began=began,
        took_ms=round(entry.time) if entry.time is not None and 0 < entry.time < _SECONDS_MAX else None,
        reads=_reads(entry, began),
        missing=_missing(entry),
        notes=_notes(entry.request.post_data),
    )


def _missing(entry: _Entry) -> str:
    """Why an entry cannot be played, though it is a good one."""
    content = entry.response.content or _Content()
    if not entry.request.url.lower().startswith(("http:", "https:")):
        return "its URL is not one of HTTP"
    if not STATUS_MIN <= entry.response.status <= STATUS_MAX:
        return f"it has no final answer, its status is {entry.response.status}"
    has_body = entry.request.method != "HEAD" and entry.response.status not in _NO_BODY_STATUSES
    if has_body and content.text is None and not entry.messages and (content.size or 0) > 0:
        return "the body of its answer was not saved in the file"
    return ""


def _notes(sent: _PostData | None) -> tuple[str, ...]:
    if sent is None or sent.text is not None or not sent.params or _is_form(sent):
        return ()
    return ("the body of its request was not saved in the file; replay takes it as empty.",)


def _headers(pairs: list[_Pair]) -> Headers:
    """Without HTTP/2's pseudo fields; browsers join equal fields by line ends."""
    named = ((pair.name, line) for pair in pairs for line in (pair.value or "").split("\n"))
    return fields.paired((name, line.strip("\r")) for name, line in named if not name.startswith(":"))


def _sent(sent: _PostData | None) -> bytes:
    if sent is None:
        return b""
    if sent.text is None and sent.params and _is_form(sent):
        return urlencode([(pair.name, pair.value or "") for pair in sent.params]).encode()
    return fields.from_base64(sent.text, "text") if sent.encoding == "base64" else fields.body(sent.text)


def _is_form(sent: _PostData) -> bool:
    return (sent.mime_type or "").partition(";")[0].strip().lower() == _FORM


def _body(entry: _Entry) -> bytes:
    content = entry.response.content or _Content()
    if content.text is None:
        return b"".join(map(_frame, entry.messages or ()))
    if content.encoding == "base64":
        return b"".join(fields.from_base64(piece, "text") for piece in _strings(content.text))
    return b"".join(map(bytes.fromhex, _strings(content.text))) if content.is_binary else fields.encoded(content.text)


def _strings(text: str) -> list[str]:
    """Polly.js keeps a compressed body as a JSON list of its pieces; all others keep one text."""
    return list(decode(text.encode(), list[str])) if text.startswith("[") else [text]


def _frame(message: _Message) -> bytes:
    """The message as a server writes it; `message` is what a client calls an event without a name."""
    named = [f"event: {message.event_name}"] if message.event_name not in {None, "", "message"} else []
    numbered = [f"id: {message.event_id}"] if message.event_id else []
    lines = [*named, *numbered, *(f"data: {line}" for line in message.data.split("\n"))]
    return fields.encoded("\n".join(lines) + "\n\n")


def _reads(entry: _Entry, began: float | None) -> Reads:
    if entry.chunks is not None:
        return tuple(entry.chunks)
    content, messages = entry.response.content, entry.messages or ()
    times = [message.time for message in messages if message.time is not None and abs(message.time) < _SECONDS_MAX]
    if began is None or not times or len(times) < len(messages) or (content is not None and content.text is not None):
        return ()
    at_ms = [max(round((time - began) * 1000), 0) for time in times]
    sizes = (len(_frame(message)) for message in messages)
    return tuple((now - last, size) for (last, now), size in zip(pairwise([0, *at_ms]), sizes, strict=True))


def _began(started: str) -> float | None:
    """Seconds since 1970; a moment in that year is how an export says that it knows none."""
    try:
        began = datetime.fromisoformat(started)
        return began.timestamp() if began.year > _NO_YEAR else None
    except (ValueError, OverflowError, OSError):
        return None
