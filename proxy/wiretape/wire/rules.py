"""What a request's head must be to be forwarded; all else is refused before any upstream hears of it."""

from __future__ import annotations

from wiretape.errors import BadRequest, ExpectationFailed, UpgradeUnsupported
from wiretape.exchange import Headers, Request
from wiretape.wire.headers import values

_HOSTED = (1, 1)
_VERSIONS = ((1, 0), _HOSTED)
_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09})
"""What no field value may hold (RFC 9110 section 5.5)."""
_TELLING = frozenset({b"transfer-encoding", b"content-length", b"upgrade", b"expect"})
"""The fields that are looked at one by one."""
_SINGLE = frozenset(
    {
        b"content-length", b"content-location", b"content-range", b"content-type", b"etag", b"host", b"max-forwards",
        b"server", b"transfer-encoding", b"user-agent",
    }
)  # fmt: skip
"""The fields that stand once (RFC 9110 section 5.3), and that two servers might read differently where they do not."""
_LENGTH_DIGITS_MAX = 19
"""A longer length overflows somebody's 64 bits."""


def check(request: Request, version: tuple[int, int]) -> None:
    """Refuse what must reach no upstream; raises BadRequest, ExpectationFailed or UpgradeUnsupported.

    The parser refuses most of it already. What is checked here holds whichever parser reads the head.
    """
    if version not in _VERSIONS:
        raise BadRequest("only HTTP/1.0 and HTTP/1.1 are spoken here")
    _check_target(request)
    if _has_control(request.headers):
        raise BadRequest("a field holds a control character (RFC 9110 section 5.5)")
    names = [name.lower() for name, _ in request.headers]
    if b"host" not in names and version == _HOSTED:
        raise BadRequest("HTTP/1.1 asks for a Host field (RFC 9112 section 3.2)")
    if len({*names}) < len(names):
        _check_repeats(names)
    if not _TELLING.isdisjoint(names):
        _check_fields(request, names, version)


def _check_repeats(names: list[bytes]) -> None:
    for name in _SINGLE.intersection(names):
        if names.count(name) > 1:
            raise BadRequest(f"{name.decode('ascii')} may stand once in a request")


def _check_fields(request: Request, names: list[bytes], version: tuple[int, int]) -> None:
    if b"transfer-encoding" in names:
        _check_coding(request.headers, names, version)
    if b"content-length" in names:
        _check_length(request.headers[names.index(b"content-length")][1], names.count(b"content-length"))
    if b"upgrade" in names:
        raise UpgradeUnsupported("Upgrade is not supported; send the request without it")
    if b"expect" in names:
        _check_expectation(request.headers)


def _check_target(request: Request) -> None:
    """Take origin-form alone: absolute-form and CONNECT would let clients choose the upstream (section 3.2)."""
    target = request.target
    if not (target.isascii() and target.isprintable()):
        raise BadRequest("the request target must be ASCII; percent-encode the rest (RFC 9112 section 3.2)")
    is_origin = target.startswith("/") or (target == "*" and request.method == "OPTIONS")
    if not is_origin or request.method == "CONNECT":
        raise BadRequest("the request target must be origin-form, a path that begins with /")


def _has_control(headers: Headers) -> bool:
    together = b"".join([value for _, value in headers])
    return len(together.translate(None, _CONTROLS)) != len(together)


def _check_coding(headers: Headers, names: list[bytes], version: tuple[int, int]) -> None:
    """Take exactly `chunked`: anything else is read differently by different servers (RFC 9112 section 6.1)."""
    codings = [value.lower() for value in values(headers, b"transfer-encoding")]
    if codings != ["chunked"] or version == (1, 0) or b"content-length" in names:
        raise BadRequest("Transfer-Encoding must be chunked, alone, without Content-Length, and in HTTP/1.1")


def is_length(value: bytes) -> bool:
    """Whether a `Content-Length` is one number of at most 19 digits, which are few enough for `int` as well."""
    return value.isdigit() and len(value) <= _LENGTH_DIGITS_MAX


def _check_length(length: bytes, count: int) -> None:
    if count > 1 or not is_length(length):
        raise BadRequest("Content-Length must be one number (RFC 9112 section 6.3)")


def _check_expectation(headers: Headers) -> None:
    """Refuse what is expected of servers that are not us; `100-continue` is answered here (RFC 9110 section 10.1.1)."""
    if any(value.lower() != "100-continue" for value in values(headers, b"expect")):
        raise ExpectationFailed("of expectations only 100-continue is known; send the request without Expect")
