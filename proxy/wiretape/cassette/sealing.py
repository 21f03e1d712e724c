"""From journals and sealed files to the lines of one sealed file, a line at a time: nothing of a body is held for long.

The lines are those that `render` gives for the Tape of the same content. The same files, the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from wiretape.cassette.draft import Damaged, answered, frame_in, frames_in, head_of, interaction_of
from wiretape.cassette.format import (
    SHA_DIGITS,
    Ended,
    Header,
    Interaction,
    end_line,
    frame_line,
    header_line,
    interaction_lines,
    later_ms,
    request_line,
    response_line,
)
from wiretape.cassette.forms import Keep
from wiretape.cassette.ids import Aliases
from wiretape.cassette.lines import PEEK
from wiretape.cassette.reader import Reading
from wiretape.cassette.scan import Strip
from wiretape.cassette.secrets import Secrets
from wiretape.cassette.shelf import Entry, entry_of
from wiretape.cassette.sweep import is_needed, swept
from wiretape.errors import CassetteError


class Piece:
    """One file that goes into a sealed one. Raises CassetteError for one with a damaged line."""

    def __init__(self, reading: Reading, name: str) -> None:
        reading.refuse_damage(name)
        self.header = reading.scan.header
        self.strips = reading.scan.strips
        self.shelved = reading.shelved
        self.shift_ms = 0
        self.name = name


class Sealing:
    """The lines of a sealed file; `entries` and `incomplete` are filled as they are given.

    The last of the pieces is what was recorded now. What it has learned of `secrets` by its end is taken out of all;
    where there is such, interactions are held whole, one at a time.
    """

    def __init__(self, pieces: Sequence[Piece], keep: Keep, secrets: Secrets | None = None) -> None:
        self.entries: list[Entry] = []
        self.incomplete = 0
        """Interactions that the recorder cut."""
        self.header, self._pieces = _joined(pieces)
        self._keep = keep
        self._late = secrets if secrets is not None and is_needed(secrets) else None
        self._new = self._pieces[-1]
        self._aliases = Aliases()
        self._at = 0

    @property
    def ids(self) -> dict[str, str]:
        """The id table, once the first line was given."""
        return self._aliases.table

    @property
    def foreign(self) -> frozenset[str]:
        """Ids that a request was the first to name, once the first line was given."""
        return self._aliases.foreign

    def lines(self) -> Iterator[bytes]:
        """All lines. Raises CassetteError for a line that cannot be read."""
        for piece, strip in self._strips():
            self._see(piece, strip)
        first = header_line(self.header, self._aliases.table)
        self._at = len(first)
        yield first
        for index, (piece, strip) in enumerate(self._strips(), 1):
            late = self._late
            lines = self._interaction(index, piece, strip) if late is None else self._swept(late, index, piece, strip)
            yield from _named(piece, lines)

    def _strips(self) -> Iterator[tuple[Piece, Strip]]:
        return ((piece, strip) for piece in self._pieces for strip in piece.strips)

    def _see(self, piece: Piece, strip: Strip) -> None:
        """Ids are given aliases in the order in which answers name them; those that a request named first get none."""
        for data in _named(piece, self._asked(piece, strip)):
            self._aliases.pass_over(data.decode("utf-8", "replace"))
        for data in _named(
            piece, _answer(piece, strip) if self._late is None else self._bodies(self._late, piece, strip)
        ):
            self._aliases.see(data.decode("utf-8", "replace"))

    def _clean(self, late: Secrets, piece: Piece, strip: Strip) -> Interaction:
        one = interaction_of(piece.shelved, strip)
        return swept(one if piece is self._new else replace(one, index=-1), late)

    def _asked(self, piece: Piece, strip: Strip) -> Iterator[bytes]:
        asked = head_of(piece.shelved, strip, piece.shelved.aliases(strip))
        one = asked if self._late is None else self._clean(self._late, piece, strip)
        yield one.target.encode()
        yield one.request_body

    def _bodies(self, late: Secrets, piece: Piece, strip: Strip) -> Iterator[bytes]:
        yield self._clean(late, piece, strip).body

    def _swept(self, late: Secrets, index: int, piece: Piece, strip: Strip) -> Iterator[bytes]:
        one = self._clean(late, piece, strip)
        one, made = replace(one, index=index, t0_ms=one.t0_ms + piece.shift_ms), Strip(index, (0, 0))
        for line in interaction_lines(one, self._aliases, self._keep):
            yield self._placed(made, PEEK.decode(line).k, line)
        self.entries.append(entry_of(one, made))
        self.incomplete += one.how is Ended.RECORDER

    def _interaction(self, index: int, piece: Piece, strip: Strip) -> Iterator[bytes]:
        old, made = piece.shelved.aliases(strip), Strip(index, (0, 0))
        asked = head_of(piece.shelved, strip, old)
        asked = replace(asked, index=index, t0_ms=asked.t0_ms + piece.shift_ms)
        one = answered(piece.shelved, strip, old, asked)
        one = replace(one, body=b"") if strip.events else one
        yield self._placed(made, "req", request_line(one, self._aliases, self._keep))
        if one.status is not None:
            yield self._placed(made, "res", response_line(one, self._aliases, self._keep))
        body = _Body(one)
        if strip.events and one.status is not None:
            for raw in frames_in(piece.shelved, strip, old):
                body.add(raw)
                yield self._placed(made, "ev", frame_line(index, raw, self._aliases))
        yield self._placed(made, "end", end_line(one, body.size, body.sha))
        self.entries.append(entry_of(one, made))
        self.incomplete += one.how is Ended.RECORDER

    def _placed(self, strip: Strip, kind: str, line: bytes) -> bytes:
        strip.add(kind, self._at, self._at + len(line))
        self._at += len(line)
        return line


class _Body:
    """Size and hash of a body that comes in frames."""

    def __init__(self, one: Interaction) -> None:
        self._hash = hashlib.sha256(one.body)
        self.size = len(one.body)

    @property
    def sha(self) -> str:
        return self._hash.hexdigest()[:SHA_DIGITS]

    def add(self, raw: bytes) -> None:
        self._hash.update(raw)
        self.size += len(raw)


def _answer(piece: Piece, strip: Strip) -> Iterator[bytes]:
    """Texts that name the ids which the answer names, in the same order: its body, or its frames."""
    aliases = piece.shelved.aliases(strip)
    blank = Interaction(index=strip.index, method="GET", target="/")
    one = answered(piece.shelved, strip, aliases, blank)
    if strip.events and one.status is not None:
        for place, line in strip.frames(piece.shelved.source):
            yield line if _says_it_all(line) else frame_in(piece.shelved, place, line, aliases)
    else:
        yield one.body


def _says_it_all(line: bytes) -> bool:
    """Whether an `ev` line without being read names the ids that its frame names: nothing in it stands for another."""
    return b"\\" not in line and b"{{" not in line and b'"b64"' not in line


def _named(piece: Piece, found: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from found
    except Damaged as error:
        raise CassetteError(f"{piece.name}, {error}.") from error


def _joined(pieces: Sequence[Piece]) -> tuple[Header, list[Piece]]:
    """One recording that went on later. A recording that is in the piece before is not joined again."""
    first, *later = pieces
    header, kept = first.header, [first]
    for then in later:
        if not (then.header.id and then.header.id == header.id):
            then.shift_ms = later_ms(first.header, then.header)
            header = replace(header, by=then.header.by, id=then.header.id)
            kept.append(then)
    return header, kept
