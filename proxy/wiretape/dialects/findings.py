"""What is found wrong about a stream, told to a person; and the check of its order that a dialect offers."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class Severity(StrEnum):
    """How firm the rule is that was broken."""

    ERROR = "error"
    """It held in all traffic that was captured."""
    WARNING = "warning"
    """It is inferred; a stream that breaks it may be right."""


class Finding(Struct, frozen=True):
    """One rule broken at one event."""

    number: int
    """Which event, counted from 1; what is missing at the end counts as found at the last one, 0 in an empty stream."""
    rule: str
    severity: Severity
    told: str
    """One sentence: what was seen, and what was expected."""


class Complaint(Struct, frozen=True):
    """A finding before it is known which event it was; `seen` and `expected` are halves of its sentence."""

    rule: str
    seen: str
    expected: str
    firm: bool = True

    def at(self, number: int) -> Finding:
        """The finding at the event of this number."""
        severity = Severity.ERROR if self.firm else Severity.WARNING
        return Finding(number, self.rule, severity, f"Seen: {self.seen}; expected: {self.expected}.")


class Order(Protocol):
    """Checks one stream: `feed` each event as it comes, then `finish` once. Never raises for what it reads."""

    def feed(self, name: str, data: bytes) -> None:
        """The next event; the name is empty where the frame has none."""

    def finish(self) -> list[Finding]:
        """All findings, in the order of the events."""
