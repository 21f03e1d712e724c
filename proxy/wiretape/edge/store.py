"""Cassettes on disk, as the rest of the program sees them: recording, loading, sealing, listing, naming."""

from wiretape.edge.record_options import RecordOptions
from wiretape.edge.recording import Recording
from wiretape.edge.tapes import (
    Sealed,
    content,
    journal_path,
    listing,
    load,
    seal_journal,
    stem_of,
    tape_path,
    write_tape,
)

__all__ = [
    "RecordOptions",
    "Recording",
    "Sealed",
    "content",
    "journal_path",
    "listing",
    "load",
    "seal_journal",
    "stem_of",
    "tape_path",
    "write_tape",
]
