"""VCR.py cassettes (YAML, format version 1) to a Tape, with the variants that are in circulation.

Understood: `body.string` as text or `!!binary`; a request body of null, text or bytes; the older httpx shape
(`status_code` and `content`); pydantic's `parsed_body`. A body that is still compressed is decoded; a
Content-Encoding over a body that is plain already is dropped; recorded framing is never trusted. The source has
no times, so they are marked unknown. Only YAML's safe loader is used: nothing that is read is ever run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from wiretape.cassette.convert.foreign import Foreign, tape_of
from wiretape.cassette.format import STATUS_MAX, STATUS_MIN, Header, Tape, may_stand
from wiretape.errors import ImportRefused
from wiretape.exchange import Headers

_NODES_MAX = 1_000_000
"""Values in one parsed body, aliases counted each time: a small file may unfold to a huge one."""
_LOADER_ERRORS = (ValueError, TypeError, AttributeError, LookupError, RecursionError, OverflowError)
"""What PyYAML's own constructors raise for odd scalars, beside its YAMLError."""


class _Strange(ValueError):
    """What stands in the file is not of the kind that stands there in a VCR.py cassette."""


def read(text: str, by: str = "") -> Tape:
    """The Tape in a VCR.py file's text. Raises ImportRefused with the reason."""
    return tape_of([_exchange(index, one) for index, one in enumerate(_interactions(_load(text)), 1)], Header(by=by))


def _load(text: str) -> object:
    try:
        import yaml  # noqa: PLC0415 - an extra, which only this import needs
    except ModuleNotFoundError as error:
        raise ImportRefused("Reading YAML needs the extra `yaml`: pip install 'wiretape[yaml]'.") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506 - both are the safe loader
    except (yaml.YAMLError, *_LOADER_ERRORS) as error:
        raise ImportRefused(f"This is no YAML that the safe loader takes: {_where(error)}.") from error


def _where(error: Exception) -> str:
    """What is wrong and in which line; never the line itself, which may hold a key."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or type(error).__name__
    return str(problem) if mark is None else f"{problem}, in line {mark.line + 1}"


def _interactions(document: object) -> list[Any]:
    if not isinstance(document, dict):
        raise ImportRefused("This is no VCR.py cassette: a mapping with `interactions` was expected.")
    if "http_interactions" in document:
        raise ImportRefused("This is a Ruby VCR cassette; this version reads those of VCR.py.")
    if document.get("version", 1) != 1:
        raise ImportRefused("`version` is not VCR.py's; 1 was expected.")
    if not isinstance(document.get("interactions"), list):
        raise ImportRefused("This is no VCR.py cassette: a list `interactions` was expected.")
    return document["interactions"]  # type: ignore[no-any-return]


def _exchange(index: int, source: object) -> Foreign:
    try:
        return _foreign(_mapping(source, "request"), _mapping(source, "response"))
    except ValueError as error:
        raise ImportRefused(f"Interaction {index} cannot be taken over: {error}.") from error


def _foreign(request: dict[str, Any], response: dict[str, Any]) -> Foreign:
    return Foreign(
        method=_text(request, "method"),
        url=_text(request, "uri"),
        request_headers=_headers(request),
        request_body=_body(request),
        status=_status(response),
        headers=_headers(response),
        body=_body(response),
    )


def _mapping(source: object, name: str) -> dict[str, Any]:
    found = source.get(name) if isinstance(source, dict) else None
    if not isinstance(found, dict):
        raise _Strange(f"`{name}` is no mapping")
    return found


def _text(source: dict[str, Any], name: str) -> str:
    found = source.get(name)
    if not isinstance(found, str) or not found:
        raise _Strange(f"`{name}` is no text")
    return found


def _status(response: dict[str, Any]) -> int:
    """`status: {code: 200}`, or `status_code: 200` in the older httpx shape."""
    status = response.get("status")
    code = status.get("code") if isinstance(status, dict) else response.get("status_code")
    if isinstance(status, str):
        raise _Strange("`status` is a text, as in go-vcr's cassettes; this version reads those of VCR.py")
    if not isinstance(code, int) or not STATUS_MIN <= code <= STATUS_MAX:
        raise _Strange("`status` is no final status of HTTP")
    return code


def _body(message: dict[str, Any]) -> bytes:
    """Wherever a message keeps its body; the order is that of the writers that use more than one."""
    if "parsed_body" in message:
        return _unparsed(message["parsed_body"])
    body = message.get("body", message.get("content"))
    return _bytes(body.get("string") if isinstance(body, dict) and "string" in body else body)


def _bytes(body: object) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes):
        return body
    raise _Strange(f"a body of the kind {type(body).__name__} is not known")


def _unparsed(value: object) -> bytes:
    """A body that was stored as the value of its JSON; its original layout is lost, so it is written compact."""
    if sum(1 for _ in _nodes(value)) >= _NODES_MAX:
        raise _Strange(f"`parsed_body` unfolds to over {_NODES_MAX} values")
    try:
        return msgspec.json.encode(value)
    except (TypeError, RecursionError) as error:
        raise _Strange("`parsed_body` is no JSON value") from error


def _nodes(value: object) -> Iterator[object]:
    """Every value inside, up to the limit; a value that holds itself never ends."""
    pending, count = [value], 0
    while pending and count < _NODES_MAX:
        node = pending.pop()
        count += 1
        yield node
        pending.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())


def _headers(message: dict[str, Any]) -> Headers:
    found = message.get("headers") or {}
    if not isinstance(found, dict):
        raise _Strange("`headers` is no mapping")
    return tuple(_field(name, one) for name, given in found.items() for one in _values(given))


def _values(given: object) -> list[object]:
    return given if isinstance(given, list) else [given]


def _field(name: object, value: object) -> tuple[bytes, bytes]:
    field = str(name).encode(), value if isinstance(value, bytes) else str(value).encode()
    if not may_stand(*field):
        raise _Strange(f"the header field {str(name)[:80]!r} holds what may not stand in one")
    return field
