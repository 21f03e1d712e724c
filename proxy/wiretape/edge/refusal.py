"""What the proxy itself answers: one error, in the shape that every OpenAI SDK parses."""

from __future__ import annotations

import msgspec

from wiretape.errors import WiretapeError
from wiretape.exchange import Head

RETRY_AFTER_S = 1


def refusal(error: WiretapeError, now_ns: int) -> tuple[Head, bytes]:
    """Turn an error into a head and a body."""
    fault = {"message": str(error), "type": "wiretape_error", "code": error.code, "param": None}
    body = msgspec.json.encode({"error": fault})
    headers = [
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"%d" % len(body)),
        (b"X-Wiretape-Error", error.code.encode()),
    ]
    if error.status == 503:  # noqa: PLR2004  RFC 9110 section 10.2.3
        headers.append((b"Retry-After", b"%d" % RETRY_AFTER_S))
    if error.status == 401:  # noqa: PLR2004  RFC 9110 section 11.6.1
        headers.append((b"WWW-Authenticate", b"Bearer"))
    if not error.retry_helps:
        headers.append((b"x-should-retry", b"false"))
    return Head(error.status, tuple(headers), now_ns, _REASONS.get(error.status, "Error")), body


_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
