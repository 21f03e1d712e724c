"""Holds live answers against a cassette: what is asked in live ids is looked up in the recorded ones."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from wiretape.cassette.format import Interaction
from wiretape.cassette.ids import find
from wiretape.cassette.miss import Miss
from wiretape.cassette.shape import Answered, drift, pairs
from wiretape.exchange import Request

DRIFT_MAX = 100
"""Differences that are kept; more are counted."""
_IDS_MAX = 10_000
"""Live ids that are known at a time; of more, the newest are not looked up."""


class Verifier:
    """One session's comparison. It learns which live id stands for which recorded one from the answers themselves."""

    def __init__(self) -> None:
        self.drifted = 0
        """Differences so far."""
        self.drift: tuple[str, ...] = ()
        """The first `DRIFT_MAX` of them, one line each."""
        self.uncompared = 0
        """Live answers that were not held against anything: cut short, too large, or in a coding not known."""
        self._recorded: dict[str, str] = {}

    def translated(self, request: Request, body: bytes) -> tuple[Request, bytes]:
        """The request as it was made when it was recorded."""
        target = self._translated(request.target)
        text = body.decode("utf-8", "surrogateescape")
        return replace(request, target=target), self._translated(text).encode("utf-8", "surrogateescape")

    def missed(self, miss: Miss) -> None:
        """Take note of a request that was never recorded."""
        self._note([miss.message])

    def compare(self, recorded: Interaction, live: Answered) -> None:
        """Hold an answer against the recorded one."""
        before = Answered(recorded.status or 0, recorded.headers, recorded.body)
        where = f"#{recorded.index} {recorded.method} {recorded.target}"
        self._note(f"{where}: {one.where}: recorded {one.recorded}, live {one.live}" for one in drift(before, live))
        for one, other in pairs(before, live):
            if find(other) == [other] and find(one) == [one] and len(self._recorded) < _IDS_MAX:
                self._recorded.setdefault(other, one)

    def _note(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.drifted += 1
            if self.drifted <= DRIFT_MAX:
                self.drift = (*self.drift, line)

    def _translated(self, text: str) -> str:
        """The longest first: one id may begin like another."""
        for live in sorted(set(find(text)), key=len, reverse=True):
            text = text.replace(live, self._recorded.get(live, live))
        return text
