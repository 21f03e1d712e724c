"""VCR.py cassettes (YAML and JSON, format version 1), with the variants that are in circulation.

Understood: `body.string` as text or binary, or `body.base64_string`; a request body of null, text or bytes; the
older httpx shape (`status_code` and `content`); a body stored as its JSON value (`parsed_body`); a body with its
kind (`body: {type, content}`). The source has no times.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from wiretape.cassette.convert import fields
from wiretape.cassette.convert.foreign import Foreign
from wiretape.errors import ImportRefused

KIND = "VCR.py cassette"


def exchanges(document: object) -> list[Foreign]:
    """The exchanges of a document. Raises ImportRefused."""
    interactions = fields.listed(document, "interactions", KIND)
    if isinstance(document, dict) and document.get("version", 1) != 1:
        raise ImportRefused(f"This is no {KIND}: `version` is 1 in one.")
    return fields.exchanges(interactions, _foreign)


def _foreign(source: object) -> Foreign:
    request, response = fields.mapping(source, "request"), fields.mapping(source, "response")
    return Foreign(
        method=fields.text(request, "method"),
        url=fields.text(request, "uri"),
        request_headers=fields.headers(request),
        request_body=_body(request),
        status=_status(response),
        headers=fields.headers(response),
        body=_body(response),
        began=fields.moment(source),
        took_ms=_took_ms(response),
    )


def _took_ms(response: dict[str, Any]) -> int | None:
    """`duration_ms`, which some of its forks write."""
    found = response.get("duration_ms")
    return round(found) if isinstance(found, int | float) and found > 0 and math.isfinite(found) else None


def _status(response: dict[str, Any]) -> int:
    """`status: {code: 200}`, or `status_code: 200` in the older httpx shape."""
    found = response.get("status")
    return fields.status(found.get("code") if isinstance(found, dict) else response.get("status_code"))


def _body(message: dict[str, Any]) -> bytes:
    """Wherever a message keeps its body; the order is that of the writers that use more than one."""
    if "parsed_body" in message:
        return _unparsed(message["parsed_body"])
    body = message.get("body", message.get("content"))
    return _inside(body) if isinstance(body, dict) else fields.body(body)


def _inside(body: dict[str, Any]) -> bytes:
    if "base64_string" in body:
        return fields.from_base64(body["base64_string"], "base64_string")
    if "string" in body:
        return fields.body(body["string"])
    if "content" not in body:
        raise fields.Strange("a body of the kind dict is not known")
    content = body["content"]
    return fields.body(content) if content is None or isinstance(content, str | bytes) else _unparsed(content)


def _unparsed(value: object) -> bytes:
    """A body that was stored as the value of its JSON; its original layout is lost, so it is written compact."""
    try:
        return msgspec.json.encode(value)
    except (TypeError, RecursionError, UnicodeEncodeError) as error:
        raise fields.Strange("`parsed_body` is no JSON value") from error
