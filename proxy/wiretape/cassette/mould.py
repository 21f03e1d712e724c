"""Frames of a stream that are alike but for one word, as nearly all deltas are: what is proven of one holds for all.

A mould is made of a frame that was searched, held nothing, and stands in its line to the byte. A frame that differs
from it in one piece of text can hold a secret in that piece only, and only one without quotes or escapes; its line
differs in that piece only. So nothing but the piece is looked at. What is not as simple as that takes the long way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from wiretape.cassette.deltas import MARK, pieces
from wiretape.cassette.looks import likely
from wiretape.cassette.redact import Redactor
from wiretape.cassette.spelling import PROBE_BYTES_MIN, Known

_FRAME_BYTES_MAX = 64 << 10
_HARMLESS = re.compile(r"[^\x00-\x1f\x7f\"%:=\\{}]{0,1024}")
"""What JSON writes as it is, without the beginnings of escapes, parameters, aliases and `data:` lines."""
_ESCAPES = (b"\\", b"%", b"=")
_DATA = b"data: "
_FRAME_END, _LINE_END = b"\n\n", b"}\n"


class Mould(Struct, frozen=True):
    """What stands before and after the word, in a frame and in its line."""

    before: bytes
    after: bytes
    channel: bytes
    """The text that the word belongs to (`deltas`)."""
    known: tuple[Known, ...]
    """The secrets that were looked for."""
    head: bytes
    """The line, up to the frame's data."""
    data_at: int

    def fits(self, frame: bytes) -> bool:
        """Whether a frame differs in this place only."""
        is_long = len(frame) >= len(self.before) + len(self.after)
        return is_long and frame.startswith(self.before) and frame.endswith(self.after)

    def word(self, frame: bytes, known: tuple[Known, ...]) -> bytes | None:
        """What stands in the place; None where the frame does not fit or the word may be part of something."""
        if known is not self.known or not self.fits(frame):
            return None
        word = frame[len(self.before) : len(frame) - len(self.after)]
        return word if _is_harmless(word) and not likely(word) and not _holds(word, known) else None

    def line(self, frame: bytes) -> bytes:
        """The line of a frame that fits, whose word is harmless."""
        return self.head + frame[self.data_at : -len(_FRAME_END)] + _LINE_END


def mould_of(frame: bytes, line: bytes, redactor: Redactor, last: Mould | None) -> Mould | None:
    """Of a frame that was stored in this line as it came; the `last` where that fits, or where none can be made."""
    known = redactor.known
    if last is not None and last.known is known and last.fits(frame):
        return last
    found = pieces(frame) if len(frame) <= _FRAME_BYTES_MAX else []
    if len(found) != 1 or not redactor.is_plain(frame):
        return last
    one, data_at = found[0], frame.find(_DATA) + len(_DATA)
    data = frame[data_at : -len(_FRAME_END)]
    made = Mould(frame[: one.start], frame[one.end :], one.channel, known, line[: -len(data + _LINE_END)], data_at)
    return made if line == made.line(frame) and _is_sound(made) else last


def _is_sound(mould: Mould) -> bool:
    """Whether nothing can be found across the border of the word, nor because of it."""
    around = mould.before + mould.after
    return (
        MARK in around
        and mould.after[1:2] in {b",", b"}"}
        and around.count(b"data:") == 1
        and not any(escape in around for escape in _ESCAPES)
        and not any(b'"' in probe for secret in mould.known for probe in secret.probes)
    )


def _is_harmless(word: bytes) -> bool:
    try:
        return _HARMLESS.fullmatch(word.decode()) is not None
    except UnicodeDecodeError:
        return False


def _holds(word: bytes, known: Sequence[Known]) -> bool:
    return len(word) >= PROBE_BYTES_MIN and any(any(map(word.__contains__, one.probes)) for one in known)
