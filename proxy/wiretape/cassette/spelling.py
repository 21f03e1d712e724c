"""Finds a known secret however it is spelled.

The escapes of a text are undone, layer by layer (`folding`). In each layer a secret stands as it is or, in base64, at
one of three offsets. Where one is found, its place there leads back to its place in the text. All of it is linear.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from wiretape.cassette.edits import Edit, Found, applied
from wiretape.cassette.folding import (
    LAYERS_MAX,
    Origin,
    fold,
    layered,
    layers,
    may_break,
    may_hold_escapes,
    placed,
    unbroken,
)

PLACEHOLDER = re.compile(rb"\{\{secret:[a-z]+(?:#[0-9]+)?\}\}")

_LONG_BYTES = 16
_SHORT_BYTES = PROBE_BYTES_MIN = 8
_DISTINCT_MIN = 4
_BEGINNING_BYTES = 32
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_WORD = re.compile(rb"[A-Za-z0-9_]")


class Known(Struct, frozen=True):
    """A secret that is looked for; `probes` are the forms it may have in folded text."""

    value: bytes
    placeholder: bytes
    probes: tuple[bytes, ...]
    beginnings: frozenset[bytes] = frozenset()
    """What a probe begins with, of each length up to a bound: most texts are known at once to end in none of them."""

    letters: bytes = b""
    """All that stand in a probe."""

    def begun(self, folded: bytes) -> int:
        """Where this secret may have begun that goes on behind the text; its end where it has not."""
        tail = len(folded) - len(folded.rstrip(self.letters))
        if tail > _BEGINNING_BYTES:
            at = min(_begun(folded, probe) for probe in self.probes)
            if at < len(folded) - _BEGINNING_BYTES:
                return at
        for size in range(min(tail, _BEGINNING_BYTES), 0, -1):
            if folded[-size:] in self.beginnings:
                return len(folded) - size
        return len(folded)


class _Span(Struct, frozen=True):
    """A place in the folded text."""

    start: int
    end: int
    placeholder: bytes
    is_sure: bool
    """Long, or encoded: no word is by chance."""


def is_telling(value: bytes) -> bool:
    """Whether a value is unlike a word, so that it may be looked for in other places.

    So is one of 16 bytes, and one of 8 with a digit and something else; not one of the same few characters.
    """
    if len(value) < _SHORT_BYTES or len(set(value)) < _DISTINCT_MIN:
        return False
    return len(value) >= _LONG_BYTES or (not value.isdigit() and any(chr(byte).isdigit() for byte in value))


def known(value: bytes, placeholder: bytes) -> Known:
    """This secret, ready to be looked for."""
    forms = [*layers(value), *_base64_forms(value)]
    if b" " in value:
        forms += layers(value.replace(b" ", b"+"))
    if not value.isascii():
        forms += layers(value.decode("latin-1").encode())
    probes = tuple(dict.fromkeys(form for form in forms if len(form) >= _SHORT_BYTES))
    sizes = range(1, _BEGINNING_BYTES + 1)
    beginnings = frozenset(probe[:size] for probe in probes for size in sizes if size < len(probe))
    return Known(value, placeholder, probes, beginnings, b"".join(probes))


def holds(data: bytes, secrets: Sequence[Known]) -> bool:
    """Whether one of them may stand in this text."""
    folded = layered(data) if secrets else data
    return any(any(map(folded.__contains__, secret.probes)) for secret in secrets)


def may_hide(data: bytes, secrets: Sequence[Known]) -> bool:
    """Whether one of them may stand in the folded text, but not in the text as it is.

    Where line ends and quotes are all that is escaped, none does that has neither in it: so it is with most JSON.
    """
    if not secrets or not may_hold_escapes(data):
        return False
    if b"%" in data or b"\\\\" in data or b"data:" in data:
        return True
    if data.count(b"\\") != data.count(b"\\n") + data.count(b'\\"'):
        return True
    return any(b"\n" in secret.letters or b'"' in secret.letters for secret in secrets)


def in_text(data: bytes, secrets: Iterable[Known]) -> list[Found]:
    """Where these secrets stand, in order, each with its placeholder; placeholders that stand there are left alone."""
    folded = layered(data)
    found = [secret for secret in secrets if any(map(folded.__contains__, secret.probes))]
    return list(_found(data, found)) if found else []


def replaced(data: bytes, secrets: Iterable[Known]) -> bytes:
    """The text with placeholders for these secrets."""
    return applied(data, [Edit(one.start, one.end, one.value) for one in in_text(data, secrets)])


def begun(data: bytes, secrets: Sequence[Known]) -> int:
    """Where one of them may have begun that goes on behind this text; its end where none has.

    An escape that the text breaks off in, in any layer, may become anything.
    """
    return _first_begun(data, secrets, LAYERS_MAX)


def begun_in(data: bytes, secrets: Sequence[Known]) -> int | None:
    """The same of one line; None where one of them may stand in it."""
    if may_break(data):
        return None if holds(data, secrets) else begun(data, secrets)
    at = len(data)
    for secret in secrets:
        if any(map(data.__contains__, secret.probes)):
            return None
        at = min(at, secret.begun(data))
    return at


def _first_begun(data: bytes, secrets: Sequence[Known], layers_left: int) -> int:
    whole = unbroken(data)
    folded = fold(whole)
    at = min([secret.begun(folded) for secret in secrets], default=len(folded))
    if layers_left > 1 and folded != whole:
        at = min(at, _first_begun(folded, secrets, layers_left - 1))
    return Origin(whole).start(at) if at < len(folded) else len(whole)


def _begun(folded: bytes, probe: bytes) -> int:
    """By what it begins with: a longer text is searched for that."""
    beginning = probe[:_BEGINNING_BYTES]
    at = folded.find(beginning, max(len(folded) - len(probe) + 1, 0))
    while at >= 0 and not probe.startswith(folded[at:]):
        at = folded.find(beginning, at + 1)
    return at if at >= 0 else len(folded)


def _found(data: bytes, secrets: Sequence[Known]) -> Iterator[Found]:
    masked = PLACEHOLDER.sub(lambda match: b"\0" * len(match[0]), data)
    return _merged([one for folded, origin in placed(masked) for one in _found_in(folded, masked, origin, secrets)])


def _found_in(folded: bytes, text: bytes, origin: Origin, secrets: Sequence[Known]) -> Iterator[Found]:
    """In one layer of the text."""
    for one in _spans(folded, secrets):
        if one.is_sure or _stands_alone(folded, text, one, origin):
            yield Found(origin.start(one.start), origin.end(one.end), "", one.placeholder)


def _spans(folded: bytes, secrets: Sequence[Known]) -> Iterator[_Span]:
    for secret in secrets:
        for probe in secret.probes:
            is_sure = len(secret.value) >= _LONG_BYTES or probe != secret.probes[0]
            start = folded.find(probe)
            while start >= 0:
                yield _Span(start, start + len(probe), secret.placeholder, is_sure)
                start = folded.find(probe, start + len(probe))


def _stands_alone(folded: bytes, text: bytes, span: _Span, origin: Origin) -> bool:
    """A short value inside a longer word is no secret; it is inside one only if that is so in both texts."""
    start, end = origin.start(span.start), origin.end(span.end)
    before = folded[max(span.start - 1, 0) : span.start], text[max(start - 1, 0) : start]
    after = folded[span.end : span.end + 1], text[end : end + 1]
    return not (_are_words(before) or _are_words(after))


def _are_words(chars: tuple[bytes, bytes]) -> bool:
    return all(_WORD.match(char) for char in chars)


def _merged(found: Sequence[Found]) -> Iterator[Found]:
    """Where some overlap, one place over all of them, with the placeholder of the longest."""
    group: list[Found] = []
    end = 0
    for one in sorted(found, key=lambda one: (one.start, one.end)):
        if group and one.start >= end:
            yield _over(group)
            group = []
        group.append(one)
        end = max(end, one.end)
    if group:
        yield _over(group)


def _over(group: Sequence[Found]) -> Found:
    longest = max(group, key=lambda one: one.end - one.start)
    return replace(longest, start=group[0].start, end=max(one.end for one in group))


def _base64_forms(value: bytes) -> Iterator[bytes]:
    """The characters that this value alone decides, at each of the three offsets it may have in a longer text."""
    for offset, decided_from in enumerate((0, 2, 3)):
        encoded = base64.b64encode(b"\0" * offset + value)
        core = encoded.rstrip(b"=")[decided_from:]
        core = core[:-1] if encoded.endswith(b"=") else core
        yield core
        yield core.translate(_URL_SAFE)
