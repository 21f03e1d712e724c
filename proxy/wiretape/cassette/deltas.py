"""Texts that come in pieces: where the pieces stand in the frames of a stream, whatever dialect it is.

A piece is a string in a frame that speaks of a delta (or of a `text_completion`, whose frames are deltas without
the word), in a field of one of a few names. Pieces of one name belong together, those of the same indexes: the calls
that a model makes at once are told apart by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from wiretape.cassette.format import Interaction, frames_of

MARK = b"delta"
"""What every frame with a piece has in it, but for those of the older kind."""
_OLDER_MARK = b"text_completion"
_PIECE = re.compile(
    rb'"(?:(value|text|content|refusal|delta|arguments|partial_json|input|logs|thinking|reasoning|reasoning_content)'
    rb'|[a-z_]{0,16}index)"'
    rb'[ \t]?:[ \t]?(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([0-9]{1,9}))'
)


class Piece(Struct, frozen=True):
    """A piece of a text: the text it belongs to, and where it stands in its frame, escaped as JSON has it."""

    channel: bytes
    start: int
    end: int


def pieces(frame: bytes) -> list[Piece]:
    """The pieces in one frame; none where it speaks of no delta."""
    return list(_pieces(frame)) if MARK in frame or _OLDER_MARK in frame else []


def joined(one: Interaction) -> list[bytes]:
    """Every text of a stream, its pieces joined, escaped as JSON has it; in order of first appearance."""
    texts: dict[bytes, list[bytes]] = {}
    for frame in frames_of(one):
        for piece in pieces(frame):
            texts.setdefault(piece.channel, []).append(frame[piece.start : piece.end])
    return [b"".join(parts) for parts in texts.values()]


def plain(text: bytes) -> str:
    """A text as it reads, without JSON's escapes; as it stands where they are none."""
    try:
        return msgspec.json.decode(b'"' + text + b'"', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text.decode("utf-8", "replace")


def _pieces(frame: bytes) -> Iterator[Piece]:
    indexes: list[bytes] = []
    for match in _PIECE.finditer(frame):
        name, text, index = match.groups()
        if name and text is not None:
            yield Piece(b"/".join((name, *indexes)), *match.span(2))
        elif not name and index is not None:
            indexes.append(index)
