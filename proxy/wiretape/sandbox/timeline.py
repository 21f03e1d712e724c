"""The life of a run as beats on a line of time: what happens when, written down before it happens.

A Beat is one event of the stream and, at once, one change of state: its data is the object as it is from then
on. A Scene is what is open at a moment (run, step, message, text so far) and a pure fold over beats, so the
same lines serve three readers: a stream waits for each next beat, a poll applies all that are due, and an
interruption (cancel, expiry) is written from the scene it finds. The order of events is the grammar of
reference chapter 7; times in the objects are the beats' own, never the reader's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from wiretape.sandbox import calls, content
from wiretape.sandbox.calls import StepDelta, ToolCall, ToolCalls
from wiretape.sandbox.content import MessageDelta, Part
from wiretape.sandbox.objects import Message, Thread
from wiretape.sandbox.refusals import Refusal
from wiretape.sandbox.work import Run, Step, Usage


class Nothing(Struct, frozen=True):
    """What a torn stream carries."""


class ErrorObject(Struct, frozen=True):
    """An error in mid-stream, as the schema has it (reference 6.9)."""

    code: str | None
    message: str
    param: str | None = None
    type: str = "server_error"


Data = Thread | Run | Step | StepDelta | Message | MessageDelta | ErrorObject | Refusal | Nothing

PAUSE = "thread.run.requires_action"
ERROR = "error"
"""The event of an error in mid-stream."""
CUT = "cut"
"""No event: the stream is torn here."""
ENDS = frozenset(
    {
        PAUSE,
        ERROR,
        "thread.run.completed",
        "thread.run.incomplete",
        "thread.run.failed",
        "thread.run.cancelled",
        "thread.run.expired",
    }
)
"""The events after which a stream says `done`; an error may stand in any of their places."""


class Beat(Struct, frozen=True):
    """One event, due at `at_s` (seconds since the Unix epoch)."""

    at_s: float
    event: str
    data: Data


class Scene(Struct, frozen=True):
    """What is open at a moment of a run."""

    run: Run
    step: Step | None = None
    message: Message | None = None
    parts: tuple[Part, ...] = ()
    """The open message's content so far."""
    used: Usage = Usage()
    """The sum of the closed steps' usage."""

    def after(self, data: Data) -> Scene:  # noqa: PLR0911  one line for each kind of data
        """The scene when a beat with this data has happened."""
        match data:
            case Run():
                return replace(self, run=data)
            case Step(status="in_progress"):
                return replace(self, step=data)
            case Step():
                return replace(self, step=None, used=self.used + (data.usage or Usage()))
            case StepDelta():
                return self._with_calls(calls.joined(self.calls, data.delta.step_details.tool_calls))
            case Message(status="in_progress"):
                return replace(self, message=data, parts=())
            case Message():
                return replace(self, message=None, parts=())
            case MessageDelta():
                return replace(self, parts=content.joined(self.parts, data.delta.content))
            case _:  # a thread or an error changes nothing in its run
                return self

    def answered(self, outputs: Mapping[str, str]) -> Scene:
        """The scene with each waiting call's output in its place."""
        return self._with_calls(calls.answered(self.calls, outputs))

    def found(self, found: Sequence[ToolCall]) -> Scene:
        """The scene with calls that have their results, which no delta brings (reference 6.7)."""
        return self._with_calls(found)

    def _with_calls(self, known: Iterable[ToolCall]) -> Scene:
        return replace(self, step=self.step and replace(self.step, step_details=ToolCalls(tuple(known))))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The open step's tool calls so far."""
        details = self.step and self.step.step_details
        return details.tool_calls if isinstance(details, ToolCalls) else ()


class Draft:
    """Beats being written: time moves with `wait`, each `add` is a beat at that time."""

    def __init__(self, scene: Scene, at_s: float) -> None:
        self.scene = scene
        self.at_s = at_s
        self.beats: list[Beat] = []

    def wait(self, seconds: float) -> None:
        """Move on in time."""
        self.at_s += seconds

    def add(self, event: str, data: Data) -> None:
        """Let an event happen now."""
        self.beats.append(Beat(self.at_s, event, data))
        self.scene = self.scene.after(data)

    def add_pair(self, event: str, data: Step | Message) -> None:
        """Announce an object: `created` and `in_progress` carry the same data."""
        self.add(f"{event}.created", data)
        self.add(f"{event}.in_progress", data)

    @property
    def now(self) -> int:
        """The time in whole seconds, as objects carry it."""
        return int(self.at_s)

    def at(self, status: str, actual: str) -> int | None:
        """The time for the field `<status>_at` of an object whose status is `actual`: now, or null."""
        return self.now if status == actual else None
