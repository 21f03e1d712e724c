"""When each piece of a replayed answer leaves, from the start of its response: as recorded, scaled, or at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from wiretape.cassette.format import Interaction


def schedule(interaction: Interaction, speed: float) -> list[tuple[float, bytes]]:
    """(seconds from the response's start, bytes) for each piece; `speed` 1 is as recorded, 2 twice as fast, 0 at once.

    The pieces are the recorded reads. Where those no longer fit the body, after an edit, they are its frames, at
    the recorded first gap and then evenly over the recorded length.
    """
    pieces = list(_pieces(interaction))
    offsets = accumulate(gap for gap, _ in pieces)
    scale = 1 / (1000 * speed) if speed > 0 else 0.0
    return [(offset * scale, data) for offset, (_, data) in zip(offsets, pieces, strict=True)]


def fits(interaction: Interaction) -> bool:
    """Whether the recorded reads are this body's."""
    return sum(size for _, size in interaction.chunks) == len(interaction.body)


def _pieces(interaction: Interaction) -> Iterator[tuple[float, bytes]]:
    """(ms since the last, bytes), none of them empty: the gap of an empty read goes to the next."""
    steps = interaction.chunks if fits(interaction) else _by_frame(interaction)
    start, waited = 0, 0.0
    for gap, size in steps:
        waited += gap
        if size:
            yield waited, interaction.body[start : start + size]
            start, waited = start + size, 0.0


def _by_frame(interaction: Interaction) -> Iterator[tuple[float, int]]:
    sizes = interaction.frames or (len(interaction.body),)
    first = interaction.chunks[0][0] if interaction.chunks else 0
    rest = sum(gap for gap, _ in interaction.chunks[1:])
    yield first, sizes[0]
    yield from ((rest / (len(sizes) - 1), size) for size in sizes[1:])
