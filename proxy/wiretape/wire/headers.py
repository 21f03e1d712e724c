"""Ordered header pairs: looking up, and the hop-by-hop rules of RFC 9110 section 7.6.1."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from wiretape.exchange import Headers

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields of one connection only; `Connection` may name more."""


def values(headers: Headers, name: bytes) -> Iterator[str]:
    """Each value of a field, in order, as Latin-1 text (which keeps every byte); `name` in lower case."""
    return (value.decode("latin-1") for key, value in headers if key.lower() == name)


def value(headers: Headers, name: bytes) -> str | None:
    """The first value of a field, or None; `name` in lower case."""
    return next(values(headers, name), None)


def without(headers: Headers, names: Collection[bytes]) -> Headers:
    """The fields not named; `names` in lower case."""
    return tuple(pair for pair in headers if pair[0].lower() not in names)


def end_to_end(headers: Headers) -> Headers:
    """The fields that are forwarded: neither hop-by-hop by rule nor named by `Connection`."""
    return without(headers, HOP_BY_HOP | connection_options(headers))


def connection_options(headers: Headers) -> frozenset[bytes]:
    """What the `Connection` fields name, in lower case."""
    listed = (option.strip() for line in values(headers, b"connection") for option in line.split(","))
    return frozenset(option.lower().encode("latin-1") for option in listed if option)


def media_type(headers: Headers) -> str:
    """The type and subtype of `Content-Type` in lower case, without parameters; empty where there is none."""
    return (value(headers, b"content-type") or "").partition(";")[0].strip().lower()


def is_event_stream(headers: Headers) -> bool:
    """Whether the body is a stream of server-sent events."""
    return media_type(headers) == "text/event-stream"
