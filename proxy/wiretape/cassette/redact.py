"""Takes secrets out of one exchange, before anything of it is written and before it is matched.

Two ways. By place: credentials in headers, queries, forms and JSON fields of certain names (`places`), whatever
they look like. By look: values that look like keys, wherever they stand (`looks`). What was found by place, and is
unlike a word, is then known, and taken out everywhere else in the exchange too, however it is spelled. What came in
a request's head is known from then on, but for cookies; the rest is known in its own exchange only, so that a replay,
which sees requests alone, knows what the recording knew.

A secret becomes a typed placeholder; equal secrets get equal ones (`{{secret:bearer#1}}`). Placeholders are left
alone, so redacting twice is redacting once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from wiretape.cassette import places
from wiretape.cassette.inside import Found, in_fields, in_urls
from wiretape.cassette.looks import likely
from wiretape.cassette.multipart import field, split
from wiretape.cassette.secrets import Memory, Secrets
from wiretape.cassette.spelling import PLACEHOLDER, Known, holds, replaced
from wiretape.exchange import Headers
from wiretape.wire.headers import media_type

_FORM = "application/x-www-form-urlencoded"
_FRAGMENT = re.compile(rb"#(?![0-9]+\}\})")
"""A placeholder has a `#` of its own."""
_URL_FIELDS = frozenset({b"location", b"content-location", b"referer"})
_NOT_LASTING = frozenset({"cookie", "setcookie"})
"""A cookie holds words as well, such as `theme=dark`; the next request that needs it brings it again."""


class Redactor:
    """Redacts one exchange; made from its request's head, it knows what stands there from the beginning.

    The exchanges of a recording or session share what was seen (`Secrets`).
    """

    def __init__(self, shared: Secrets, target: bytes, headers: Headers) -> None:
        self._shared = shared
        self._own = Memory(shared.secrets_max)
        self._joined: tuple[tuple[Known, ...], tuple[Known, ...]] = ((), ())
        self._known: tuple[Known, ...] = ()
        for kind, value in places.heads(target, headers):
            shared.learn(kind, value, *(() if kind in _NOT_LASTING else (shared.lasting,)), self._own)

    def target(self, target: bytes) -> bytes:
        """Path and query: secret parameters by name, then everything known or of a telling look."""
        return self.text(self._url(target))

    def headers(self, headers: Headers) -> Headers:
        """Header fields, in the same order; one whose name holds a secret is left out."""
        for kind, value in places.heads(b"", headers):
            self._learn(kind, value)
        return tuple((name, self._header(name, value)) for name, value in headers if not self._is_secret(name))

    def body(self, body: bytes, headers: Headers) -> bytes:
        """A whole body, content-decoded; `headers` tell its media type."""
        media = media_type(headers)
        if media == _FORM:
            body = self._query(body)
        elif media.startswith("multipart/"):
            body = self._multipart(body, headers)
        return self.text(body)

    def text(self, data: bytes) -> bytes:
        """Any bytes: a frame, a path."""
        data = self._without(data, in_fields(data))
        data = self._without(data, in_urls(data))
        return self._looks(replaced(data, self._all_known()))

    def _is_secret(self, name: bytes) -> bool:
        """Header names are spelled in any case."""
        folded = name.lower()
        return self._looks(name) != name or any(secret.value.lower() in folded for secret in self._all_known())

    def _header(self, name: bytes, value: bytes) -> bytes:
        """The whole value goes; the same key in another place gets the same placeholder."""
        kind = places.header_kind(name, value)
        if kind is not None:
            return self._stored(kind, value)
        return self.text(self._url(value) if name.lower() in _URL_FIELDS else value)

    def _url(self, url: bytes) -> bytes:
        rest, *fragment = _FRAGMENT.split(url, maxsplit=1)
        path, question, query = rest.partition(b"?")
        return b"#".join([path + question + self._query(query), *map(self._query, fragment)])

    def _query(self, query: bytes) -> bytes:
        return b"&".join(self._parameter(parameter) for parameter in query.split(b"&"))

    def _parameter(self, parameter: bytes) -> bytes:
        name, _, value = parameter.partition(b"=")
        kind = places.parameter_kind(name) if value else None
        return parameter if kind is None else name + b"=" + self._learned(kind, value, places.plain(value))

    def _multipart(self, body: bytes, headers: Headers) -> bytes:
        """Parts of a telling name, as far as they are text."""
        return b"".join(self._part(part) for part in split(body, headers))

    def _part(self, part: bytes) -> bytes:
        name, content = field(part) or (b"", b"")
        kind = places.parameter_kind(name) if content else None
        return part if kind is None else part[: -len(content)] + self._learned(kind, content, content)

    def _without(self, data: bytes, found: Iterable[Found]) -> bytes:
        pieces, last = [], 0
        for one in found:
            if one.start >= last:
                secret = data[one.start : one.end]
                pieces += [data[last : one.start], self._learned(one.kind, secret, one.value)]
                last = one.end
        return b"".join([*pieces, data[last:]]) if pieces else data

    def _learned(self, kind: str, stored: bytes, value: bytes) -> bytes:
        """The placeholder of a value, `stored` as it stands there now: that may be one already."""
        if PLACEHOLDER.fullmatch(stored):
            return stored
        self._learn(kind, value)
        return self._stored(kind, value)

    def _stored(self, kind: str, value: bytes) -> bytes:
        credential = places.credentials(kind, value)[0]
        if not credential or PLACEHOLDER.fullmatch(credential):
            return credential
        return self._shared.placeholder(kind, credential)

    def _learn(self, kind: str, value: bytes) -> None:
        """For this exchange; the first are kept, because a body of nothing but secrets is no reason to forget them."""
        if not self._own.is_full:
            self._shared.learn(kind, value, self._own)

    def _all_known(self) -> tuple[Known, ...]:
        """Made anew only when something was learned; each secret once."""
        now = (self._own.known, self._shared.lasting.known)
        if now[0] is not self._joined[0] or now[1] is not self._joined[1]:
            self._joined = now
            self._known = tuple({secret.value: secret for part in now for secret in part}.values())
        return self._known

    def _look(self, kind: str, match: re.Match[bytes]) -> bytes:
        start, end = match.start(1) - match.start(), match.end(1) - match.start()
        return match[0][:start] + self._shared.placeholder(kind, match[1]) + match[0][end:]

    def _looks(self, data: bytes) -> bytes:
        for look in likely(data):
            data = look.pattern.sub(partial(self._look, look.kind), data)
        return data


def suspects(data: bytes, secrets: Iterable[Known]) -> bool:
    """Whether one of these secrets, or something of a telling look, may stand in this text."""
    return bool(likely(data)) or holds(data, secrets)
