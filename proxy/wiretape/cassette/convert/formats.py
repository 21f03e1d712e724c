"""From a file's bytes to a Tape, whatever tool recorded it: the format is told by the content, or given."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import MappingProxyType

from msgspec import Raw, Struct

from wiretape.cassette.convert import azure, go, har, ruby, sse, vcr
from wiretape.cassette.convert.documents import decode, load_json, load_yaml, text_of
from wiretape.cassette.convert.foreign import Foreign, Progress, tape_of
from wiretape.cassette.format import Header, Tape
from wiretape.cassette.redact_rules import NO_RULES, RedactOptions
from wiretape.errors import ImportRefused

_DOCUMENTS: MappingProxyType[str, Callable[[object], list[Foreign]]] = MappingProxyType(
    {"vcr": vcr.exchanges, "ruby-vcr": ruby.exchanges, "go-vcr": go.exchanges}
)
_TEXTS: MappingProxyType[str, Callable[[bytes], list[Foreign]]] = MappingProxyType(
    {"har": har.exchanges, "azure": azure.exchanges}
)
FORMATS = (*_DOCUMENTS, *_TEXTS, "sse")
"""What `read` knows."""

SOURCE_BYTES_MAX = 256 << 20
"""A larger file is refused: it is read into memory whole, several times over."""

_KEYS = MappingProxyType({"log": "har", "Entries": "azure"})
_UNKNOWN = "This is no recording of a format that is known"
_WORDS = ("request", "response", "mappings", "persistent", "data", "fixtures", "version", "name", "uuid")
"""What stands outermost in WireMock's, Hoverfly's, Datadog's and others' files."""
_EXPECTED = (
    "expected was `interactions` (VCR.py, go-vcr), `http_interactions` (Ruby VCR), `log` (HAR), `Entries` (Azure's "
    "test proxy), or an event stream that begins with `data:` or `event:`"
)
_PACKED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda", b"PK\x03\x04")
"""How gzip, zlib (Ruby VCR's compressing serializer, `.zhar`) and zip begin; no text begins so."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Imported(Struct, frozen=True):
    """What a file came to, and the format that it was in."""

    kind: str
    tape: Tape


def read(  # noqa: PLR0913, PLR0917 - what a file is, and what is wished of its reading
    data: bytes,
    by: str = "",
    kind: str | None = None,
    asked: sse.Asked | None = None,
    progress: Progress = lambda _done, _of: None,
    redact: RedactOptions = NO_RULES,
) -> Imported:
    """The Tape in a file's bytes; `asked` is the request to a bare stream. Raises ImportRefused with the reason."""
    if len(data) > SOURCE_BYTES_MAX:
        raise ImportRefused(f"This file is over {SOURCE_BYTES_MAX} bytes: divide the recording.")
    document, found = None, kind or _kind(data)
    if found not in {*_TEXTS, "sse"}:
        document = _load(data) if found else _told(data)
        found = found or _document_kind(document)
    return Imported(found, tape_of(_exchanges(found, data, document, asked), Header(by=by), progress, redact))


def _exchanges(kind: str, data: bytes, document: object, asked: sse.Asked | None) -> list[Foreign]:
    if kind == "sse":
        return sse.exchanges(data, asked or sse.Asked())
    return _TEXTS[kind](_unmarked(data)) if kind in _TEXTS else _DOCUMENTS[kind](document)


def _unmarked(data: bytes) -> bytes:
    return data.removeprefix(_BYTE_ORDER_MARK)


def _is_json(data: bytes) -> bool:
    return _unmarked(data).lstrip()[:1] in {b"{", b"["}


def _kind(data: bytes) -> str:
    """The format where it can be told without reading all; else nothing."""
    if data.startswith(_PACKED):
        raise ImportRefused("This file is compressed: unpack it first.")
    if sse.is_one(data):
        return "sse"
    if not _is_json(data):
        return ""
    if _unmarked(data).startswith(b'{"k":"tape"'):
        raise ImportRefused("This is a cassette of Wiretape already: copy it to the folder of cassettes.")
    keys = _keys(data)
    return next((kind for key, kind in _KEYS.items() if key in keys), "")


def _keys(data: bytes) -> Collection[str]:
    """The outermost ones of a JSON text; none where it cannot be read as one."""
    try:
        found: dict[str, Raw] = decode(_unmarked(data), dict[str, Raw])
    except ImportRefused:
        return ()
    return found.keys()


def _load(data: bytes) -> object:
    return load_json(_unmarked(data)) if _is_json(data) else load_yaml(text_of(data))


def _told(data: bytes) -> object:
    """The document of a file whose content tells no format so far."""
    try:
        return _load(data)
    except ImportRefused as error:
        raise ImportRefused(f"{_UNKNOWN}, or a damaged one. {error}") from error


def _document_kind(document: object) -> str:
    keys = document if isinstance(document, dict) else {}
    if "http_interactions" in keys:
        return "ruby-vcr"
    if "interactions" in keys:
        return "go-vcr" if keys.get("version") == 2 or go.is_one(keys["interactions"]) else "vcr"  # noqa: PLR2004  go-vcr's own
    raise ImportRefused(f"{_UNKNOWN}: {_seen(document)}; {_EXPECTED}.")


def _seen(document: object) -> str:
    """What stands there instead, in words of other tools alone: a key may be a secret's."""
    if not isinstance(document, dict):
        return f"its outermost value is a {type(document).__name__}"
    words = [f"`{word}`" for word in _WORDS if word in document]
    return f"its keys are {', '.join(words)}" if words else "it has no keys that are known"
