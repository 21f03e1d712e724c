"""Deltas that are alike but for one word, as nearly all of a stream are: what one says, all say.

A delta that was decoded and has `"value":"word"` in it once, with a word of plain characters, teaches what stands
before and behind the word in its frame. A quote inside a JSON text is escaped, so the place is always a string of its
own; whatever other plain word stands in it, the JSON is as good as it was and the fact the same. Everything else, an
empty word above all, is decoded.
"""

from __future__ import annotations

import re
from typing import Final

from wiretape.dialects.assistants.facts import CONTENTS, event
from wiretape.dialects.events import Facts
from wiretape.wire.sse import Frame

_PLAIN: Final = bytes({*range(0x20, 0x7F)} - {*b'"\\'})
"""What JSON writes as it is, of ASCII."""
_WORD: Final = re.compile(rb"[%s]+" % re.escape(_PLAIN))
_KEYS: Final = (b"value", b"arguments", b"input")
_PLACES: Final = tuple(b'"%s":%s"' % (key, space) for key in _KEYS for space in (b"", b" "))
_LINES: Final = 3


class Deltas:
    """Reads the events of one stream, one after the other."""

    def __init__(self) -> None:
        self._before = self._behind = b""
        self._facts: Facts = ()

    def event(self, frame: Frame) -> Facts:
        """What a frame says; raises DecodeFailed."""
        known = self.alike(frame.raw)
        if known is not None:
            return known
        facts = event(frame)
        if facts in CONTENTS and frame.data is not None:
            self._learn(frame.raw, frame.data, facts)
        return facts

    def alike(self, raw: bytes) -> Facts | None:
        """What bytes say that are one frame as the last one was; None for all others. The hot path."""
        before, behind = self._before, self._behind
        if not before or not raw.startswith(before) or not raw.endswith(behind):
            return None
        word = raw[len(before) : -len(behind)]
        return self._facts if word and not word.translate(None, _PLAIN) else None

    def _learn(self, raw: bytes, data: bytes, facts: Facts) -> None:
        """From a frame of the usual two lines, which is all that is in its block."""
        if not raw.startswith(b"event: ") or raw.count(b"\n") != _LINES or not raw.endswith(data + b"\n\n"):
            return
        for place in _PLACES:
            before, found, rest = raw.partition(place)
            word = _WORD.match(rest)
            if found and word and rest.startswith(b'"', word.end()) and place not in rest and b"\r" not in raw:
                self._before, self._behind, self._facts = before + place, rest[word.end() :], facts
                return


def reader() -> Deltas:
    """What reads a stream."""
    return Deltas()
