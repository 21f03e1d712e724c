"""A cassette's file, line by line and forgivingly: what is damaged is named, and the rest is still read.

The reader stops at the first line it cannot take. Here such a line, and what belongs to it, is blanked and the
reader tries again, so that one damaged line does not hide what is wrong with the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from wiretape.cassette.format import Tape
from wiretape.cassette.lint.finding import Finding
from wiretape.cassette.reader import good_bytes, read
from wiretape.errors import CassetteError

DAMAGED_MAX = 20
"""Damaged lines that are named; a file with more is beyond reading line by line."""

_MARK = re.compile(rb"(?:<{7}|>{7}|\|{7})(?: |\r?$)|={7}\r?$")
_NUMBERED = re.compile(r"line (\d+): (.*)", re.DOTALL)


class Line(Struct, frozen=True):
    """What lint reads of any line: its kind, whose it is, and what an end line says of the body."""

    k: str
    i: int | None = None
    n: int | None = None
    sha: str | None = None


_DECODER = msgspec.json.Decoder(Line)


class Place(Struct):
    """Where an interaction stands, by line numbers; 0 where a line is missing."""

    request: int = 0
    response: int = 0
    events: list[int] = []
    end: int = 0
    n: int | None = None
    sha: str | None = None

    @property
    def body(self) -> int:
        """The line where the answer's body begins."""
        return self.events[0] if self.events else self.response or self.request


class Lines:
    """The lines of one file, and where each interaction stands in it; `findings` grow as it is read."""

    def __init__(self, data: bytes, *, journal: bool = False) -> None:
        good = good_bytes(data)
        self._journal = journal
        self.findings: list[Finding] = []
        self.places: dict[int, Place] = {}
        if good < len(data) and not journal:
            self._find(data.count(b"\n") + 1, "truncated", "the file breaks off inside this line")
        self.all = data[:good].split(b"\n")
        self._decoded = [self._decode(number, line) for number, line in self.numbered()]
        for number, line in enumerate(self._decoded, 1):
            self._place(number, line)

    @property
    def is_merging(self) -> bool:
        """Whether a merge was left half done: both sides stand in the file, so nothing else can be told of it."""
        return any(found.rule == "merge-conflict" for found in self.findings)

    def numbered(self) -> Iterator[tuple[int, bytes]]:
        """Each line with its number."""
        return enumerate(self.all, 1)

    def place(self, index: int) -> Place:
        """Where an interaction stands."""
        return self.places.get(index, Place())

    def tape(self, name: str) -> Tape | None:
        """What can be read of it; None where that is nothing."""
        kept = [line if decoded else b"" for line, decoded in zip(self.all, self._decoded, strict=True)]
        for _ in range(DAMAGED_MAX):
            try:
                return read(b"\n".join(kept), name, journal=self._journal)
            except CassetteError as error:
                if not self._blanked(kept, str(error)):
                    return None
        return None

    def _decode(self, number: int, line: bytes) -> Line | None:
        if _MARK.match(line):
            self._find(number, "merge-conflict", "a merge was left unfinished here; choose one side, or record again")
        elif line.strip():
            try:
                return _DECODER.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self._find(number, "damaged", f"this is no line of a cassette: {error}")
        return None

    def _place(self, number: int, line: Line | None) -> None:
        if line is None or line.i is None:
            return
        place = self.places.setdefault(line.i, Place())
        match line.k:
            case "req":
                place.request = place.request or number
            case "res":
                place.response = number
            case "ev":
                place.events.append(number)
            case "end":
                place.end, place.n, place.sha = number, line.n, line.sha
            case _:
                pass

    def _blanked(self, kept: list[bytes], message: str) -> bool:
        """Take out the line that a message names, and all of its interaction; False where it names none."""
        match = _NUMBERED.search(message)
        number = int(match[1]) if match else 0
        self._find(number or 1, "damaged", (match[2] if match else message).rstrip("."))
        line = self._decoded[number - 1] if 0 < number <= len(kept) else None
        if line is None or line.i is None:
            return False
        for at, other in enumerate(self._decoded):
            if other is not None and other.i == line.i:
                kept[at] = b""
        return True

    def _find(self, line: int, rule: str, told: str) -> None:
        self.findings.append(Finding(line=line, rule=rule, told=told))
