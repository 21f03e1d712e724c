"""Faults on real recordings: what a server, a network or a bad day might have made of the same answer.

A fault takes a performance and gives another; where the stream is not such that it could (an event that is not
there), it does not strike and does not count. Nothing here is random: chance follows from a seed, so the same
words on the same recording give the same bytes at the same times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from wiretape.cassette.chance import draws
from wiretape.cassette.format import Ended
from wiretape.cassette.performance import Event, Performance
from wiretape.exchange import Headers

DONE = b"event: done\ndata: [DONE]\n\n"
_RUN_ENDS = frozenset(
    f"thread.run.{status}"
    for status in ("completed", "failed", "cancelled", "expired", "incomplete", "requires_action")
)
_TWO_BYTES = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
_MESSAGE = "Wiretape's fault: the server had an error."
_RATE_LIMITED = 429
_JSON: Headers = ((b"Content-Type", b"application/json"),)


class Fault(Struct, frozen=True, kw_only=True):
    """What all faults share; `word` is the fault as it was given."""

    word: str
    on: str = ""
    """Strike only where this stands in the path."""
    times: int | None = None
    """Strike so many answers of a session; None is all."""

    def strike(self, performance: Performance) -> Performance | None:
        """The performance after the fault; None where it cannot strike."""
        return None


class Cut(Fault, frozen=True, kw_only=True):
    """The connection breaks after event `after`; or in the first character of several bytes, or JSON text, behind."""

    after: int = 0
    inside: Literal["character", "json"] | None = None

    def strike(self, performance: Performance) -> Performance | None:
        """Break off."""
        place = _after(performance, self.after)
        if place is not None and self.inside is not None:
            place = _in_character(performance, place) if self.inside == "character" else _in_json(performance, place)
        return None if place is None else performance.until(place, Ended.UPSTREAM_FAILED)


class Stall(Fault, frozen=True, kw_only=True):
    """Silence after event `after`: for `for_s` seconds, or until the client goes."""

    after: int = 0
    for_s: float | None = None

    def strike(self, performance: Performance) -> Performance | None:
        """Fall silent."""
        place = _after(performance, self.after) if performance.is_stream else None
        if place is None:
            return None
        silent = performance.until(place, Ended.CLIENT_LEFT)
        return silent if self.for_s is None else performance.paused(place, self.for_s)


class Drop(Fault, frozen=True, kw_only=True):
    """Event `event`, counted from 1, does not come."""

    event: int = 1

    def strike(self, performance: Performance) -> Performance | None:
        """Leave it out."""
        found = _event(performance, self.event)
        return None if found is None else performance.spliced(found.start, found.stop, b"")


class Duplicate(Fault, frozen=True, kw_only=True):
    """Event `event`, counted from 1, comes twice."""

    event: int = 1

    def strike(self, performance: Performance) -> Performance | None:
        """Say it again."""
        found = _event(performance, self.event)
        if found is None:
            return None
        return performance.spliced(found.stop, found.stop, performance.body[found.start : found.stop])


class End(Fault, frozen=True, kw_only=True):
    """Where the run ended or paused, it ends otherwise: by an `error` event, or failed, expired or incomplete."""

    by: Literal["error", "failed", "expired", "incomplete"] = "error"

    def strike(self, performance: Performance) -> Performance | None:
        """Put another end in place of the recorded one and of all behind it."""
        ended = next((event for event in performance.events if event.name in _RUN_ENDS), None)
        if ended is None:
            return None
        whole = replace(performance, how=Ended.COMPLETE)
        return whole.spliced(ended.start, len(performance.body), _end(ended, self.by) + DONE)


class Answer(Fault, frozen=True, kw_only=True):
    """An HTTP error in place of an answer, the first `times` times; no recording is used up by it."""

    status: int = _RATE_LIMITED
    retry_after_s: int | None = None
    times: int | None = 1

    @property
    def instead(self) -> Performance:
        """The answer, in the shape that every OpenAI SDK parses."""
        limited = self.status == _RATE_LIMITED
        kind = ("rate_limit_error", "rate_limit_exceeded") if limited else ("server_error", None)
        fault = {"message": _MESSAGE, "type": kind[0], "param": None, "code": kind[1]}
        body = msgspec.json.encode({"error": fault})
        after = () if self.retry_after_s is None else ((b"Retry-After", b"%d" % self.retry_after_s),)
        headers = (*_JSON, (b"Content-Length", b"%d" % len(body)), *after)
        return Performance(status=self.status, headers=headers, pieces=((0.0, body),))


class Recut(Fault, frozen=True, kw_only=True):
    """The same bytes in other chunks of 1 to `bytes_max` bytes, by chance from `seed`."""

    seed: int = 0
    bytes_max: int = 16

    def strike(self, performance: Performance) -> Performance | None:
        """Cut anew."""
        sizes = (1 + int(chance * self.bytes_max) for chance in draws(self.seed, len(performance.body)))
        return performance.recut(sizes) if performance.pieces else None


class Struck(Struct, frozen=True):
    """A fault, and how many answers of a session it has changed."""

    fault: str
    times: int


class Faults:
    """The faults of one session, in their order, and how often each has struck."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._faults = tuple(faults)
        self._times = [0] * len(self._faults)

    @property
    def struck(self) -> tuple[Struck, ...]:
        """How often each has struck."""
        return tuple(Struck(fault.word, times) for fault, times in zip(self._faults, self._times, strict=True))

    def instead(self, path: str) -> Performance | None:
        """What is answered before any recording is looked for; None where nothing is."""
        for place, fault in self._meant(path):
            if isinstance(fault, Answer):
                self._times[place] += 1
                return fault.instead
        return None

    def on(self, path: str, performance: Performance) -> Performance:
        """The performance after all faults that strike it."""
        for place, fault in self._meant(path):
            after = fault.strike(performance)
            if after is not None:
                self._times[place] += 1
                performance = after
        return performance

    def _meant(self, path: str) -> Iterator[tuple[int, Fault]]:
        for place, fault in enumerate(self._faults):
            if fault.on in path and (fault.times is None or self._times[place] < fault.times):
                yield place, fault


