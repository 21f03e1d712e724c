"""What every imported format comes to: exchanges in the order of the file, recorded as if they passed through.

An import goes through the recorder's own Take, so there is one place where bodies are decoded and secrets taken
out. Times are those that the source has; where it has none, each frame is one read without a gap and the times are
marked unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from wiretape.cassette.coding import coding, decoded
from wiretape.cassette.format import Header, Interaction, Tape, header_line
from wiretape.cassette.reader import read
from wiretape.cassette.recorder import RecordLimits, Take
from wiretape.cassette.redact_rules import NO_RULES, RedactOptions
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.sweep import is_needed, swept
from wiretape.errors import BodyTooLarge, CassetteError, DecodeFailed, FrameTooLarge, ImportRefused
from wiretape.exchange import Chunk, Ending, Head, Headers, How, Request
from wiretape.wire.headers import is_event_stream, without
from wiretape.wire.sse import Framer

LIMITS = RecordLimits(body_bytes_max=64 << 20, frame_bytes_max=16 << 20)
"""Larger than for live traffic: a person waits for it, and nothing else does."""
UNPACKED_MAX = 512 << 20
"""Bytes of all bodies of one file together, decoded: a small file may unfold to a huge one."""
NAMED_MAX = 5
"""Interactions that one note names by number; the rest it counts."""

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_CODING = frozenset({b"content-encoding"})
_AUTHORITY = re.compile(r"[^/?]*")
FRAGMENT = re.compile(r"#(?![0-9]+\}\})")
"""Where a URL's fragment begins; a placeholder has a `#` of its own."""
_NS_PER_MS = 1_000_000
_MS_MAX = 1 << 40
"""Longer times, some 35 years, are mistakes of the source."""

Progress = Callable[[int, int], None]
"""Told how many interactions are done, and of how many."""
Reads = tuple[tuple[int, int], ...]
"""(ms since the last, bytes) for each read."""


class Foreign(Struct, frozen=True, kw_only=True):
    """One exchange of a foreign recording; bodies as the file has them, compressed or not."""

    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    status: int
    headers: Headers
    body: bytes
    how: How = How.COMPLETE
    session: str = "default"
    began: float | None = None
    """When it began, in seconds since 1970."""
    took_ms: int | None = None
    """How long the whole answer took: the time of a body that came whole, nothing for a stream."""
    reads: Reads = ()
    """When each piece of the body came, where the source says so."""
    missing: str = ""
    """Why it cannot be taken over, although the rest of the file can."""
    notes: tuple[str, ...] = ()
    """What a person should know of it."""


def tape_of(
    exchanges: Sequence[Foreign],
    header: Header,
    progress: Progress = lambda _done, _of: None,
    redact: RedactOptions = NO_RULES,
) -> Tape:
    """The Tape of these exchanges; its upstream is the first one's origin. Raises ImportRefused."""
    numbered = [(index, one) for index, one in enumerate(exchanges, 1) if not one.missing]
    began_s = _began_s(exchanges)
    secrets = Secrets(LIMITS.secrets_max, redact)
    played = _swept(tuple(_bounded(_all_interactions(numbered, began_s, progress, secrets))), secrets)
    origins = [(index, _origin(one.url)) for index, one in numbered]
    upstream = origins[0][1] if origins else header.upstream
    header = replace(header, upstream=upstream, recorded=header.recorded or _recorded(began_s))
    notes = (*_said(exchanges), *_elsewhere(origins, upstream), *_unread(numbered, played))
    return Tape(header=header, interactions=played, notes=notes)


def _all_interactions(
    numbered: Sequence[tuple[int, Foreign]], began_s: int | None, progress: Progress, secrets: Secrets
) -> Iterator[Interaction]:
    for done, (index, one) in enumerate(numbered, 1):
        yield from _interactions(index, one, began_s, secrets)
        progress(done, len(numbered))


def _swept(played: tuple[Interaction, ...], secrets: Secrets) -> tuple[Interaction, ...]:
    """Without what was taken over before it was known to be a secret, as sealing a recording does it."""
    return tuple(swept(one, secrets) for one in played) if is_needed(secrets) else played


def _bounded(interactions: Iterable[Interaction]) -> Iterator[Interaction]:
    unpacked = 0
    for one in interactions:
        unpacked += len(one.request_body) + len(one.body)
        if unpacked > UNPACKED_MAX:
            raise ImportRefused(f"Its bodies unfold to over {UNPACKED_MAX} bytes: divide the recording.")
        yield one


def _interactions(index: int, exchange: Foreign, began_s: int | None, secrets: Secrets) -> list[Interaction]:
    """The one; none where its request's coding cannot be undone."""
    try:
        lines = [header_line(Header()), *_lines(index, exchange, _since_ms(exchange, began_s), secrets)]
        made = read(b"".join(lines), "its lines").interactions
    except DecodeFailed:
        return []
    except (BodyTooLarge, FrameTooLarge, CassetteError, ValueError) as error:
        raise ImportRefused(f"Interaction {index} cannot be taken over: {str(error).rstrip('.')}.") from error
    return [replace(one, times_known=_is_timed(exchange)) for one in made]


def _lines(index: int, exchange: Foreign, t0_ms: int, secrets: Secrets) -> list[bytes]:
    """What the recorder would have written. Raises DecodeFailed where the request cannot be read."""
    headers = _without_stale_coding(without(exchange.headers, _FRAMING), exchange.body)
    request = Request(
        exchange.method, _target(exchange.url), _request_headers(exchange), 0, 0, session=exchange.session
    )
    take = Take(index, request, t0_ms, secrets, LIMITS)
    lines = take.sent(Chunk(exchange.request_body, 0)) + take.head(Head(exchange.status, headers, 0))
    chunks = [Chunk(piece, at_ms * _NS_PER_MS) for at_ms, piece in _pieces(exchange, headers)]
    return [*lines, *take.chunks(*chunks), *_ended(take, exchange.how)]


