"""How long a run was queued, worked and waited for its client.

All times are arrivals by our clock. For a run that is polled they are known to the poll interval only.
Waiting in the queue again after a hand-in belongs to no phase. A sum that lacks a part is not told: where a
hand-in came though the pause before it was not seen, neither the model's time nor the waiting is known.
"""

from __future__ import annotations

from typing import TypedDict

from wiretape.runs.state import State


class Lengths(TypedDict):
    """The part of the phases in a RunReport."""

    queue_ns: int | None
    model_ns: int | None
    tool_wait_ns: int | None


class Phases:
    """Lengths in ns; None until one was seen from its begin to its end."""

    def __init__(self) -> None:
        self.queue_ns: int | None = None
        """From the run's first answer to its first `in_progress`."""
        self.model_ns: int | None = None
        """From each `in_progress` to what ended that leg, summed."""
        self.tool_wait_ns: int | None = None
        """From each `requires_action` to the request that handed in the outputs, summed."""
        self._queued_at: int | None = None
        self._working_since: int | None = None
        self._waiting_since: int | None = None
        self._is_lost = False

    def lengths(self) -> Lengths:
        """All three, as a report has them."""
        return Lengths(queue_ns=self.queue_ns, model_ns=self.model_ns, tool_wait_ns=self.tool_wait_ns)

    def enter(self, state: State, at_ns: int) -> None:
        """A new state was seen."""
        match state.status:
            case "queued":
                self._queued_at = at_ns if state.leg == 0 else None
            case "in_progress":
                self._start_working(at_ns)
            case "cancelling":
                pass
            case _:
                self._stop_working(at_ns)
                self._waiting_since = None if state.is_terminal else at_ns

    def resume(self, asked_ns: int) -> None:
        """A new leg has begun, by a request of that time."""
        if self._is_lost or self._waiting_since is None:
            self._is_lost, self.model_ns, self.tool_wait_ns = True, None, None
        else:
            self.tool_wait_ns = (self.tool_wait_ns or 0) + max(asked_ns - self._waiting_since, 0)
        self._waiting_since = self._working_since = None

    def _start_working(self, at_ns: int) -> None:
        self._working_since = at_ns
        if self._queued_at is not None:
            self.queue_ns, self._queued_at = at_ns - self._queued_at, None

    def _stop_working(self, at_ns: int) -> None:
        if self._working_since is not None and not self._is_lost:
            self.model_ns = (self.model_ns or 0) + at_ns - self._working_since
        self._working_since = None