def _after(performance: Performance, count: int) -> int | None:
    """Where event `count` ends; None where there are not so many."""
    found = performance.events
    if count > len(found):
        return None
    return found[count - 1].stop if count else 0


def _event(performance: Performance, number: int) -> Event | None:
    found = performance.events
    return found[number - 1] if number <= len(found) else None


def _in_character(performance: Performance, start: int) -> int | None:
    found = _TWO_BYTES.search(performance.body, start)
    return None if found is None else found.start() + 1


def _in_json(performance: Performance, start: int) -> int | None:
    """The middle of the first JSON object that begins behind; no beginning of one is whole."""
    body = performance.body
    texts = [(event.start, event.stop) for event in performance.events if event.start >= start and _is_json(event.data)]
    if not performance.is_stream and _is_json(body):
        texts = [(0, len(body))]
    if not texts:
        return None
    opened = body.index(b"{", texts[0][0])
    return opened + 1 + (body.rindex(b"}", 0, texts[0][1]) - opened) // 2


def _is_json(data: bytes) -> bool:
    return data.strip()[:1] == b"{" and data.strip()[-1:] == b"}"


def _end(ended: Event, by: str) -> bytes:
    error = {"message": _MESSAGE, "type": "server_error", "param": None, "code": None}
    if by == "error":
        return b"event: error\ndata: %b\n\n" % msgspec.json.encode({"error": error})
    run = msgspec.json.decode(ended.data)
    return b"event: thread.run.%b\ndata: %b\n\n" % (by.encode(), msgspec.json.encode({**run, **_ended(run, by)}))


def _ended(run: dict[str, object], by: str) -> dict[str, object]:
    """What differs in the run: its status, when and why it ended."""
    failed = by == "failed"
    return {
        "status": by,
        "required_action": None,
        "completed_at": None,
        "cancelled_at": None,
        "failed_at": run.get("completed_at") or run.get("created_at") if failed else None,
        "last_error": {"code": "server_error", "message": _MESSAGE} if failed else None,
        "incomplete_details": {"reason": "max_completion_tokens"} if by == "incomplete" else None,
    }
