"""Undoes the content codings of a body (RFC 9110 section 8.4): what cannot be read cannot be redacted either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from wiretape.exchange import Headers
from wiretape.wire.encoding import Inflater
from wiretape.wire.headers import values, without

_FIELD = b"content-encoding"


class Decoded(Struct, frozen=True):
    """A body without its content coding, in the pieces in which it came."""

    pieces: tuple[bytes, ...]
    headers: Headers
    """Without Content-Encoding, where there was a body."""
    enc: str | None
    """The codings that were undone, as they were named."""

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)


def coding(headers: Headers) -> str | None:
    """The list of content codings, of all its lines together; None where there is none."""
    return ", ".join(values(headers, _FIELD)) or None


def decoded(pieces: Sequence[bytes], headers: Headers, bytes_max: int, *, whole: bool = False) -> Decoded:
    """The body decoded and its Content-Encoding taken off; with `whole` it has to be there to its end.

    Raises BodyTooLarge, and DecodeFailed for a coding that is not known and for damage.
    """
    enc = coding(headers) if any(pieces) else None
    if enc is None:
        return Decoded(tuple(pieces), headers, None)
    plain = list(pieces)
    for inflater in _inflaters(enc, bytes_max):
        plain = [inflater.feed(piece) for piece in plain]
        if whole:
            inflater.finish()
    return Decoded(tuple(plain), without(headers, {_FIELD}), enc)


def _inflaters(enc: str, bytes_max: int) -> Iterator[Inflater]:
    """The last coding was put on last, so it comes off first."""
    return (Inflater(name, bytes_max) for name in reversed(enc.split(",")))
