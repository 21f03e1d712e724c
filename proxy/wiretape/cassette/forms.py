r"""How a body or a frame stands in a cassette's line: in its most readable form that gives the very same bytes.

Prove or fall back. `json` (with its `style`) is taken only if rendering the value gives the stored text again:
numbers such as `1e5`, escapes such as `\u00e9`, repeated keys or odd spaces fall back to `text`, and bytes that
are no UTF-8 to `b64`. Aliases are put into the text before it is read as JSON; braces in pairs stand in strings
only, so the two never meet. A body that is too long to be read in a line lies beside the cassette, to the byte and
with its ids, under the name of its hash (`file`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from wiretape.cassette.ids import Aliases, Expansion

JSON_BYTES_MAX = 1 << 20
"""Longer bodies are not tried as JSON: reading them would hold the interpreter for too long."""
DEPTH_MAX = 64
"""Deeper JSON is kept as text: how deep a reader can go depends on where it is called."""

BLOB_ABOVE_BYTES = 64 << 10
"""Longer bodies lie beside the cassette, where there is a place for them."""

_BLOB = re.compile(r"[0-9a-f]{64}")
_NEWLINE = "+newline"
_PLAIN_FRAME = re.compile(r"(?:event: ([^\r\n]*)\n)?data: ([^\r\n]*)\n\n")
_OPENING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|([\[{])|([\]}])')

Fields = dict[str, object]
"""Some fields of a line, about to be encoded."""
Keep = Callable[[str, bytes], None]
"""Puts a body beside the cassette, under the name of its hash."""
Fetch = Callable[[str], bytes]
"""Gives what lies beside the cassette under this name; raises ValueError where there is nothing."""


class BodyFields(Struct, kw_only=True):
    """The fields of a `req` or `res` line that hold its body; none of them where it is empty."""

    json: Any = UNSET
    style: str = "compact"
    text: str | None = None
    b64: str | None = None
    file: str | None = None
    """The name of its blob: the body's SHA-256 in hex, and so no path."""


class FrameFields(Struct, kw_only=True):
    """The fields of an `ev` line that hold its frame: `d` with or without `e`, or `raw`, or `b64`."""

    e: str | None = None
    d: Any = UNSET
    raw: str | None = None
    b64: str | None = None


def _compact(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _python(value: object) -> str:
    return json.dumps(value)


def _indent2(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


STYLES: dict[str, Callable[[object], str]] = {"compact": _compact, "python": _python, "indent2": _indent2}
"""The layouts that servers and clients write; each may end in a newline (`indent2+newline`)."""


def body_fields(body: bytes, aliases: Aliases, keep: Keep | None = None) -> Fields:
    """A body's most readable proven form; a long one is kept beside the cassette, where there is a `keep`."""
    if not body:
        return {}
    if keep is not None and len(body) > BLOB_ABOVE_BYTES:
        return {"file": kept(body, keep)}
    try:
        stored = aliases.encode(body.decode())
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(body).decode()}
    return _styled(stored) or {"text": stored}


def kept(body: bytes, keep: Keep) -> str:
    """The name under which this body was put beside the cassette."""
    name = hashlib.sha256(body).hexdigest()
    keep(name, body)
    return name


def nothing_beside(name: str) -> bytes:
    """The Fetch of a cassette that has no place of its own."""
    raise ValueError(f"`file` names {name}, and nothing lies beside these lines")


def body_bytes(fields: BodyFields, aliases: Expansion, fetch: Fetch = nothing_beside) -> bytes:
    """The body that these fields hold. Raises ValueError where they hold none that can be rendered."""
    if fields.file is not None:
        return _fetched(fields.file, fetch)
    if fields.b64 is not None:
        return base64.b64decode(fields.b64, validate=True)
    if fields.text is not None:
        return aliases.expand(fields.text).encode()
    return b"" if fields.json is UNSET else aliases.expand(_render(fields.json, fields.style)).encode()


def _fetched(name: str, fetch: Fetch) -> bytes:
    if _BLOB.fullmatch(name) is None:
        raise ValueError("`file` names no blob: 64 hex digits were expected")
    body = fetch(name)
    if hashlib.sha256(body).hexdigest() != name:
        raise ValueError(f"the blob {name} is not what was recorded: its hash is another")
    return body


def frame_fields(raw: bytes, aliases: Aliases) -> Fields:
    """A frame's most readable proven form."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(raw).decode()}
    match = _PLAIN_FRAME.fullmatch(text)
    if match is None:
        return {"raw": aliases.encode(text)}
    event: Fields = {} if match[1] is None else {"e": match[1]}
    return event | {"d": _datum(aliases.encode(match[2]))}


def frame_bytes(fields: FrameFields, aliases: Expansion) -> bytes:
    """The frame that these fields hold. Raises ValueError where they hold none."""
    if fields.b64 is not None:
        return base64.b64decode(fields.b64, validate=True)
    if fields.raw is not None:
        return aliases.expand(fields.raw).encode()
    if fields.d is UNSET:
        raise ValueError("an `ev` line needs `d`, `raw` or `b64`")
    event = "" if fields.e is None else f"event: {fields.e}\n"
    stored = fields.d if isinstance(fields.d, str) else _compact(fields.d)
    return f"{event}data: {aliases.expand(stored)}\n\n".encode()


def read_json(text: str | bytes) -> object:
    """A JSON text's value, or UNSET where it is none, is too deep or holds what no reader agrees on."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return UNSET


def _datum(stored: str) -> object:
    """A frame's data as a JSON value, or as the string it is: a JSON text that is a string stays a text.

    What was proven to be the value's own encoding is put into the line as it is, and not encoded twice.
    """
    value = _shallow_json(stored)
    if value is UNSET or isinstance(value, str):
        return stored
    data = stored.encode()
    return Raw(data) if msgspec.json.encode(value) == data else stored


def _styled(stored: str) -> Fields:
    text = stored.removesuffix("\n")
    value = _shallow_json(text)
    if value is UNSET:
        return {}
    encoded = msgspec.json.encode(value)
    style = _style(text, value, encoded)
    if style is None:
        return {}
    name = style if text == stored else style + _NEWLINE
    return {"json": Raw(encoded)} | ({} if name == "compact" else {"style": name})


def _style(text: str, value: object, encoded: bytes) -> str | None:
    """The first style that gives this text again; only one of them has line ends, and none of them is tried twice."""
    if "\n" in text:
        return "indent2" if msgspec.json.format(encoded, indent=2).decode() == text else None
    if encoded.decode() == text:
        return "compact"
    return "python" if _python(value) == text else None


def _render(value: object, style: str) -> str:
    layout = style.removesuffix(_NEWLINE)
    if layout not in STYLES:
        raise ValueError(f"the style {style!r} is not known; {', '.join(STYLES)} are")
    return STYLES[layout](value) + ("\n" if style.endswith(_NEWLINE) else "")


def _shallow_json(text: str) -> object:
    return read_json(text) if len(text) <= JSON_BYTES_MAX and _depth_in_bound(text) else UNSET


def _depth_in_bound(text: str) -> bool:
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return True
    depth = 0
    for match in _OPENING.finditer(text):
        depth += (match[1] is not None) - (match[2] is not None)
        if depth > DEPTH_MAX:
            return False
    return True
