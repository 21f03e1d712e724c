"""What messages are made of: content parts, annotations, and the deltas they come in (reference 6.3 and 6.4).

Fields are in the order of the wire. A delta joins by index: texts are concatenated, annotations appended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

Json = Any
"""JSON the sandbox hands back as it came: at this border of the wire nothing is known of it."""


class Citation(Struct, frozen=True):
    """The file that a passage comes from; only deltas have a `quote`, always empty."""

    file_id: str
    quote: str | UnsetType = UNSET


class FilePath(Struct, frozen=True):
    """The file that a link leads to."""

    file_id: str


class Annotation(Struct, frozen=True, kw_only=True):
    """A marker in a text: `text` stands from `start_index` to before `end_index`, counted in characters."""

    index: int | UnsetType = UNSET
    """Its place among the text's annotations; in deltas only."""
    type: str
    text: str
    start_index: int
    end_index: int
    file_citation: Citation | UnsetType = UNSET
    file_path: FilePath | UnsetType = UNSET

    @property
    def finished(self) -> Annotation:
        """The same as a finished message has it: without its place and without a quote (captured)."""
        citation = self.file_citation
        shorter = citation if isinstance(citation, UnsetType) else replace(citation, quote=UNSET)
        return replace(self, index=UNSET, file_citation=shorter)


class Text(Struct, frozen=True):
    """Text of a part."""

    value: str
    annotations: tuple[Annotation, ...] = ()


class TextPiece(Struct, frozen=True):
    """A piece of a text; annotations come with the first, where they are none, and where there is one (captured)."""

    value: str
    annotations: tuple[Annotation, ...] | UnsetType = UNSET


class ImageFile(Struct, frozen=True):
    """A picture that is a file."""

    file_id: str


class TextPart(Struct, frozen=True, tag_field="type", tag="text"):
    """Text in a message."""

    text: Text


class ImageFilePart(Struct, frozen=True, tag_field="type", tag="image_file"):
    """A stored picture in a message."""

    image_file: Json


class ImageUrlPart(Struct, frozen=True, tag_field="type", tag="image_url"):
    """A picture elsewhere, in a message."""

    image_url: Json


class RefusalPart(Struct, frozen=True, tag_field="type", tag="refusal"):
    """Words of a model that will not answer."""

    refusal: str


Part = TextPart | ImageFilePart | ImageUrlPart | RefusalPart


class PartPiece(Struct, frozen=True, kw_only=True):
    """A piece of the part at `index`: a text, a picture or a refusal, as `type` says."""

    index: int
    type: str
    text: TextPiece | UnsetType = UNSET
    image_file: ImageFile | UnsetType = UNSET
    refusal: str | UnsetType = UNSET


class PartPieces(Struct, frozen=True):
    """The pieces of one delta."""

    content: tuple[PartPiece, ...]


class MessageDelta(Struct, frozen=True, kw_only=True):
    """A piece of a message."""

    id: str
    object: str = "thread.message.delta"
    delta: PartPieces


def joined(parts: Sequence[Part], pieces: Sequence[PartPiece]) -> tuple[Part, ...]:
    """The parts with pieces joined to them by index."""
    grown = list(parts)
    for piece in pieces:
        whole = grown[piece.index] if piece.index < len(grown) else None
        grown[piece.index :] = [_with(whole, piece), *grown[piece.index + 1 :]]
    return tuple(grown)


def _with(whole: Part | None, piece: PartPiece) -> Part:
    if piece.text:
        return _more_text(whole.text if isinstance(whole, TextPart) else Text(""), piece.text)
    if piece.image_file:
        return ImageFilePart({"file_id": piece.image_file.file_id})
    before = whole.refusal if isinstance(whole, RefusalPart) else ""
    return RefusalPart(f"{before}{piece.refusal}")


def _more_text(before: Text, more: TextPiece) -> TextPart:
    marks = before.annotations
    if more.annotations:
        marks = (*marks, *(one.finished for one in more.annotations))
    return TextPart(Text(before.value + more.value, marks))


def plain(parts: Sequence[Part]) -> str:
    """All the text of a content, parts joined by spaces."""
    return " ".join(part.text.value for part in parts if isinstance(part, TextPart))
