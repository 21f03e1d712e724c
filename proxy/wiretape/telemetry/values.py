"""What the attributes of the vocabulary may say, where that is a list."""

from __future__ import annotations

from typing import Final

from wiretape.errors import (
    UpstreamFailed,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamTorn,
    UpstreamUnreachable,
)

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
"""Methods the HTTP conventions know (RFC 9110, RFC 5789 and QUERY)."""

TOOL_TYPES: Final = {"function": "function", "code_interpreter": "extension", "file_search": "datastore"}
"""Tool type of the Assistants API to `gen_ai.tool.type`."""

FINISHES: Final = {"completed": "stop", "failed": "error", "expired": "error"}
"""Outcome of a run to its finish reason; `incomplete` has its own in `INCOMPLETES`."""

INCOMPLETES: Final = {
    "max_prompt_tokens": "length",
    "max_completion_tokens": "length",
    "content_filter": "content_filter",
}

RUN_ERRORS: Final = frozenset(
    {
        *("server_error", "rate_limit_exceeded", "invalid_prompt", "failed", "expired"),
    }
    | {error.code for error in (UpstreamFailed, UpstreamUnreachable, UpstreamProtocolError, UpstreamTimeout)}
    | {UpstreamTorn.code},
)
"""The `error.type` a run metric may show: `last_error.code` of the service, its outcome, or how its stream broke."""
