"""When each piece of a replayed answer leaves, from the start of its response: as recorded, scaled, or at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import accumulate, repeat

from msgspec import Struct

from wiretape.cassette.chance import draws
from wiretape.cassette.format import Interaction

PIECE_BYTES = 64 << 10
"""Bytes that are written at once where nothing waits."""
_MS_PER_S = 1000

Piece = tuple[float, bytes]
"""(seconds from the response's start, bytes); no piece is empty, and none leaves before the one in front of it."""


class PaceOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a recorded pace is bent; at speed 0 nothing waits, whatever is set here."""

    gap_max_s: float | None = None
    """No gap is longer, after scaling; by default all are as long as they were."""
    jitter: float = 0.0
    """Each gap is longer by up to this share of itself: 0.2 is up to a fifth. Never shorter."""
    seed: int = 0
    """What jitter follows from: the same seed and recording, the same gaps."""
    unknown_first_s: float = 0.3
    """The first gap where a recording knows no times, as most imports; at speed 1."""
    unknown_gap_s: float = 0.02
    """Each further gap there, one before each frame of a stream; at speed 1."""


def schedule(interaction: Interaction, speed: float, options: PaceOptions | None = None) -> list[Piece]:
    """The pieces of an answer with their times; `speed` 1 is as recorded, 2 twice as fast, 0 at once.

    The pieces are the recorded reads. Where those no longer fit the body, after an edit, they are its frames, at
    the recorded first gap and then evenly over the recorded length; where no times are known, at the stated ones. At
    speed 0 they are as large as one write may be.
    """
    if speed <= 0:
        body = interaction.body
        return [(0.0, body[start : start + PIECE_BYTES]) for start in range(0, len(body), PIECE_BYTES)]
    options = options or PaceOptions()
    pieces = list(_pieces(interaction, options))
    offsets_ms = accumulate(_bent((gap for gap, _ in pieces), speed, options, interaction.index))
    scale = 1 / (_MS_PER_S * speed)
    return [(offset_ms * scale, data) for offset_ms, (_, data) in zip(offsets_ms, pieces, strict=True)]


def fits(interaction: Interaction) -> bool:
    """Whether the recorded reads are this body's."""
    return sum(size for _, size in interaction.chunks) == len(interaction.body)


def _bent(gaps_ms: Iterator[float], speed: float, options: PaceOptions, index: int) -> Iterator[float]:
    """The gaps in recorded milliseconds: longer by chance, then cut at the bound, which is one of real time."""
    bound_ms = math.inf if options.gap_max_s is None else options.gap_max_s * _MS_PER_S * speed
    chances = draws(options.seed, index) if options.jitter else repeat(0.0)
    for gap_ms, chance in zip(gaps_ms, chances, strict=False):
        yield min(gap_ms * (1 + options.jitter * chance), bound_ms)


def _pieces(interaction: Interaction, options: PaceOptions) -> Iterator[tuple[float, bytes]]:
    """(ms since the last, bytes), none of them empty: the gap of an empty read goes to the next."""
    start, waited = 0, 0.0
    for gap, size in _steps(interaction, options):
        waited += gap
        if size:
            yield waited, interaction.body[start : start + size]
            start, waited = start + size, 0.0


def _steps(interaction: Interaction, options: PaceOptions) -> Iterator[tuple[float, int]]:
    sizes = interaction.frames or (len(interaction.body),)
    if not interaction.times_known:
        gaps = [options.unknown_first_s] + [options.unknown_gap_s] * (len(sizes) - 1)
        return zip((gap * _MS_PER_S for gap in gaps), sizes, strict=True)
    return iter(interaction.chunks) if fits(interaction) else _by_frame(interaction, sizes)


def _by_frame(interaction: Interaction, sizes: tuple[int, ...]) -> Iterator[tuple[float, int]]:
    first = interaction.chunks[0][0] if interaction.chunks else 0
    rest = sum(gap for gap, _ in interaction.chunks[1:])
    yield first, sizes[0]
    yield from ((rest / (len(sizes) - 1), size) for size in sizes[1:])
