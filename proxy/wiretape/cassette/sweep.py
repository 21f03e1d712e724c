"""The last look before a cassette is sealed: secrets that were written down before they were known to be some.

A journal cannot take back what it holds. A sealed file is made anew, so it holds none of what the recording has learned
by its end: a key in the answer that handed it out, before the first request that used it; a value in a stream whose
last event told its name; what a user's pattern finds across deltas. A process that recovers a journal after a crash has
learned none of this.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from wiretape.cassette.deltas import joined
from wiretape.cassette.edits import fitted
from wiretape.cassette.format import Interaction, frames_of
from wiretape.cassette.redact import Redactor
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.spelling import Known, holds
from wiretape.cassette.withheld import redacted


def is_needed(secrets: Secrets) -> bool:
    """Whether anything was learned too late, or may be found only now."""
    return bool(secrets.late.known or secrets.late_in or secrets.rules.spans_deltas)


def swept(one: Interaction, secrets: Secrets) -> Interaction:
    """An interaction without what its recording learned too late.

    What an answer told is not looked for in its request: replay, which sees requests alone, could not know it.
    """
    late = secrets.late.known
    known = (*late, *secrets.late_in.get(one.index, ()))
    if not (secrets.rules.spans_deltas or _holds(one, known)):
        return one
    return _answered(requested(one, Redactor(secrets, b"", (), late)), Redactor(secrets, b"", (), known))


def requested(one: Interaction, redactor: Redactor) -> Interaction:
    """An interaction whose request was redacted once more."""
    return replace(
        one,
        request_body=redactor.body(one.request_body, one.request_headers),
        request_headers=redactor.headers(one.request_headers),
        target=redactor.target(one.target.encode()).decode(),
    )


def _answered(one: Interaction, redactor: Redactor) -> Interaction:
    frames = redacted(list(frames_of(one)), redactor) if one.frames else [redactor.body(one.body, one.headers)]
    return replace(
        one,
        headers=redactor.headers(one.headers),
        body=b"".join(frames),
        frames=tuple(map(len, frames)) if one.frames else (),
        chunks=_fitted(one, frames),
    )


def _holds(one: Interaction, known: Sequence[Known]) -> bool:
    heads = [field for pair in (*one.request_headers, *one.headers) for field in pair]
    return holds(b"\0".join([one.target.encode(), *heads, one.request_body, one.body, *joined(one)]), known)


def _fitted(one: Interaction, frames: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
    """The reads, in bytes as stored now; a frame that became longer or shorter moves what is behind it."""
    sizes = one.frames or (len(one.body),)
    changes, at = [], 0
    for size, frame in zip(sizes, frames, strict=True):
        changes += [(at, size, len(frame))] if size != len(frame) else []
        at += size
    stored = fitted([size for _, size in one.chunks], changes)
    return tuple((gap, size) for (gap, _), size in zip(one.chunks, stored, strict=True))
