"""The `traceparent` field of W3C Trace Context (level 1, section 3.2), read and written."""

from __future__ import annotations

import re

from msgspec import Struct

from wiretape.exchange import Headers
from wiretape.wire.headers import values

TRACEPARENT = b"traceparent"
_FORM = re.compile(r"(?!ff|00.{54})[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?", re.ASCII)


class Caller(Struct, frozen=True):
    """The span that a caller says it is in."""

    trace_id: int
    span_id: int
    sampled: bool


def caller(headers: Headers) -> Caller | None:
    """The caller's span, or None where the field is absent, repeated or malformed (section 4.3: start anew)."""
    fields = values(headers, TRACEPARENT)
    match = _FORM.fullmatch(fields[0].strip()) if len(fields) == 1 else None
    if match is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in match.groups())
    return Caller(trace_id, span_id, bool(flags & 1)) if trace_id and span_id else None


def traceparent(trace_id: int, span_id: int, *, sampled: bool) -> bytes:
    """The field's value for a span, version 00."""
    return f"00-{trace_id:032x}-{span_id:016x}-{int(sampled):02x}".encode()
