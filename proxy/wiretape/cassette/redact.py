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
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial

from wiretape.cassette import places
from wiretape.cassette.edits import Edit, Found, apart, applied
from wiretape.cassette.folding import layered
from wiretape.cassette.glance import Glance
from wiretape.cassette.header_names import URL_FIELDS, names_of
from wiretape.cassette.inside import begins_in as name_begins
from wiretape.cassette.inside import begun as begun_field
from wiretape.cassette.inside import in_fields, in_urls, tells
from wiretape.cassette.looks import Look, likely
from wiretape.cassette.looks import begins_in as look_begins
from wiretape.cassette.looks import begun as begun_look
from wiretape.cassette.multipart import field, split
from wiretape.cassette.secrets import Memory, Secrets, StoredHead
from wiretape.cassette.spelling import PLACEHOLDER, Known, holds, in_text, may_hide
from wiretape.cassette.spelling import begun as begun_spelling
from wiretape.cassette.spelling import begun_in as spelling_in
from wiretape.exchange import Headers
from wiretape.wire.headers import media_type

_FORM = "application/x-www-form-urlencoded"
_MARKS = (b'"', b"=", b"%3", b"u003")
"""One of them stands before every value that a name tells."""
_FRAGMENT = re.compile(rb"#(?![0-9]+\}\})")
"""A placeholder has a `#` of its own."""
_NOT_LASTING = frozenset({"cookie", "setcookie"})
"""A cookie holds words as well, such as `theme=dark`; the next request that needs it brings it again."""


Find = Callable[[bytes], Iterable[Found]]
Settle = Callable[[Found, bytes], Edit]


