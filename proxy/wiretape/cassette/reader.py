"""From a file's bytes to a Tape. Whatever they hold, they make a Tape or a CassetteError that names the line.

Unknown kinds of line and unknown keys are ignored, an unknown version is refused. Nothing that is read is ever
run, and nothing of it reaches a header unless it could have stood in one.
"""

from __future__ import annotations

from collections.abc import Iterator

from wiretape.cassette.draft import Damaged, Shelved, ended_of, interaction_of, was_edited
from wiretape.cassette.format import Interaction, Tape
from wiretape.cassette.forms import Fetch, nothing_beside
from wiretape.cassette.scan import Damage, Held, Scan, Source, Strip, good_end, scan
from wiretape.errors import CassetteError


def read(data: bytes, name: str, *, journal: bool = False, fetch: Fetch = nothing_beside, strict: bool = True) -> Tape:
    """The Tape in a file's bytes; `name` is the file's, for messages.

    A journal may end in a torn line, which is dropped. Interactions without an end are closed as cut by the
    recorder. Raises CassetteError at the first line that cannot be read; without `strict` only where the whole
    cannot be: the line is then named in the notes, and what it belonged to is left out.
    """
    source = Held(data)
    reading = Reading(source, scan(source, name, journal=journal), fetch)
    interactions = tuple(found for _, found in reading)
    if strict:
        reading.refuse_damage(name)
    found = reading.scan
    return Tape(header=found.header, interactions=interactions, notes=reading.notes, ids=found.ids)


def good_bytes(data: bytes) -> int:
    """How many bytes are left when a torn last line is cut off."""
    return good_end(Held(data))


class Reading:
    """One way through a cassette, an interaction at a time; nothing of it is held."""

    def __init__(self, source: Source, found: Scan, fetch: Fetch) -> None:
        self.scan = found
        self.shelved = Shelved(source=source, ids=found.ids, fetch=fetch, room=found.header_bytes)
        self._damage = list(found.damage)
        self._notes: list[str] = []

    def __iter__(self) -> Iterator[tuple[Strip, Interaction]]:
        for strip in self.scan.strips:
            try:
                interaction = interaction_of(self.shelved, strip)
            except Damaged as error:
                self._damage.append(error.damage)
            else:
                self._note(strip, interaction)
                yield strip, interaction

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, as far as it was read."""
        damage = (f"Line {one.line}: {one.reason}; what it belonged to is left out." for one in self._in_order())
        return (*damage, *self._notes)

    def refuse_damage(self, name: str) -> None:
        """Raise CassetteError for the first damaged line."""
        for one in self._in_order():
            raise CassetteError(f"{name}, line {one.line}: {one.reason}.")

    def _in_order(self) -> list[Damage]:
        return sorted(self._damage, key=lambda one: one.line)

    def _note(self, strip: Strip, interaction: Interaction) -> None:
        if strip.end is None:
            self._notes.append(f"Interaction {strip.index} has no end: it is taken as cut by the recorder.")
        elif was_edited(ended_of(self.shelved, strip.end), len(interaction.body), interaction.sha):
            self._notes.append(
                f"Interaction {strip.index} was edited: its body is not the one its `sha` and `n` were made of."
            )
