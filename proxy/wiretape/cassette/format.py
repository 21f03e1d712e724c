"""A cassette as values, and its lines: JSON, one for each thing that happened (design: cassette.md, Lines).

`render` writes a Tape; `reader` makes one of lines; neither touches a file. A journal and a sealed file are
the same lines: a journal's interleave, know no aliases and may break off anywhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from wiretape.cassette.forms import Fields, Keep, body_fields, frame_fields
from wiretape.cassette.header_names import names_of
from wiretape.cassette.ids import Aliases
from wiretape.cassette.rules import NO_RULES, Rules
from wiretape.exchange import Headers
from wiretape.wire import headers as fields

VERSION = 1
SHA_DIGITS = 16
"""Hex digits of a body's SHA-256 in its `end` line: enough to notice an edit."""
_FIELD_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE = re.compile(rb"[^\r\n\x00]*")
STATUS_MIN, STATUS_MAX = 200, 999
"""Final statuses of HTTP: no other is stored, read or served."""
METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A token (RFC 9110 section 5.6.2)."""

_APART = b"\0"
_HEADS_KEPT = 64
_NO_BODY_STATUSES = frozenset({204, 304})
_NOT_SERVED = fields.HOP_BY_HOP | {b"content-length", b"set-cookie"}


class Ended(StrEnum):
    """How an interaction ended, and so how it is replayed."""

    COMPLETE = "complete"
    UPSTREAM_FAILED = "upstream_failed"
    """The same bytes, then a cut."""
    CLIENT_LEFT = "client_left"
    """The same bytes, then silence until the client goes."""
    RECORDER = "recorder"
    """Cut by the recorder: never served."""


class Header(Struct, frozen=True, kw_only=True):
    """What a cassette's first line says."""

    by: str = ""
    """Who wrote it."""
    recorded: str = ""
    """When the recording began, in UTC (`2026-11-23T03:00:00Z`); empty where the source did not say."""
    upstream: str = ""
    """Without user, password and query."""
    id: str = ""
    """Of the recording that was written last: what was sealed already is not sealed again. Empty where unknown."""
    match: Rules = NO_RULES
    """Rules by which its requests are matched."""


class Interaction(Struct, frozen=True, kw_only=True):
    """One exchange in a cassette: redacted, content-decoded, with its original ids."""

    index: int
    """Its number in the file, from 1 in a sealed one."""
    session: str = "default"
    """The recording session it belongs to."""
    method: str
    target: str
    request_headers: Headers = ()
    request_body: bytes = b""
    request_enc: str | None = None
    """The content coding that was undone."""
    status: int | None = None
    """None where no response head came; such an interaction is never served."""
    headers: Headers = ()
    """As received, less hop-by-hop fields, and less Content-Encoding where it was undone."""
    body: bytes = b""
    enc: str | None = None
    frames: tuple[int, ...] = ()
    """Lengths of the body's frames, where it is an event stream."""
    how: Ended = Ended.RECORDER
    t0_ms: int = 0
    """When the request began, from the beginning of the recording."""
    chunks: tuple[tuple[int, int], ...] = ()
    """(ms since the last, bytes) for each read of the body; the first counts from the request's beginning."""
    times_known: bool = True
    """False where the source of an import had none."""

    @property
    def path(self) -> str:
        """The target up to the first `?`."""
        return self.target.partition("?")[0]

    @property
    def playable(self) -> bool:
        """Whether it may be served: a head came, and the recorder did not cut it."""
        return self.status is not None and self.how is not Ended.RECORDER

    @property
    def sha(self) -> str:
        """The first hex digits of the body's SHA-256."""
        return hashlib.sha256(self.body).hexdigest()[:SHA_DIGITS]

    @property
    def served_headers(self) -> Headers:
        """The response's fields as they are served: framing is written anew, cookies are left out."""
        kept = fields.without(self.headers, _NOT_SERVED | fields.connection_options(self.headers))
        length = self._length()
        return kept if length is None else (*kept, (b"Content-Length", length))

    def _length(self) -> bytes | None:
        """Only a complete body that is no stream has a length; HEAD and 304 tell the one they left out."""
        if self.method == "HEAD" or self.status in _NO_BODY_STATUSES:
            recorded = fields.value(self.headers, b"content-length")
            return None if recorded is None or not recorded.isdigit() else recorded.encode("latin-1")
        if self.how is not Ended.COMPLETE or fields.is_event_stream(self.headers):
            return None
        return str(len(self.body)).encode()


class Tape(Struct, frozen=True, kw_only=True):
    """A cassette's content; `notes` are warnings for a person, made while it was read."""

    header: Header
    interactions: Sequence[Interaction] = ()
    notes: tuple[str, ...] = ()
    ids: Mapping[str, str] = {}
    """The id table: alias to the id as recorded. Empty in a journal."""

    @property
    def incomplete(self) -> int:
        """How many interactions the recorder cut."""
        return sum(interaction.how is Ended.RECORDER for interaction in self.interactions)


def may_stand(name: bytes, value: bytes) -> bool:
    """Whether a header may hold this field (RFC 9110 sections 5.1 and 5.5): nothing else is stored or served."""
    return _FIELD_NAME.fullmatch(name) is not None and _FIELD_VALUE.fullmatch(value) is not None


def all_may_stand(headers: Headers) -> bool:
    """The same of many, in one go."""
    values = b"\t".join([value for _, value in headers])
    return names_of(tuple([name for name, _ in headers])).are_tokens and _FIELD_VALUE.fullmatch(values) is not None


