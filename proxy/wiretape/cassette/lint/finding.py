"""What lint finds in a cassette, told to a person: the rule, the line, and one sentence."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from wiretape.dialects.findings import Severity

__all__ = ["RULES", "Finding", "Severity"]

RULES: Final = {
    "merge-conflict": "the marks of a merge that was not finished",
    "damaged": "a line that no reader takes",
    "truncated": "the file breaks off inside a line",
    "unfinished": "an interaction that has no end, or was cut by the recorder; it is never served",
    "edited": "a body that is not the one its `sha` and `n` were made of",
    "timing": "times that do not fit the body; replay falls back to frames",
    "order": "an event that may not follow the one before it",
    "done": "a stream that ended well but without its last event",
    "status": "a run that goes back, or leaves a status that is final",
    "usage": "tokens that do not add up",
    "alias": "an alias that the first line does not declare",
    "unused": "an alias that nothing uses any more",
    "unbound-id": "an id in a request that no answer before it has introduced",
    "duplicate": "an interaction that is there twice",
    "secret": "what one of the gitleaks rules takes for a secret",
}
"""Every rule with what it finds."""


class Finding(Struct, frozen=True, order=True, kw_only=True):
    """One thing that is wrong."""

    line: int
    """In the file, from 1."""
    rule: str
    """One of RULES."""
    severity: Severity = Severity.ERROR
    interaction: int | None = None
    """Its number, where the finding is about one."""
    told: str
    """One sentence; never the text of a secret."""
