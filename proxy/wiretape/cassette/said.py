"""What an interaction says, whoever recorded it and when: ids by their alias, without times and request ids.

Two recordings of one conversation say the same. Deltas that follow each other are one event with the text they make,
because where a server cuts a text means nothing; of reads that follow each other only the last counts, because how
often a client polls depends on its clock.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec
from msgspec import UNSET, Struct

from wiretape.cassette.deltas import pieces, plain
from wiretape.cassette.edits import Edit, applied
from wiretape.cassette.format import Interaction, Tape
from wiretape.cassette.forms import DEPTH_MAX, read_json
from wiretape.cassette.ids import Aliases
from wiretape.cassette.secrets import unnumbered
from wiretape.exchange import Headers
from wiretape.wire.headers import media_type
from wiretape.wire.sse import Frame, Framer

_VOLATILE = re.compile(
    r"date|age|expires|last-modified|etag|server-timing|set-cookie|via|content-length|(?:x-)?(?:request|correlation)-id"
    r"|.*-request-id|openai-processing-ms|openai-organization|openai-project|x-ratelimit-.*|cf-.*|traceparent|tracestate"
    r"|x-envoy-.*|transfer-encoding|connection|keep-alive|report-to|nel|x-robots-tag"
)
"""Header fields that tell of one moment, or of the way an answer took."""
_TIME = re.compile(r"created|.*_at|request_id")
"""Fields of JSON that do."""
_WHEN = "(a time)"
_READS = frozenset({"GET", "HEAD"})


class Said(Struct, frozen=True, kw_only=True):
    """One interaction's meaning; reads that followed each other are one."""

    index: int
    """In its file, the last of the reads."""
    method: str
    target: str
    """Ids by their alias; so everywhere."""
    request: object
    """JSON, or text."""
    status: int | None
    how: str
    headers: dict[str, list[str]]
    answer: object
    """JSON, text, or the list of events of a stream."""

    @property
    def label(self) -> str:
        """What it asks."""
        return f"{self.method} {self.target}"


def said(tape: Tape) -> list[Said]:
    """What a tape says, in its order."""
    aliases = Aliases()
    for one in tape.interactions:
        aliases.see(one.body.decode("utf-8", "replace"))
    every = [_said(one, aliases) for one in tape.interactions]
    groups = groupby(every, key=lambda one: (one.label, one.method in _READS or one.index))
    return [list(group)[-1] for _, group in groups]


def _said(one: Interaction, aliases: Aliases) -> Said:
    return Said(
        index=one.index,
        method=one.method,
        target=_text(one.target.encode(), aliases),
        request=_value(one.request_body, aliases),
        status=one.status,
        how=str(one.how),
        headers=_headers(one.headers, aliases),
        answer=_events(one, aliases) if one.frames else _value(one.body, aliases),
    )


def _text(data: bytes, aliases: Aliases) -> str:
    return aliases.encode(unnumbered(data).decode("utf-8", "backslashreplace"))


def _value(data: bytes, aliases: Aliases) -> object:
    """JSON where it is some: a number that is a time is one whatever it is."""
    text = _text(data, aliases)
    value = read_json(text)
    return text if value is UNSET else _timeless(value)


def _timeless(value: object, depth: int = 0) -> object:
    """Without its times; what is nested very deep is a text."""
    if depth > DEPTH_MAX:
        return msgspec.json.encode(value).decode()
    if isinstance(value, dict):
        return {name: _moment(name, inner, depth + 1) for name, inner in value.items()}
    return [_timeless(inner, depth + 1) for inner in value] if isinstance(value, list) else value


def _moment(name: str, value: object, depth: int) -> object:
    is_time = isinstance(value, (int, float, str)) and not isinstance(value, bool) and _TIME.fullmatch(name)
    return _WHEN if is_time else _timeless(value, depth)


def _headers(headers: Headers, aliases: Aliases) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers:
        folded = name.decode("latin-1").lower()
        if _VOLATILE.fullmatch(folded) is None:
            found.setdefault(folded, []).append(_text(value, aliases))
    if "content-type" in found:
        found["content-type"] = [media_type(headers)]
    return found


def _events(one: Interaction, aliases: Aliases) -> list[object]:
    framer = Framer(max(len(one.body), 1))
    frames = [*framer.feed(one.body), *framer.finish()]
    dispatched = [frame for frame in frames if frame.data is not None]
    groups = groupby(dispatched, key=lambda frame: (frame.event, bool(pieces(frame.raw)) or id(frame)))
    return [_event(list(group), aliases) for _, group in groups]


def _event(frames: Sequence[Frame], aliases: Aliases) -> object:
    """Deltas as one: what they have beside their texts, each once, and the texts."""
    name = frames[0].event
    if not pieces(frames[0].raw):
        return {"event": name, "data": _value(frames[0].data or b"", aliases)}
    around = [_value(_without_texts(frame.data or b""), aliases) for frame in frames]
    texts: dict[str, str] = {}
    for frame in frames:
        for channel, text in _texts(frame.data or b""):
            texts[channel] = texts.get(channel, "") + text
    spoken = {channel: _text(text.encode("utf-8", "surrogatepass"), aliases) for channel, text in texts.items()}
    return {"event": name, "data": list(_once(around)), "texts": spoken}


def _without_texts(data: bytes) -> bytes:
    return applied(data, [Edit(piece.start, piece.end, b"") for piece in pieces(data)])


def _texts(data: bytes) -> Iterator[tuple[str, str]]:
    for piece in pieces(data):
        yield piece.channel.decode(), plain(data[piece.start : piece.end])


def _once(values: Sequence[object]) -> Iterator[object]:
    seen: set[str] = set()
    for value in values:
        key = json.dumps(value, sort_keys=True)
        if key not in seen:
            seen.add(key)
            yield value
