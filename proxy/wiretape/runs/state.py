"""The states of a run, as a table of ranks: what was seen moves a run forward or not at all.

A run works in legs: each hand-in of tool outputs starts the next one, where it is `queued` again. Within a
leg a status only counts when its rank is higher than that of the last one, and across legs a later leg
counts more. So seeing anything twice, or late, changes nothing, and a terminal status is never left.
`requires_action` is not terminal.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

UNKNOWN: Final = "unknown"
"""The status of a run of which only steps or content were seen."""
TERMINAL: Final = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})
RANKS: Final = {UNKNOWN: 0, "queued": 1, "in_progress": 2, "requires_action": 3, "cancelling": 4} | dict.fromkeys(
    TERMINAL, 5
)


class State(Struct, frozen=True):
    """Where a run stands; legs count from 0."""

    leg: int = 0
    status: str = UNKNOWN

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self.status in TERMINAL


def advance(state: State, leg: int, status: str) -> State:
    """The state after a status was seen in a leg; the same where it is old news, or no status we know.

    A terminal status counts whatever the leg: it may come by a poll that was asked before the last hand-in.
    """
    if state.is_terminal or status not in RANKS:
        return state
    if status in TERMINAL:
        return State(max(leg, state.leg), status)
    seen = State(leg, status)
    return seen if (leg, RANKS[status]) > (state.leg, RANKS[state.status]) else state
