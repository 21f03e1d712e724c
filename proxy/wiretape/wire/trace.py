"""The `traceparent` and `tracestate` fields of W3C Trace Context (level 1, section 3), read and written."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from wiretape.exchange import Headers, Trace
from wiretape.wire.headers import values, without

TRACEPARENT: Final = b"traceparent"
TRACESTATE: Final = b"tracestate"
STATE_MEMBERS_MAX: Final = 32
"""Members of a `tracestate` (section 3.3.1.1); with more it is discarded whole."""
STATE_CHARS_MAX: Final = 8192
"""Characters of a `tracestate`; a longer one is discarded whole."""

_OWS: Final = " \t"
_FORM = re.compile(r"(?!ff|00.{54})[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?", re.ASCII)
_KEY = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_MEMBER = re.compile(_KEY + r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")


class Caller(Struct, frozen=True):
    """The span that a caller says it is in."""

    trace_id: int
    span_id: int
    sampled: bool
    state: str = ""
    """`tracestate`, its fields joined; empty where there is none, or one that is malformed."""


def caller(headers: Headers) -> Caller | None:
    """The caller's span, or None where `traceparent` is absent, repeated or malformed (section 4.3: start anew)."""
    fields = values(headers, TRACEPARENT)
    match = _FORM.fullmatch(fields[0].strip(_OWS)) if len(fields) == 1 else None
    if match is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in match.groups())
    return Caller(trace_id, span_id, bool(flags & 1), _state(headers)) if trace_id and span_id else None


def traceparent(trace_id: int, span_id: int, *, sampled: bool) -> bytes:
    """The field's value for a span, version 00."""
    return f"00-{trace_id:032x}-{span_id:016x}-{int(sampled):02x}".encode()


def passed_on(headers: Headers, trace: Trace) -> Headers:
    """The fields with `traceparent` naming our exchange, where the upstream is told of it; else as they are.

    A caller's field is changed where it stands, and its `tracestate` stays untouched; one that is malformed goes, as
    does one of another trace than the one that is named (section 4.3).
    """
    if not trace.told:
        return headers
    where, is_callers = trace.client or trace, trace.parent_span_id is not None
    ours = traceparent(where.trace_id, trace.client_span_id, sampled=where.sampled)
    keeps_state = is_callers and where is trace and bool(trace.state)
    kept = headers if keeps_state else without(headers, {TRACESTATE})
    state = ((TRACESTATE, where.state.encode()),) if where.state and not keeps_state else ()
    if not is_callers:
        return (*without(kept, {TRACEPARENT}), (TRACEPARENT, ours), *state)
    return (*((name, ours if name.lower() == TRACEPARENT else value) for name, value in kept), *state)


def _state(headers: Headers) -> str:
    """The `tracestate`, its members in order; one bad member, or too many, discards it."""
    text = ",".join(values(headers, TRACESTATE))
    members = [member for part in text.split(",") if (member := part.strip(_OWS))]
    is_good = len(text) <= STATE_CHARS_MAX and len(members) <= STATE_MEMBERS_MAX
    return ",".join(members) if is_good and all(map(_MEMBER.fullmatch, members)) else ""
