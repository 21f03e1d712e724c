"""Frames of a stream that are alike but for one word, as nearly all deltas are: what is proven of one holds for all.

A mould is made of a frame that was searched, held nothing, and stands in its line to the byte. A frame that differs
from it in one piece of text can hold a secret in that piece only, and only one without quotes or escapes; its line
differs in that piece only. So nothing but the piece is looked at. What is not as simple as that takes the long way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from msgspec import Struct

from wiretape.cassette.deltas import MARK, pieces
from wiretape.cassette.redact import Redactor
from wiretape.cassette.spelling import Known

_FRAME_BYTES_MAX = 64 << 10
WORD_BYTES_MAX = 1024
"""Of a longer word each byte is looked at in the long way."""
_PLAIN = rb"[^\x00-\x1f\x7f\"%=\\{}]*"
_HARMLESS = re.compile(rb"%b(?:(?:\\n|\0)%b)*" % (_PLAIN, _PLAIN))
"""What JSON writes as it is, without escapes but for line ends, parameters and aliases; NUL stands between words."""
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
    line_before: bytes
    line_after: bytes

    def fits(self, frame: bytes) -> bool:
        """Whether a frame differs in this place only."""
        room = len(frame) - len(self.before) - len(self.after)
        return 0 <= room <= WORD_BYTES_MAX and frame.startswith(self.before) and frame.endswith(self.after)

    def words(self, frames: Sequence[bytes]) -> list[bytes]:
        """What stands in the place in the first of these frames, up to one that does not fit or is not as simple.

        No word is part of anything by itself; what several make together is still to be looked at.
        """
        start, end, words = len(self.before), len(self.after), []
        for frame in frames:
            if not self.fits(frame):
                break
            words.append(frame[start : len(frame) - end])
        return words if are_harmless(words) else [*takewhile(lambda word: are_harmless([word]), words)]

    def lines(self, words: Sequence[bytes]) -> bytes:
        """The lines of frames that fit, whose words are harmless."""
        between = self.line_after + self.line_before
        return self.line_before + between.join(words) + self.line_after


def are_harmless(words: Sequence[bytes]) -> bool:
    """Whether JSON writes each of these words as it is, and none holds the beginning of an escape or a parameter."""
    text = b"\0".join(words)
    if _HARMLESS.fullmatch(text) is None or text.count(b"\0") >= max(len(words), 1):
        return False
    return text.isascii() or _is_utf_8(text)


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def mould_of(frame: bytes, line: bytes, redactor: Redactor, last: Mould | None) -> Mould | None:
    """Of a frame that was stored in this line as it came; the `last` where that fits, or where none can be made."""
    known = redactor.known
    if last is not None and last.known is known and last.fits(frame):
        return last
    found = pieces(frame) if len(frame) <= _FRAME_BYTES_MAX else []
    if len(found) != 1 or not redactor.is_plain(frame):
        return last
    one, data_at = found[0], frame.find(_DATA) + len(_DATA)
    before, after, head = frame[: one.start], frame[one.end :], line[: data_at - len(frame)]
    line_before, line_after = head + before[data_at:], after[: -len(_FRAME_END)] + _LINE_END
    made = Mould(before, after, one.channel, known, line_before, line_after)
    return made if line == made.lines([frame[one.start : one.end]]) and _is_sound(made) else last


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
