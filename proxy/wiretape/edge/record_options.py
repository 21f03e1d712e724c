"""What can be set about recording."""

from __future__ import annotations

from typing import Literal

from wiretape.cassette.recorder import RecordLimits


class RecordOptions(RecordLimits, frozen=True, kw_only=True):
    """The limits of a recording, and what of the traffic it takes."""

    journal_lag_s: float = 0.05
    """Seconds after which what was seen is in the journal at the latest."""
    journal_queue_max: int = 20_000
    """Pieces that wait for the writer, over all exchanges; an exchange that passes it is closed as cut."""
    journal_queue_bytes_max: int = 64 << 20
    """Bytes of these pieces; the same."""
    held_bytes_max: int = 256 << 20
    """Bytes of bodies that the writer holds until their exchanges end; the same."""
    sessions_max: int = 200
    """Sessions that record at a time, each to a cassette of its own; exchanges of one more are not recorded."""
    max_bytes: int = 0
    """Bytes of all parts together. Above 0 the recording is cut into numbered parts, and the oldest are removed."""
    max_age_s: float = 0.0
    """Seconds after which a part is removed; above 0 the recording is cut into parts as well."""
    sample: float = 1.0
    """Share of conversations that is recorded, from 0 to 1: all exchanges of a thread, or none."""
    content: Literal["words", "hash"] = "words"
    """`hash` keeps shapes, sizes, times and ids, and puts a hash in the place of every word: for audits, not replay."""
    retry_s: float = 1.0
    """Seconds between attempts to go on after the disk refused."""
