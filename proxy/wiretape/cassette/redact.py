"""Takes secrets out of one exchange, before anything of it is written and before it is matched.

Two ways. By place: credentials in headers, queries, forms and JSON fields of certain names, whatever they look
like. By look: values that look like keys, wherever they stand (`secrets.PATTERNS`). What was found by place is
then known, and taken out everywhere else in the exchange too, in the encodings a program would put it in.

A secret becomes a typed placeholder; equal secrets get equal ones (`{{secret:bearer#1}}`). Placeholders are
left alone, so redacting twice is redacting once.
"""

from __future__ import annotations

import re
from functools import partial
from urllib.parse import unquote_to_bytes

from wiretape.cassette import secrets
from wiretape.cassette.secrets import PLACEHOLDER, Secrets
from wiretape.exchange import Headers
from wiretape.wire.headers import media_type

_FORM = "application/x-www-form-urlencoded"
_FIELD = re.compile(
    rb"(?is)(\\*\")(api[_-]?key|x-api-key|authorization|access_token|refresh_token|client_secret|password)\1\s*:\s*\1"
    rb"((?:[^\"\\]|\\.){1,8192}?)\1"
)
"""A JSON field of a telling name, also inside a JSON text that stands in a JSON string (quotes escaped alike)."""
_FIELD_KEYWORDS = (b"key", b"authorization", b"_token", b"secret", b"password")


class Redactor:
    """Redacts one exchange; made from its request's head, it knows what stands there from the beginning.

    The exchanges of a recording or session share what was seen (`Secrets`).
    """

    def __init__(self, shared: Secrets, target: bytes, headers: Headers) -> None:
        self._shared = shared
        self._own: dict[bytes, bytes] = {}
        self._shared_forms = shared.forms
        self._known_forms = shared.forms
        self._learn_headers(headers)
        self._query(target.partition(b"?")[2])

    def target(self, target: bytes) -> bytes:
        """Path and query: secret parameters by name, then everything known or of a telling look."""
        path, mark, query = target.partition(b"?")
        return self.text(path + mark + self._query(query))

    def headers(self, headers: Headers) -> Headers:
        """Header fields, in the same order."""
        self._learn_headers(headers)
        return tuple((name, self._header(name, value)) for name, value in headers)

    def body(self, body: bytes, headers: Headers) -> bytes:
        """A whole body, content-decoded; `headers` tell its media type."""
        return self.text(self._query(body) if media_type(headers) == _FORM else body)

    def text(self, data: bytes) -> bytes:
        """Any bytes: a frame, a path."""
        folded = data.lower()
        if [keyword for keyword in _FIELD_KEYWORDS if keyword in folded]:
            data = _FIELD.sub(self._field, data)
        return self._looks(self._known(data))

    def _learn_headers(self, headers: Headers) -> None:
        """A cookie being set lasts for this exchange; if the client takes it up, its next request says so."""
        for name, value in headers:
            kind = secrets.header_kind(name, value)
            if kind is not None and not PLACEHOLDER.search(value):
                for part in secrets.credentials(kind, value):
                    self._learn(kind, part, lasting=kind != "setcookie")

    def _header(self, name: bytes, value: bytes) -> bytes:
        """The whole value goes; the same key in another place gets the same placeholder."""
        kind = secrets.header_kind(name, value)
        if kind is None or not value:
            return self.text(value)
        if PLACEHOLDER.fullmatch(value):
            return value
        return self._shared.placeholder(kind, secrets.credentials(kind, value)[0])

    def _query(self, query: bytes) -> bytes:
        return b"&".join(self._parameter(parameter) for parameter in query.split(b"&"))

    def _parameter(self, parameter: bytes) -> bytes:
        name, _, value = parameter.partition(b"=")
        kind = secrets.parameter_kind(name)
        if kind is None or not value or PLACEHOLDER.fullmatch(value):
            return parameter
        return name + b"=" + self._learn(kind, unquote_to_bytes(value.replace(b"+", b" ")))

    def _field(self, match: re.Match[bytes]) -> bytes:
        value = match[3]
        if PLACEHOLDER.fullmatch(value):
            return match[0]
        start, end = match.start(3) - match.start(), match.end(3) - match.start()
        return match[0][:start] + self._learn("key", value) + match[0][end:]

    def _learn(self, kind: str, value: bytes, *, lasting: bool = True) -> bytes:
        stored = self._shared.placeholder(kind, value)
        if secrets.is_telling(kind, value):
            self._own |= dict.fromkeys(secrets.variants(value), stored)
            self._known_forms = self._shared_forms | self._own
            if lasting:
                self._shared.know(value, stored)
        return stored

    def _forms(self) -> dict[bytes, bytes]:
        """All that is known here, made anew only when something was learned."""
        if self._shared.forms is not self._shared_forms:
            self._shared_forms = self._shared.forms
            self._known_forms = self._shared_forms | self._own
        return self._known_forms

    def _known(self, data: bytes) -> bytes:
        """One pass for all that is known, longest first, so that no replacement is replaced again."""
        forms = self._forms()
        found = [value for value in forms if value in data]
        if not found:
            return data
        longest_first = sorted(found, key=len, reverse=True)
        pattern = re.compile(b"|".join([PLACEHOLDER.pattern, *map(re.escape, longest_first)]))
        return pattern.sub(lambda match: forms.get(match[0], match[0]), data)

    def _look(self, kind: str, match: re.Match[bytes]) -> bytes:
        return self._shared.placeholder(kind, match[0])

    def _looks(self, data: bytes) -> bytes:
        if secrets.ANY_KEYWORD.search(data) is None:
            return data
        for look in secrets.PATTERNS:
            if look.keyword in data:
                data = look.pattern.sub(partial(self._look, look.kind), data)
        return data
