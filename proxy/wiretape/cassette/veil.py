"""Takes the words out of what is recorded, and leaves its shape: `record.content = "hash"`.

A word is every string in JSON that is no id and does not stand under a name that tells structure; a body that is no
JSON is one word, and so is what else stands in a header, a query or a frame. In its place stand hex digits of its
hash, as many as it had bytes. The hash is keyed, so that nobody finds a short word by trying; equal words stay equal.
"""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

from wiretape.cassette.ids import find
from wiretape.cassette.spelling import PLACEHOLDER
from wiretape.exchange import Headers

_STRUCTURE = re.compile(rb"id|object|status|type|role|model|order|encoding_format|.*_ids?")
_TERM = re.compile(rb"[a-z][A-Za-z0-9_.:-]{0,63}")
"""What the API itself says, under such a name."""
_TEXT = rb'"([^"\\]*(?:\\.[^"\\]*)*)'
_STRING = re.compile(_TEXT + rb'(?:"(\s*:)?|\\?\Z)', re.DOTALL)
_JSON = re.compile(rb"[\s]*[{\[](?:" + _TEXT + rb'(?:"|\\?\Z)|[\s{}\[\]:,0-9.eE+-]|true|false|null)*', re.DOTALL)
"""Also where it was torn."""
_HEADERS = re.compile(
    rb"(?i)content-(?:type|length|encoding)|date|retry-after|openai-.*|x-ratelimit-.*|x-request-id|user-agent|accept.*"
)
_PLAIN = re.compile(rb"-?[0-9.]*|true|false|null|asc|desc|\[DONE\]")
_LINE_END = re.compile(rb"(\r\n|\n|\r)")
_FIELD = re.compile(rb"(event|id|retry|data)(: ?)(.*)", re.DOTALL)


class Cleaner(Protocol):
    """What a Redactor does to what is stored."""

    def target(self, target: bytes) -> bytes:
        """Path and query."""
        ...

    def headers(self, headers: Headers) -> Headers:
        """Header fields."""
        ...

    def body(self, body: bytes, headers: Headers) -> bytes:
        """A whole body."""
        ...


class Veil:
    """Cleans as another does, and takes the words out of what is left."""

    def __init__(self, within: Cleaner, key: bytes) -> None:
        self._within = within
        self._key = key

    def target(self, target: bytes) -> bytes:
        """The path as it is; a query's values without words."""
        path, question, query = self._within.target(target).partition(b"?")
        return path + question + b"&".join(map(self._parameter, query.split(b"&")))

    def headers(self, headers: Headers) -> Headers:
        """Fields that tell how, as they are; of the others the names."""
        cleaned = self._within.headers(headers)
        return tuple((name, value if _HEADERS.fullmatch(name) else self._word(value)) for name, value in cleaned)

    def body(self, body: bytes, headers: Headers) -> bytes:
        """JSON with its structure, anything else as one word."""
        return self._value(self._within.body(body, headers))

    def frame(self, raw: bytes) -> bytes:
        """A frame that was cleaned, with the names of its fields."""
        parts = _LINE_END.split(raw)
        return b"".join(part if at % 2 else self._line(part) for at, part in enumerate(parts))

    def _line(self, line: bytes) -> bytes:
        field = _FIELD.fullmatch(line)
        if field is None:
            return line[:1] + self._hashed(line[1:])
        is_named = field[1] == b"event" and _TERM.fullmatch(field[3])
        return field[1] + field[2] + (field[3] if is_named else self._value(field[3]))

    def _parameter(self, parameter: bytes) -> bytes:
        name, equals, value = parameter.partition(b"=")
        return name + equals + self._word(value)

    def _value(self, text: bytes) -> bytes:
        if _JSON.fullmatch(text) is None:
            return self._word(text)
        names = [b""]

        def veiled(match: re.Match[bytes]) -> bytes:
            if match[2] is not None:
                names[0] = match[1]
                return match[0]
            name, names[0] = names[0], b""
            is_term = _STRUCTURE.fullmatch(name) and _TERM.fullmatch(match[1])
            start, end = match.start(1) - match.start(), match.end(1) - match.start()
            return match[0] if is_term else match[0][:start] + self._word(match[1]) + match[0][end:]

        return _STRING.sub(veiled, text)

    def _word(self, value: bytes) -> bytes:
        """What is no word stays: numbers, placeholders of secrets, ids."""
        if _PLAIN.fullmatch(value) or PLACEHOLDER.fullmatch(value) or _is_id(value):
            return value
        return self._hashed(value)

    def _hashed(self, value: bytes) -> bytes:
        digits = hashlib.blake2b(value, key=self._key).hexdigest().encode()
        return (digits * (len(value) // len(digits) + 1))[: len(value)]


def _is_id(value: bytes) -> bool:
    text = value.decode("latin-1")
    return find(text) == [text]
