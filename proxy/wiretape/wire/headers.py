"""Ordered header pairs: looking up, and the hop-by-hop rules of RFC 9110 section 7.6.1."""

from __future__ import annotations

from collections.abc import Collection

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


def values(headers: Headers, name: bytes) -> list[str]:
    """Each value of a field, in order, as Latin-1 text (which keeps every byte); `name` in lower case."""
    size = len(name)  # compared first: most names have another, and need not be made lower case
    return [value.decode("latin-1") for key, value in headers if len(key) == size and key.lower() == name]


def value(headers: Headers, name: bytes) -> str | None:
    """The first value of a field, or None; `name` in lower case."""
    size = len(name)
    for key, text in headers:
        if len(key) == size and key.lower() == name:
            return text.decode("latin-1")
    return None


def has(headers: Headers, name: bytes) -> bool:
    """Whether there is such a field; `name` in lower case."""
    return bool(values(headers, name))


def without(headers: Headers, names: Collection[bytes]) -> Headers:
    """The fields not named; `names` in lower case."""
    return tuple([pair for pair in headers if pair[0].lower() not in names])


def end_to_end(headers: Headers, rules: frozenset[bytes] = HOP_BY_HOP) -> Headers:
    """The fields that are forwarded: neither hop-by-hop by rule nor named by `Connection`."""
    named = connection_options(headers)
    return without(headers, rules | named if named else rules)


def connection_options(headers: Headers) -> frozenset[bytes]:
    """What the `Connection` fields name, in lower case."""
    lines = values(headers, b"connection")
    if not lines:
        return frozenset()
    listed = (option.strip() for line in lines for option in line.split(","))
    return frozenset(option.lower().encode("latin-1") for option in listed if option)


def media_type(headers: Headers) -> str:
    """The type and subtype of `Content-Type` in lower case, without parameters; empty where there is none."""
    return (value(headers, b"content-type") or "").partition(";")[0].strip().lower()


def is_event_stream(headers: Headers) -> bool:
    """Whether the body is a stream of server-sent events."""
    return media_type(headers) == "text/event-stream"


def milliseconds(headers: Headers) -> int | None:
    """How long the service says it took (`openai-processing-ms`); None where it says nothing that is a number."""
    text = value(headers, b"openai-processing-ms") or ""
    return int(text) if text.isascii() and text.isdigit() else None