def render(tape: Tape, keep: Keep | None = None) -> Iterator[bytes]:
    """The lines of a sealed file: in request order, numbered from 1, ids aliased. The same Tape, the same bytes."""
    ordered = sorted(tape.interactions, key=lambda interaction: interaction.index)
    aliases = introduced(ordered)
    yield header_line(tape.header, aliases.table)
    for index, interaction in enumerate(ordered, 1):
        yield from interaction_lines(replace(interaction, index=index), aliases, keep)


def introduced(interactions: Iterable[Interaction]) -> Aliases:
    """The ids that responses were the first to name, with their aliases."""
    aliases = Aliases()
    for one in interactions:
        aliases.pass_over(one.target)
        aliases.pass_over(one.request_body.decode("utf-8", "replace"))
        aliases.see(one.body.decode("utf-8", "replace"))
    return aliases


def joined(first: Tape, then: Tape) -> Tape:
    """Both tapes as one recording that went on later. The recording that was joined last is not joined again."""
    if then.header.id and then.header.id == first.header.id:
        return first
    shift_ms, last = later_ms(first.header, then.header), max((one.index for one in first.interactions), default=0)
    added = (replace(one, index=one.index + last, t0_ms=one.t0_ms + shift_ms) for one in then.interactions)
    header = replace(first.header, by=then.header.by, id=then.header.id)
    return Tape(header=header, interactions=(*first.interactions, *added), notes=first.notes + then.notes)


def later_ms(first: Header, then: Header) -> int:
    """How much later a recording began; 0 where that is unknown."""
    began, began_again = recorded_at(first), recorded_at(then)
    if began is None or began_again is None:
        return 0
    return max(round((began_again - began).total_seconds() * 1000), 0)


def recorded_at(header: Header) -> datetime | None:
    """When the recording began; None where that is unknown."""
    try:
        return datetime.fromisoformat(header.recorded)
    except ValueError:
        return None


def header_line(header: Header, ids: dict[str, str] | None = None) -> bytes:
    """The `tape` line."""
    line: Fields = {"k": "tape", "v": VERSION, "by": header.by, "recorded": header.recorded}
    recording = {"id": header.id} if header.id else {}
    rules: Fields = {"match": header.match} if header.match else {}
    return encode(line | {"upstream": header.upstream} | recording | rules | {"ids": ids or {}})


def request_line(interaction: Interaction, aliases: Aliases, keep: Keep | None = None) -> bytes:
    """The `req` line."""
    line: Fields = {"k": "req", "i": interaction.index, "ss": interaction.session, "m": interaction.method}
    line |= {"u": aliases.encode(interaction.target), "h": _again(interaction.request_headers, aliases)}
    return encode(line | _coding(interaction.request_enc) | body_fields(interaction.request_body, aliases, keep))


def response_line(interaction: Interaction, aliases: Aliases, keep: Keep | None = None) -> bytes:
    """The `res` line; with the body where it is not in frames."""
    line: Fields = {"k": "res", "i": interaction.index, "s": interaction.status}
    line |= {"h": _pairs(interaction.headers, aliases)} | _coding(interaction.enc)
    return encode(line if interaction.frames else line | body_fields(interaction.body, aliases, keep))


def frame_line(index: int, raw: bytes, aliases: Aliases) -> bytes:
    """One `ev` line."""
    return encode({"k": "ev", "i": index} | frame_fields(raw, aliases))


def end_line(interaction: Interaction, size: int, sha: str) -> bytes:
    """The `end` line, for a body of `size` bytes that came in `interaction.chunks`."""
    line: Fields = {"k": "end", "i": interaction.index, "how": str(interaction.how), "n": size, "sha": sha}
    times: Fields = {} if interaction.times_known else {"times": "unknown"}
    return encode(line | {"t0": interaction.t0_ms, "ch": interaction.chunks} | times)


def encode(line: Fields) -> bytes:
    """One line, with its line end."""
    return msgspec.json.encode(line) + b"\n"


def interaction_lines(interaction: Interaction, aliases: Aliases, keep: Keep | None) -> Iterator[bytes]:
    """All lines of one interaction."""
    yield request_line(interaction, aliases, keep)
    if interaction.status is not None:
        yield response_line(interaction, aliases, keep)
    for raw in frames_of(interaction):
        yield frame_line(interaction.index, raw, aliases)
    yield end_line(interaction, len(interaction.body), interaction.sha)


def frames_of(interaction: Interaction) -> Iterator[bytes]:
    """The body's frames, where it has any."""
    start = 0
    for length in interaction.frames:
        yield interaction.body[start : start + length]
        start += length


def _pairs(headers: Headers, aliases: Aliases) -> Sequence[tuple[str, str]]:
    """All in one go: NUL, which may not stand in a field, keeps them apart."""
    if not headers:
        return ()
    names = _APART.join([name for name, _ in headers]).decode("latin-1").split("\0")
    values = aliases.encode(_APART.join([value for _, value in headers]).decode("latin-1")).split("\0")
    return [*zip(names, values, strict=True)]


def _again(headers: Headers, aliases: Aliases) -> object:
    """The same of a request: clients repeat their fields."""
    return _pairs(headers, aliases) if aliases.table else _without_aliases(headers)


@lru_cache(_HEADS_KEPT)
def _without_aliases(headers: Headers) -> Raw:
    return Raw(msgspec.json.encode(_pairs(headers, Aliases())))


def _coding(enc: str | None) -> Fields:
    return {} if enc is None else {"enc": enc}
