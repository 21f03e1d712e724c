"""Undoes a content coding (RFC 9110 section 8.4) on the observer's copy of a body, within a bound."""

from __future__ import annotations

import zlib

from wiretape.errors import BodyTooLarge, DecodeFailed

_GZIP = frozenset({"gzip", "x-gzip"})
_IDENTITY = frozenset({"", "identity"})
_KNOWN = _GZIP | _IDENTITY | {"deflate"}
_GZIP_MAGIC = b"\x1f\x8b"
_ZLIB_HEADER_BYTES = 2
_WBITS_GZIP, _WBITS_ZLIB, _WBITS_RAW = 31, 15, -15


def known(content_encoding: str) -> bool:
    """Whether an Inflater undoes this `Content-Encoding`; one coding, not a list of several."""
    return content_encoding.strip().lower() in _KNOWN


class Inflater:
    """Decodes one body: `feed` what arrived, then `finish` once.

    Raises DecodeFailed for a coding that is not known, for damage and (in `finish`) for a body that was cut
    short; BodyTooLarge once more than `bytes_max` decoded bytes would come out, before they exist.
    """

    def __init__(self, content_encoding: str, bytes_max: int) -> None:
        self._coding = content_encoding.strip().lower()
        if self._coding not in _KNOWN:
            raise DecodeFailed(f"Content-Encoding {self._coding!r} is not known; gzip, deflate and identity are.")
        self._bytes_max = bytes_max
        self._room = bytes_max
        self._opening = b""
        self._member: zlib._Decompress | None = None
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        """The decoded bytes that these make available."""
        return self._take(data) if self._coding in _IDENTITY else self._inflate(data)

    def finish(self) -> bytes:
        """Nothing more; checks that the body was whole. An empty body is whole in every coding."""
        if self._opening or not (self._ended or self._member is None or self._member.eof):
            raise DecodeFailed(f"The {self._coding} body ends before its last block.")
        return b""

    def _inflate(self, data: bytes) -> bytes:
        pieces: list[bytes] = []
        while data and not self._ended and (member := self._open(data)) is not None:
            pieces.append(self._take(self._decompress(member, self._opening + data)))
            self._opening = b""
            data = self._next_member(member)
        return b"".join(pieces)

    def _open(self, data: bytes) -> zlib._Decompress | None:
        """The running decompressor, or a new one; None while the header's two bytes are not both here."""
        if self._member is None:
            opening = self._opening + data[:_ZLIB_HEADER_BYTES]
            if len(opening) < _ZLIB_HEADER_BYTES:
                self._opening = opening
                return None
            self._member = zlib.decompressobj(self._wbits(opening))
        return self._member

    def _wbits(self, opening: bytes) -> int:
        """`deflate` means zlib (RFC 1950), but some servers send the bare stream (RFC 1951)."""
        if self._coding in _GZIP:
            return _WBITS_GZIP
        method, check = opening[0] & 0x0F, int.from_bytes(opening[:_ZLIB_HEADER_BYTES], "big")
        return _WBITS_ZLIB if method == zlib.DEFLATED and check % 31 == 0 else _WBITS_RAW

    def _decompress(self, member: zlib._Decompress, data: bytes) -> bytes:
        try:
            return member.decompress(data, self._room + 1)
        except zlib.error as error:
            raise DecodeFailed(f"The {self._coding} body is damaged: {error}.") from error

    def _next_member(self, member: zlib._Decompress) -> bytes:
        """A gzip body may be several members in a row (RFC 1952 section 2.2); other trailing bytes are padding."""
        rest = member.unused_data
        if rest.startswith(_GZIP_MAGIC):
            self._member = None
            return rest
        self._ended = len(rest) >= len(_GZIP_MAGIC)
        return b""

    def _take(self, data: bytes) -> bytes:
        self._room -= len(data)
        if self._room < 0:
            raise BodyTooLarge(f"The decoded body is over {self._bytes_max} bytes.")
        return data
