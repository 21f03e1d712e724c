"""Recordings of Azure SDK's test proxy: JSON with a list `Entries`.

A body stands as its JSON value (its layout is lost, its spelling kept), as text, as a list of the text's lines, or
as base64 where the Content-Type names no text. In a multipart body a line that begins with `b64:` is base64.
`Sanitized` in a header is what the recorder put in a secret's place. There are no times.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from wiretape.cassette.convert import fields
from wiretape.cassette.convert.documents import decode
from wiretape.cassette.convert.foreign import Foreign
from wiretape.exchange import Headers
from wiretape.wire.headers import media_type, value

_BASE64 = "b64:"
_NULL = Raw(b"null")


class _File(Struct, rename="pascal"):
    entries: list[Raw]


class _Entry(Struct, rename="pascal"):
    request_uri: str
    request_method: str
    status_code: int
    request_headers: dict[str, str | list[str]] = {}
    request_body: Raw = _NULL
    response_headers: dict[str, str | list[str]] = {}
    response_body: Raw = _NULL


def exchanges(data: bytes) -> list[Foreign]:
    """The exchanges of a file. Raises ImportRefused."""
    return fields.exchanges(decode(data, _File).entries, _foreign)


def _foreign(raw: Raw) -> Foreign:
    entry = decode(raw, _Entry)
    request_headers = fields.paired(entry.request_headers.items())
    headers = fields.paired(entry.response_headers.items())
    return Foreign(
        method=entry.request_method,
        url=entry.request_uri,
        request_headers=request_headers,
        request_body=_body(entry.request_body, request_headers),
        status=fields.status(entry.status_code),
        headers=headers,
        body=_body(entry.response_body, headers),
    )


def _body(raw: Raw, headers: Headers) -> bytes:
    match bytes(raw)[:1]:
        case b"n":
            return b""
        case b"[":
            return _lines(decode(raw, list[str]), is_multipart=media_type(headers).startswith("multipart/"))
        case b'"':
            return _text(decode(raw, str), headers)
        case _:
            return _compact(raw)


def _compact(raw: Raw) -> bytes:
    try:
        return msgspec.json.format(raw, indent=-1)
    except RecursionError as error:
        raise fields.Strange("a body is nested too deep") from error


def _lines(lines: list[str], *, is_multipart: bool) -> bytes:
    return b"".join(
        fields.from_base64(line[len(_BASE64) :], "b64:") if is_multipart and line.startswith(_BASE64)
        else fields.encoded(line)
        for line in lines
    )  # fmt: skip


def _text(found: str, headers: Headers) -> bytes:
    return fields.encoded(found) if _is_text(headers) else fields.from_base64(found, "Body")


def _is_text(headers: Headers) -> bool:
    """The recorder's own rule: text by its type, or by a charset of UTF-8."""
    whole = (value(headers, b"content-type") or "").lower()
    media = media_type(headers)
    return "charset=utf-8" in whole or media.startswith("text/") or media.endswith(("json", "xml", "urlencoded"))