def _ended(take: Take, how: How) -> list[bytes]:
    """An answer in a coding that cannot be undone is not taken over: nobody could redact it."""
    try:
        return take.end(Ending(how, 0))
    except DecodeFailed:
        return take.cut()


def _request_headers(exchange: Foreign) -> Headers:
    return _without_stale_coding(without(exchange.request_headers, _FRAMING), exchange.request_body)


def _pieces(exchange: Foreign, headers: Headers) -> Iterator[tuple[int, bytes]]:
    """The reads as they came; else an event stream by frame, and any other body whole."""
    if exchange.reads and _is_timed(exchange):
        yield from _as_read(exchange)
    elif not is_event_stream(headers) or coding(headers) is not None:
        took_ms = (exchange.took_ms or 0) if _is_timed(exchange) else 0
        yield from ((took_ms, exchange.body),) if exchange.body else ()
    else:
        framer = Framer(LIMITS.frame_bytes_max)
        yield from ((0, frame.raw) for frame in (*framer.feed(exchange.body), *framer.finish()))


def _as_read(exchange: Foreign) -> Iterator[tuple[int, bytes]]:
    gaps, sizes = zip(*exchange.reads, strict=True)
    for at_ms, size, end in zip(accumulate(gaps), sizes, accumulate(sizes), strict=True):
        yield at_ms, exchange.body[end - size : end]


def _is_timed(exchange: Foreign) -> bool:
    """Whether the source says when the body came; reads that do not fit the body say nothing."""
    if exchange.reads:
        fits = sum(size for _, size in exchange.reads) == len(exchange.body)
        usual = all(size >= 0 and 0 <= gap <= _MS_MAX for gap, size in exchange.reads)
        return fits and usual
    return exchange.took_ms is not None and exchange.took_ms <= _MS_MAX and not is_event_stream(exchange.headers)


def _without_stale_coding(headers: Headers, body: bytes) -> Headers:
    """Many recorders store the body decoded and leave the header: it counts only where it is true.

    A body that cannot be decoded keeps its header unless it is plain text.
    """
    if coding(headers) is None or _decodes(headers, body):
        return headers
    try:
        body.decode()
    except UnicodeDecodeError:
        return headers
    return without(headers, _CODING)


def _decodes(headers: Headers, body: bytes) -> bool:
    try:
        decoded([body], headers, LIMITS.body_bytes_max, whole=True)
    except DecodeFailed:
        return False
    return bool(body)


def _began_s(exchanges: Sequence[Foreign]) -> int | None:
    """The whole second in which the recording began; None where the source does not say."""
    return min((int(one.began) for one in exchanges if one.began is not None), default=None)


def _since_ms(exchange: Foreign, began_s: int | None) -> int:
    if exchange.began is None or began_s is None:
        return 0
    return min(round((exchange.began - began_s) * 1000), _MS_MAX)


def _recorded(began_s: int | None) -> str:
    """A header's time; none where no calendar has it."""
    try:
        return "" if began_s is None else datetime.fromtimestamp(began_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise ImportRefused("its URL cannot be read") from error


def _origin(url: str) -> str:
    parts = _split(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""


def _target(url: str) -> str:
    """Path and query as they stand there; a fragment was never sent."""
    _split(url)
    rest = FRAGMENT.split(url, maxsplit=1)[0]
    authority, slashes, after = rest.partition("://")
    target = _AUTHORITY.sub("", after, count=1) if slashes else authority
    if slashes or target.startswith("/"):
        return target if target.startswith("/") else f"/{target}"
    raise ImportRefused("its URL cannot be read")


def _said(exchanges: Sequence[Foreign]) -> Iterator[str]:
    for index, one in enumerate(exchanges, 1):
        if one.missing:
            yield f"Interaction {index} is left out: {one.missing}."
        yield from (f"Interaction {index}: {note}" for note in one.notes)


def _elsewhere(origins: Sequence[tuple[int, str]], upstream: str) -> Iterator[str]:
    """One note for each further origin, however many interactions it has."""
    found: dict[str, list[int]] = {}
    for index, origin in origins:
        found.setdefault(origin, []).append(index)
    for origin, indexes in found.items():
        if origin and origin != upstream:
            were = "was" if len(indexes) == 1 else "were"
            yield f"{named(indexes)} {were} recorded from {origin}; replay answers by the path alone."


def named(indexes: Sequence[int]) -> str:
    """`Interactions 1, 2, 3, 4, 5 and 7 more`, for a sentence."""
    rest = len(indexes) - NAMED_MAX
    listed = ", ".join(map(str, indexes[:NAMED_MAX]))
    return f"Interaction{'s' * (len(indexes) > 1)} {listed}{f' and {rest} more' if rest > 0 else ''}"


def _unread(numbered: Sequence[tuple[int, Foreign]], played: Sequence[Interaction]) -> Iterator[str]:
    playable = {one.index: one.playable for one in played}
    for index, _ in numbered:
        if index not in playable:
            yield f"Interaction {index} is left out: the content coding of its request cannot be undone."
        elif not playable[index]:
            yield f"Interaction {index} has no answer: its content coding cannot be undone. It is never served."
