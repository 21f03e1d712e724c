"""One run, alive: its legs are played as far as the clock has come, whoever looks.

There is no task behind a run. Whoever reads it calls `advance` first: a poll plays all beats that are due, an
open stream plays each as it comes due. So a dropped connection changes nothing, and many runs cost nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from msgspec.structs import replace

from wiretape.sandbox.bodies import ToolOutput
from wiretape.sandbox.calls import ToolCalls, shown
from wiretape.sandbox.clock import Clock
from wiretape.sandbox.ends import EXPIRED, cancel, close
from wiretape.sandbox.legs import Legs, Written
from wiretape.sandbox.objects import Message, Metadata
from wiretape.sandbox.refusals import Refused, unknown
from wiretape.sandbox.timeline import Beat, Draft, Scene
from wiretape.sandbox.work import Run, Step


class Leg:
    """One stretch of a run, as one stream shows it: what was played, and what is to come."""

    def __init__(self, beats: Sequence[Beat], *, with_passages: bool = False) -> None:
        self.played: list[Beat] = []
        self.planned = deque(beats)
        self.with_passages = with_passages
        """Whether its stream shows the text that file searches have found (`include[]`)."""
        self.final = False
        """Whether what is planned ends the run by cancel or expiry, and so is not overtaken by expiry."""


class Life:
    """A run, its steps and the leg it is on; messages go to the thread's own table."""

    def __init__(self, run: Run, written: Written, messages: dict[str, Message], *, with_passages: bool) -> None:
        self.scene = Scene(run)
        self.steps: dict[str, Step] = {}
        self.leg = Leg(written.beats, with_passages=with_passages)
        self.plot = written.plot
        self._messages = messages
        self._sleepers: set[asyncio.Task[None]] = set()

    @property
    def run(self) -> Run:
        """The run as of the last beat played."""
        return self.scene.run

    @property
    def due_s(self) -> float | None:
        """When the next thing happens, in seconds since the epoch; None when the run has ended."""
        if self.run.ended:
            return None
        planned = self.leg.planned
        if self.leg.final:
            return planned[0].at_s
        return min(planned[0].at_s, self._expiry_s) if planned else self._expiry_s

    @property
    def _expiry_s(self) -> float:
        return float(self.run.expires_at or 0)

    def advance(self, now_s: float) -> None:
        """Play all that is due; a run whose time is over expires (reference 6.6)."""
        while (due_s := self.due_s) is not None and due_s <= now_s:
            planned = self.leg.planned
            if not self.leg.final and (not planned or planned[0].at_s >= self._expiry_s):
                self._expire()
            self._play(self.leg.planned.popleft())
        if self.run.ended:
            self.leg = Leg(())  # a stream holds the old one itself; nobody else needs the beats

    def _expire(self) -> None:
        draft = Draft(self.scene, self._expiry_s)
        close(draft, EXPIRED)
        self._replan(draft.beats)

    def _replan(self, beats: Sequence[Beat]) -> None:
        self.leg.planned = deque(beats)
        self.leg.final = True

    def _play(self, beat: Beat) -> None:
        data = beat.data
        match data:
            case Run():
                data = replace(data, metadata=self.run.metadata)  # may have been modified since it was planned
            case Step():
                self.steps[data.id] = data
            case Message():
                data = self._keep(data, is_new=beat.event == "thread.message.created")
            case _:
                pass
        self.scene = self.scene.after(data)
        if self.scene.step is not None:
            self.steps[self.scene.step.id] = self.scene.step
        self.leg.played.append(Beat(beat.at_s, beat.event, data))

    def _keep(self, message: Message, *, is_new: bool) -> Message:
        """Store a message with the metadata it has by now; one deleted meanwhile stays deleted."""
        known = self._messages.get(message.id)
        if known is not None:
            message = replace(message, metadata=known.metadata)
        if known is not None or is_new:
            self._messages[message.id] = message
        return message

    def check_modifiable(self) -> None:
        """Raise Refused while the run is at work: it may be modified when it has ended, or waits for tool outputs."""
        if self.run.status in {"queued", "in_progress", "cancelling"}:
            raise Refused(400, f"Cannot update run with status '{self.run.status}'.")

    def modify(self, metadata: Metadata) -> None:
        """Change the run's metadata; beats to come carry it."""
        self.scene = replace(self.scene, run=replace(self.run, metadata=metadata))

    def cancel(self, now_s: float, pause_s: float) -> None:
        """Cancel: `cancelling` now, and the rest `pause_s` seconds later. Raises Refused in a status that cannot."""
        if self.run.ended or self.run.status == "cancelling":
            raise Refused(400, f"Cannot cancel run with status '{self.run.status}'.")
        draft = Draft(self.scene, now_s)
        cancel(draft, pause_s)
        self._replan(draft.beats)
        self.play_through("thread.run.cancelling")
        self.wake()

    def submit(self, outputs: Sequence[ToolOutput], now_s: float, legs: Legs) -> None:
        """Take all tool outputs and begin the next leg. Raises Refused where they are not what was asked for."""
        if self.run.status != "requires_action":
            raise Refused(400, f'Runs in status "{self.run.status}" do not accept tool outputs.')
        action = self.run.required_action
        expected = [call.id for call in action.submit_tool_outputs.tool_calls] if action else []
        given = {output.tool_call_id: output.output for output in outputs}
        if sorted(output.tool_call_id for output in outputs) != sorted(expected):
            raise Refused(400, f"Expected tool outputs for call_ids {expected}, got {list(given)}")
        written = legs.next(self.scene, self.plot, now_s, given)
        self.leg, self.plot = Leg(written.beats), written.plot
        self.play_through("thread.run.queued")

    def play_through(self, event: str) -> None:
        """Play up to the first beat of this name: what a request does at once, before it is answered."""
        played = ""
        while played != event:
            beat = self.leg.planned.popleft()
            self._play(beat)
            played = beat.event

    def step(self, step_id: str, *, with_passages: bool) -> Step:
        """The step with this id; raises Refused where there is none."""
        if step_id not in self.steps:
            raise unknown("run step", step_id)
        return _as_read(self.steps[step_id], with_passages=with_passages)

    def listed_steps(self, *, with_passages: bool) -> list[Step]:
        """All steps, oldest first."""
        return [_as_read(step, with_passages=with_passages) for step in self.steps.values()]

    async def until_due(self, clock: Clock, now_s: float) -> None:
        """Wait until the next beat is due, or until a cancel changes what comes next."""
        if self.due_s is None or self.due_s <= now_s:
            return
        async with asyncio.TaskGroup() as group:
            sleeper = group.create_task(clock.sleep(self.due_s - now_s))
            self._sleepers.add(sleeper)
            sleeper.add_done_callback(self._sleepers.discard)

    def wake(self) -> None:
        """Let every stream that waits look again."""
        for sleeper in self._sleepers:
            sleeper.cancel()


def _as_read(step: Step, *, with_passages: bool) -> Step:
    """A step as later reads show it: `expires_at` is null (reference 6.7)."""
    seen = visible(step, with_passages=with_passages)
    return seen if step.status == "in_progress" else replace(seen, expires_at=None)


def visible(step: Step, *, with_passages: bool) -> Step:
    """A step with the text that its searches have found, or without."""
    if not isinstance(step.step_details, ToolCalls):
        return step
    return replace(step, step_details=shown(step.step_details, with_passages=with_passages))
