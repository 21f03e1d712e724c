"""What can be set about recording."""

from __future__ import annotations

from wiretape.cassette.recorder import RecordLimits


class RecordOptions(RecordLimits, frozen=True, kw_only=True):
    """The limits of a recording."""

    journal_lag_s: float = 0.05
    """Seconds after which what was seen is in the journal at the latest."""
    journal_queue_max: int = 20_000
    """Pieces that wait for the writer, over all exchanges; an exchange that passes it is closed as cut."""
    journal_queue_bytes_max: int = 64 << 20
    """Bytes of these pieces; the same."""
    held_bytes_max: int = 256 << 20
    """Bytes of bodies that the writer holds until their exchanges end; the same."""
