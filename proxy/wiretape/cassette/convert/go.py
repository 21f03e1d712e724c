"""go-vcr's cassettes, versions 1 to 4: `interactions` whose request has a `url` and whose response has a `code`.

`duration` is the time of a whole answer: a body that came whole has it as its time; the pace of a stream is not
known. `form` is a copy of what stands in the URL and the body, and is not read.
"""

from __future__ import annotations

import re
from itertools import starmap
from typing import Any

from wiretape.cassette.convert import fields
from wiretape.cassette.convert.foreign import Foreign

KIND = "go-vcr cassette"

_PART = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_UNIT_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}


def exchanges(document: object) -> list[Foreign]:
    """The exchanges of a document. Raises ImportRefused."""
    return fields.exchanges(fields.listed(document, "interactions", KIND), _foreign)


def is_one(interactions: object) -> bool:
    """Whether these interactions are go-vcr's: VCR.py's requests have a `uri`."""
    first = interactions[0] if isinstance(interactions, list) and interactions else None
    request = first.get("request") if isinstance(first, dict) else None
    return isinstance(request, dict) and "url" in request


def _foreign(source: object) -> Foreign:
    request, response = fields.mapping(source, "request"), fields.mapping(source, "response")
    return Foreign(
        method=fields.text(request, "method"),
        url=fields.text(request, "url"),
        request_headers=fields.headers(request),
        request_body=fields.body(request.get("body")),
        status=fields.status(response.get("code", response.get("status_code"))),
        headers=fields.headers(response),
        body=fields.body(response.get("body")),
        took_ms=_took_ms(response),
    )


def _took_ms(response: dict[str, Any]) -> int | None:
    """Go's `1m2.5s`, or its nanoseconds as a number; nothing where it was not measured."""
    duration = response.get("duration")
    if isinstance(duration, int) and not isinstance(duration, bool):
        return round(duration / 1e6) or None
    if not isinstance(duration, str) or _DURATION.fullmatch(duration) is None:
        return None
    return round(sum(starmap(_ms, _PART.findall(duration)))) or None


def _ms(amount: str, unit: str) -> float:
    return float(amount) * _UNIT_MS[unit]
