"""What stands in a foreign recording, checked kind by kind; a Strange says what does not, and never quotes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from wiretape.cassette.convert import documents
from wiretape.cassette.convert.foreign import Foreign
from wiretape.cassette.format import STATUS_MAX, STATUS_MIN, may_stand
from wiretape.errors import ImportRefused
from wiretape.exchange import Headers

_Source = TypeVar("_Source")


class Strange(ValueError):
    """What stands in the file is not of the kind that stands there in a recording of its format."""


def exchanges(sources: Sequence[_Source], make: Callable[[_Source], Foreign]) -> list[Foreign]:
    """Each source's exchange. Raises ImportRefused, which names the first that cannot be taken over."""
    return [_exchange(index, source, make) for index, source in enumerate(sources, 1)]


def _exchange(index: int, source: _Source, make: Callable[[_Source], Foreign]) -> Foreign:
    try:
        return make(source)
    except (ValueError, ImportRefused) as error:
        raise ImportRefused(f"Interaction {index} cannot be taken over: {str(error).rstrip('.')}.") from error


def listed(document: object, name: str, kind: str) -> list[object]:
    """The list of this name in a document of this kind. Raises ImportRefused."""
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise ImportRefused(f"This is no {kind}: a mapping with a list `{name}` was expected.")
    return found


def mapping(source: object, name: str) -> dict[str, Any]:
    """The mapping of this name."""
    found = source.get(name) if isinstance(source, dict) else None
    if not isinstance(found, dict):
        raise Strange(f"`{name}` is no mapping")
    return found


def text(source: dict[str, Any], name: str) -> str:
    """The text of this name, which is not empty."""
    found = source.get(name)
    if not isinstance(found, str) or not found:
        raise Strange(f"`{name}` is no text")
    return found


def moment(source: object) -> float | None:
    """When an interaction was recorded (`recorded_at`, as mail or ISO 8601 spells it), in seconds since 1970."""
    recorded = source.get("recorded_at") if isinstance(source, dict) else None
    if not isinstance(recorded, str):
        return None
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return read(recorded).timestamp()
        except (ValueError, OverflowError):
            continue
    return None


def status(code: object) -> int:
    """A final status of HTTP."""
    if not isinstance(code, int) or not STATUS_MIN <= code <= STATUS_MAX:
        raise Strange("`status` is no final status of HTTP")
    return code


def body(value: object) -> bytes:
    """A body that stands as text, as bytes or not at all."""
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return encoded(value)
    raise Strange(f"a body of the kind {type(value).__name__} is not known")


def encoded(value: str) -> bytes:
    """Text as UTF-8."""
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise Strange("a text holds half a surrogate pair, which is no character") from error


def from_base64(value: object, name: str) -> bytes:
    """Bytes that stand as base64 under this name."""
    try:
        return documents.from_base64(value) if isinstance(value, str) else body(value)
    except ValueError as error:
        raise Strange(f"`{name}` is no base64") from error


def headers(message: dict[str, Any]) -> Headers:
    """The fields of a mapping `headers`, from a name to its value or values."""
    found = message.get("headers") or {}
    if not isinstance(found, dict):
        raise Strange("`headers` is no mapping")
    return paired(found.items())


def paired(found: Iterable[tuple[str, object]]) -> Headers:
    """Header fields from names with their value or values; a value of several lines is several fields."""
    named = ((name, one) for name, given in found for one in _values(given))
    return tuple(_field(number, name, one) for number, (name, one) in enumerate(named, 1))


def _values(given: object) -> Iterator[object]:
    yield from given if isinstance(given, list) else (given,)


def _field(number: int, name: str, value: object) -> tuple[bytes, bytes]:
    field = encoded(name), _value(value)
    if not may_stand(*field):
        raise Strange(f"header field {number} holds what may not stand in one")
    return field


def _value(value: object) -> bytes:
    match value:
        case bytes():
            return value
        case None:
            return b""
        case bool():
            return b"true" if value else b"false"
        case str() | int() | float():
            return encoded(str(value))
        case _:
            raise Strange("a header value is neither text nor number")