class Redactor:
    """Redacts one exchange; made from its request's head, it knows what stands there from the beginning.

    The exchanges of a recording or session share what was seen (`Secrets`); `also` is looked for in this one too.
    """

    def __init__(self, shared: Secrets, target: bytes, headers: Headers, also: tuple[Known, ...] = ()) -> None:
        self._shared = shared
        self._own = Memory(shared.secrets_max)
        self._also = also
        self._joined: tuple[tuple[Known, ...], tuple[Known, ...]] = ((), ())
        self._known = also
        self._seen: tuple[tuple[Known, ...], Glance | None, tuple[Known, ...]] = ((), None, ())
        for kind, value in shared.rules.heads(target, headers):
            shared.learn(kind, value, *(() if kind in _NOT_LASTING else (shared.lasting,)), self._own)
        shared.begun = True

    def target(self, target: bytes) -> bytes:
        """Path and query: secret parameters by name, then everything known or of a telling look."""
        return self.text(self._url(target) if b"?" in target or b"#" in target else target)

    def headers(self, headers: Headers) -> Headers:
        """Header fields, in the same order; one whose name holds a secret is left out."""
        names = tuple([name for name, _ in headers])
        kinds = self._kinds(headers)
        if self._are_plain(headers, names, kinds):
            fields = list(headers)
            for at, kind in kinds.items():
                fields[at] = headers[at][0], self._stored(kind, headers[at][1])
            return tuple(fields)
        return tuple((name, self._header(name, value)) for name, value in headers if not self._is_secret(name))

    def head(self, headers: Headers) -> StoredHead | None:
        """How these fields of a request were stored, where they were seen lately and nothing has changed since."""
        head = self._shared.heads.get(headers)
        if head is None or head.known != self.known:
            return None
        is_same = all(self._stored(kind, value) == head.stored[at][1] for at, kind, value in head.replaced)
        return head if is_same else None

    def keep_head(self, headers: Headers, fields: Headers, stored: Headers) -> None:
        """Remember how those `fields` of a request's that are forwarded are stored, unless it is no simple matter."""
        kinds = self._kinds(fields)
        changed = [at for at, (field, one) in enumerate(zip(fields, stored, strict=False)) if field != one]
        if len(fields) == len(stored) and kinds.keys() >= set(changed):
            replaced = tuple((at, kinds[at], fields[at][1]) for at in changed)
            self._shared.keep_head(headers, StoredHead(self.known, replaced, stored, {}))

    def _kinds(self, headers: Headers) -> dict[int, str]:
        """Know what stands in header fields of telling names; where those stand, and of what type they are."""
        rules = self._shared.rules
        telling = rules.telling(tuple([name for name, _ in headers]))
        found = {at: kind for at in telling if (kind := rules.header_kind(*headers[at])) is not None}
        for at, kind in found.items():
            if headers[at][1]:
                self._learn(kind, headers[at][1])
        return found

    def body(self, body: bytes, headers: Headers) -> bytes:
        """A whole body, content-decoded; `headers` tell its media type."""
        if not body:
            return body
        media = media_type(headers)
        if media == _FORM:
            body = self._query(body)
        elif media.startswith("multipart/"):
            body = self._multipart(body, headers)
        return self.text(body)

    def text(self, data: bytes) -> bytes:
        """Any bytes: a body, a frame, a path."""
        if self.is_plain(data):
            return data
        if self._shared.rules.are_any:
            data = self.edited(data, self._shared.rules.in_json, self._learned)
        for find, settle in self.passes(data):
            data = self.edited(data, find, settle)
        return data

    def passes(self, data: bytes) -> Iterator[tuple[Find, Settle]]:
        """What is looked for in a text, one after the other, and what becomes of it."""
        yield in_fields, self._learned
        yield in_urls, self._learned
        yield self._in_text, _placeholder
        for look in likely(data):
            yield partial(_in_look, look), self._as_look
        if self._shared.rules.are_any:
            yield self._shared.rules.in_text, self._learned

    @staticmethod
    def edited(data: bytes, find: Find, settle: Settle) -> bytes:
        """The text after one pass."""
        found = list(find(data))
        return applied(data, [settle(one, data) for one in apart(found)]) if found else data

    def begun(self, data: bytes, since: int = 0) -> int:
        """Where something may have begun that goes on behind this text; the text's end where nothing has.

        Nothing that is known has begun before `since`.
        """
        known = since + begun_spelling(data[since:] if since else data, self.known)
        return min(known, begun_look(data), begun_field(data))

    def begun_in(self, before: bytes, data: bytes) -> int | None:
        """Where in `data` something may have begun that goes on behind it; None where something may stand in it.

        Nothing had begun in what stands `before`, and `data` holds neither quotes nor parameters.
        """
        if look_begins(before, data) or name_begins(before, data):
            text = before + data
            return None if self.may_change(text) else self.begun(text, len(before)) - len(before)
        known = self.known
        return spelling_in(data, known) if known else len(data)

    def is_plain(self, data: bytes) -> bool:
        """Whether it is known without a search that `text` changes nothing: no name, look or secret stands there."""
        if self._shared.rules.are_any:
            return False
        glance = self._shared.glance()
        if glance.sees(data) or (may_hide(data, self.known) and glance.sees(layered(data))):
            return not (tells(data) or suspects(data, self.known))
        return not holds(data, self._unseen(glance))

    def _unseen(self, glance: Glance) -> tuple[Known, ...]:
        """The secrets that a glance does not see."""
        known = self.known
        if self._seen[0] is not known or self._seen[1] is not glance:
            self._seen = known, glance, glance.others(known)
        return self._seen[2]

    def may_change(self, data: bytes) -> bool:
        """Whether there is anything in this text that a pass may find."""
        return self._shared.rules.are_any or any(mark in data for mark in _MARKS) or suspects(data, self.known)

    def _are_plain(self, headers: Headers, names: tuple[bytes, ...], kinds: Container[int]) -> bool:
        """Whether no name holds a secret, and no value but those of these kinds; all in one go.

        NUL, which is part of nothing that is looked for, keeps apart what stands in different fields.
        """
        told = names_of(names)
        if told.hold_urls or any(one.value.lower() in told.folded for one in self.known):
            return False
        values = [value for at, (_, value) in enumerate(headers) if at not in kinds]
        text = b"\0".join([told.joined, *values])
        return b"\n" not in text and self.is_plain(text)

    def _is_secret(self, name: bytes) -> bool:
        """Header names are spelled in any case."""
        folded = name.lower()
        is_alike = any(look.pattern.search(name) for look in likely(name))
        return is_alike or any(secret.value.lower() in folded for secret in self.known)

    def _header(self, name: bytes, value: bytes) -> bytes:
        """The whole value goes; the same key in another place gets the same placeholder."""
        kind = self._shared.rules.header_kind(name, value)
        if kind is not None:
            return self._stored(kind, value)
        return self.text(self._url(value) if name.lower() in URL_FIELDS else value)

    def _url(self, url: bytes) -> bytes:
        rest, *fragment = _FRAGMENT.split(url, maxsplit=1)
        path, question, query = rest.partition(b"?")
        return b"#".join([path + question + self._query(query), *map(self._query, fragment)])

    def _query(self, query: bytes) -> bytes:
        return b"&".join(self._parameter(parameter) for parameter in query.split(b"&"))

    def _parameter(self, parameter: bytes) -> bytes:
        name, _, value = parameter.partition(b"=")
        kind = self._shared.rules.parameter_kind(name) if value else None
        return parameter if kind is None else name + b"=" + self._known_as(kind, value, places.plain(value))

    def _multipart(self, body: bytes, headers: Headers) -> bytes:
        """Parts of a telling name, as far as they are text."""
        return b"".join(self._part(part) for part in split(body, headers))

    def _part(self, part: bytes) -> bytes:
        name, content = field(part) or (b"", b"")
        kind = self._shared.rules.parameter_kind(name) if content else None
        return part if kind is None else part[: -len(content)] + self._known_as(kind, content, content)

    def _in_text(self, data: bytes) -> Iterable[Found]:
        return in_text(data, self.known)

    def _as_look(self, one: Found, data: bytes) -> Edit:
        return Edit(one.start, one.end, self._shared.placeholder(one.kind, one.value))

    def _learned(self, one: Found, data: bytes) -> Edit:
        """What stands there may be a placeholder already."""
        stored = self._known_as(one.kind, data[one.start : one.end], one.value)
        return Edit(one.start, one.end, b'"' + stored + b'"' if one.is_bare else stored)

    def _known_as(self, kind: str, stored: bytes, value: bytes) -> bytes:
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

    @property
    def known(self) -> tuple[Known, ...]:
        """All that is looked for; made anew only when something was learned, each secret once."""
        now = (self._own.known, self._shared.lasting.known)
        if now[0] is not self._joined[0] or now[1] is not self._joined[1]:
            self._joined = now
            self._known = tuple({secret.value: secret for part in (*now, self._also) for secret in part}.values())
        return self._known


def suspects(data: bytes, secrets: Sequence[Known]) -> bool:
    """Whether one of these secrets, or something of a telling look, may stand in this text."""
    return bool(likely(data)) or holds(data, secrets)


def _placeholder(one: Found, _: bytes) -> Edit:
    return Edit(one.start, one.end, one.value)


def _in_look(look: Look, data: bytes) -> Iterator[Found]:
    return (Found(*match.span(1), look.kind, match[1]) for match in look.pattern.finditer(data))
