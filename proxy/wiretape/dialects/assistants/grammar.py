"""Which event may follow which in an Assistants stream: the grammar of the wire reference, chapter 7, as a table.

    stream   = opening , body , end , done
    opening  = [ thread.created ] , run.created , run.queued | step.completed+ , run.queued
    body     = run.in_progress , step*                    (a run may also end right after run.queued)
    step     = step.created , step.in_progress , ( tools | text )
    tools    = step.delta+ , ( step.completed | nothing, for function calls | step.failed and its like )
    text     = message.created , message.in_progress , message.delta* , message's end , step's end
    end      = run.requires_action | run.completed | … | [ run.cancelling ] , run.cancelled
    error    = may stand in place of anything after the opening

Each event leads to a place of its own, so a place is the event last seen. Only the completion of a step has
two: in the opening of a resumed run it is another place than in the body. So the machine also goes on after an
event that was not expected, from where that event leads, and one fault is not told many times.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from wiretape.dialects.events import Kind
from wiretape.dialects.findings import Complaint

RUN, STEP, MESSAGE = "thread.run.", "thread.run.step.", "thread.message."
DONE, ERROR = "done", "error"
THREAD_CREATED, CREATED, QUEUED, RUNNING = "thread.created", RUN + "created", RUN + "queued", RUN + "in_progress"
PAUSED, COMPLETED, CANCELLING = RUN + "requires_action", RUN + "completed", RUN + "cancelling"
STEP_CREATED, STEP_RUNNING, STEP_DELTA = STEP + "created", STEP + "in_progress", STEP + "delta"
STEP_COMPLETED = STEP + "completed"
MESSAGE_CREATED, MESSAGE_RUNNING, MESSAGE_DELTA = MESSAGE + "created", MESSAGE + "in_progress", MESSAGE + "delta"
MESSAGE_COMPLETED, MESSAGE_INCOMPLETE = MESSAGE + "completed", MESSAGE + "incomplete"

START, START_NEW, START_RESUMED = "the start of the stream", "the start of a new run", "the start of a resumed run"
RESUMED = "the completion of the old step"
STREAM_END = "the end of the stream"

_BREAKS = (RUN + "incomplete", RUN + "failed", RUN + "expired", RUN + "cancelled")
_STEP_BREAKS = (STEP + "failed", STEP + "cancelled", STEP + "expired")
ENDS: Final = (PAUSED, COMPLETED, *_BREAKS)
"""Exactly one of them is in a stream."""
PAIRS: Final = {(CREATED, QUEUED), (STEP_CREATED, STEP_RUNNING), (MESSAGE_CREATED, MESSAGE_RUNNING)}
"""Neighbours with the same data, byte for byte (chapter 5)."""
UNCAPTURED: Final = frozenset({*_BREAKS, CANCELLING, *_STEP_BREAKS, MESSAGE_INCOMPLETE, ERROR})
"""Events of which no capture is known (chapter 5): where they stand, and what follows them, is inferred."""

_OPENING = {
    START: (THREAD_CREATED, CREATED, STEP_COMPLETED),
    START_NEW: (THREAD_CREATED, CREATED),
    START_RESUMED: (STEP_COMPLETED,),
    THREAD_CREATED: (CREATED,),
    CREATED: (QUEUED,),
    RESUMED: (STEP_COMPLETED, QUEUED),
}
_BETWEEN_STEPS = (STEP_CREATED, COMPLETED, *_BREAKS, CANCELLING)
_IN_MESSAGE = (MESSAGE_DELTA, MESSAGE_COMPLETED, MESSAGE_INCOMPLETE)
_IN_STEP = {
    STEP_CREATED: (STEP_RUNNING,),
    # a step may be broken off before its first delta: by cancel, say, which comes when it comes
    STEP_RUNNING: (STEP_DELTA, MESSAGE_CREATED, *_STEP_BREAKS),
    STEP_DELTA: (STEP_DELTA, STEP_COMPLETED, *_STEP_BREAKS, PAUSED),
    MESSAGE_CREATED: (MESSAGE_RUNNING,),
    MESSAGE_RUNNING: _IN_MESSAGE,
    MESSAGE_DELTA: _IN_MESSAGE,
    MESSAGE_COMPLETED: (STEP_COMPLETED,),
    MESSAGE_INCOMPLETE: (*_STEP_BREAKS, STEP_COMPLETED),
}
_BODY = {
    QUEUED: (RUNNING, *_BREAKS, CANCELLING),
    RUNNING: _BETWEEN_STEPS,
    **_IN_STEP,
    **dict.fromkeys((STEP_COMPLETED, *_STEP_BREAKS), _BETWEEN_STEPS),
    # the run may get to another end before the cancel gets to it (chapter 6.6)
    CANCELLING: (RUN + "cancelled", COMPLETED, RUN + "failed", RUN + "expired"),
    **dict.fromkeys(ENDS, (DONE,)),
}
_ANYWHERE = tuple(dict.fromkeys(event for after in _BODY.values() for event in after))

FOLLOWS: Final[dict[str, tuple[str, ...]]] = {
    **_OPENING,
    **{place: (*events, ERROR) for place, events in _BODY.items()},
    ERROR: (*_ANYWHERE, ERROR),  # it may have stood in place of anything
    DONE: (STREAM_END,),
}
"""What may come at each place."""


class Fault(Struct, frozen=True):
    """The name of a rule that is broken where one of `events` comes after one of `places`; none means any."""

    rule: str
    places: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    firm: bool = False
    """Whether it is an error also where uncaptured events take part."""

    def fits(self, place: str, event: str) -> bool:
        """Whether this is the rule that the event broke."""
        return (not self.places or place in self.places) and (not self.events or event in self.events)


_OUTSIDE = frozenset(_BODY) - frozenset(_IN_STEP)
_MESSAGES = frozenset({MESSAGE_CREATED, MESSAGE_RUNNING, *_IN_MESSAGE})
_FAULTS = (
    Fault("nothing-after-done", places=frozenset({DONE}), firm=True),
    Fault("done", events=frozenset({STREAM_END})),
    Fault("one-end", events=frozenset({DONE}), firm=True),
    Fault("one-end", places=frozenset(ENDS), firm=True),
    Fault("opening", places=frozenset(_OPENING)),
    Fault("steps-overlap", places=frozenset(_IN_STEP), events=frozenset({STEP_CREATED}), firm=True),
    Fault("step-open", places=frozenset(_IN_STEP), events=frozenset(ENDS)),
    Fault("message-first", places=_MESSAGES, events=frozenset({STEP_COMPLETED}), firm=True),
    Fault("message-in-step", places=_OUTSIDE, events=_MESSAGES),
    Fault("announced", places=_OUTSIDE, events=frozenset({STEP_DELTA}), firm=True),
)
_OTHER = Fault("order")
STARTS: Final = {Kind.START: START_NEW, Kind.RESUME: START_RESUMED}
"""Where a stream starts whose request is known."""


def unexpected(place: str, event: str) -> Complaint | None:
    """What is wrong about this event at this place; None where it may come."""
    if event in FOLLOWS[place]:
        return None
    fault = next((fault for fault in _FAULTS if fault.fits(place, event)), _OTHER)
    firm = fault.firm or not UNCAPTURED & {place, event}
    return Complaint(fault.rule, f"{event} after {place}", " or ".join(FOLLOWS[place]), firm=firm)


def place_after(place: str, event: str) -> str:
    """Where an event leads, whether it was expected or not; `done` is never left."""
    if place == DONE:
        return DONE
    if event == STEP_COMPLETED and place in {START, START_NEW, START_RESUMED, RESUMED}:
        return RESUMED
    return event
