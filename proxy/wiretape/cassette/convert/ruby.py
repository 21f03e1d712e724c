"""Ruby VCR's cassettes, and those of R's vcr, which share the tree: `http_interactions`.

Understood: `body.string` as text or as Psych's binary, `body.base64_string`, and `body.encoding`, which says how
the text was spelled in bytes; the status as `code` or, from R, as `status_code`. `recorded_at` tells when an answer
was there, in whole seconds: enough for the recording's date, not for its pace.
"""

from __future__ import annotations

from typing import Any

from wiretape.cassette.convert import fields
from wiretape.cassette.convert.foreign import Foreign

KIND = "Ruby VCR cassette"

_CODECS = {
    "": "utf-8",
    "utf-8": "utf-8",
    "us-ascii": "utf-8",
    "ascii-8bit": "utf-8",
    "binary": "utf-8",
    "iso-8859-1": "latin-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "cp1252",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "shift_jis": "shift_jis",
    "euc-jp": "euc-jp",
}
"""Ruby's names of encodings. A text tagged as binary was plain: Psych writes any other as `!binary`."""


def exchanges(document: object) -> list[Foreign]:
    """The exchanges of a document. Raises ImportRefused."""
    return fields.exchanges(fields.listed(document, "http_interactions", KIND), _foreign)


def _foreign(source: object) -> Foreign:
    request, response = fields.mapping(source, "request"), fields.mapping(source, "response")
    found = fields.mapping(response, "status")
    return Foreign(
        method=fields.text(request, "method").upper(),
        url=fields.text(request, "uri"),
        request_headers=fields.headers(request),
        request_body=_body(request),
        status=fields.status(found.get("code", found.get("status_code"))),
        headers=fields.headers(response),
        body=_body(response),
        began=fields.moment(source),
    )


def _body(message: dict[str, Any]) -> bytes:
    body = message.get("body")
    if not isinstance(body, dict):
        return fields.body(body)
    if "base64_string" in body:
        return fields.from_base64(body["base64_string"], "base64_string")
    return _spelled(body.get("string", body.get("encoded_string")), str(body.get("encoding") or ""))


def _spelled(string: object, encoding: str) -> bytes:
    if not isinstance(string, str):
        return fields.body(string)
    codec = _CODECS.get(encoding.lower())
    if codec is None:
        raise fields.Strange("a body's `encoding` is not known")
    try:
        return string.encode(codec)
    except UnicodeEncodeError as error:
        raise fields.Strange("a body cannot be spelled in its `encoding`") from error
