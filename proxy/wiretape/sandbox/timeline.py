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

from wiretape.sandbox.objects import Message, MessageDelta, Reason, Text, TextPart, Thread
from wiretape.sandbox.work import CalledFunction, CallPiece, LastError, Run, Step, StepDelta, ToolCall, ToolCalls, Usage

Data = Thread | Run | Step | StepDelta | Message | MessageDelta

PAUSE = "thread.run.requires_action"
ENDS = frozenset(
    {
        PAUSE,
        "thread.run.completed",
        "thread.run.incomplete",
        "thread.run.failed",
        "thread.run.cancelled",
        "thread.run.expired",
    }
)
"""The events after which a stream says `done`."""


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
    text: str = ""
    """The open message's text so far."""
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
                return self._with_calls(joined(self.calls, data.delta.step_details.tool_calls))
            case Message(status="in_progress"):
                return replace(self, message=data, text="")
            case Message():
                return replace(self, message=None, text="")
            case MessageDelta():
                return replace(self, text=self.text + "".join(part.text.value for part in data.delta.content))
            case _:  # a thread changes nothing in its run
                return self

    def answered(self, outputs: Mapping[str, str]) -> Scene:
        """The scene with each waiting call's output in its place."""
        return self._with_calls(
            replace(call, function=replace(call.function, output=outputs[call.id])) for call in self.calls
        )

    def _with_calls(self, calls: Iterable[ToolCall]) -> Scene:
        return replace(self, step=self.step and replace(self.step, step_details=ToolCalls(tuple(calls))))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The open step's tool calls so far."""
        details = self.step and self.step.step_details
        return details.tool_calls if isinstance(details, ToolCalls) else ()

    @property
    def parts(self) -> tuple[TextPart, ...]:
        """The open message's content so far."""
        return (TextPart(Text(self.text)),) if self.text else ()


def joined(calls: Sequence[ToolCall], pieces: Sequence[CallPiece]) -> list[ToolCall]:
    """The calls with pieces joined to them by index (reference 6.7)."""
    grown = list(calls)
    for piece in pieces:
        if piece.index == len(grown):
            grown.append(ToolCall(id=str(piece.id), function=CalledFunction(str(piece.function.name), "")))
        call = grown[piece.index]
        arguments = call.function.arguments + piece.function.arguments
        grown[piece.index] = replace(call, function=replace(call.function, arguments=arguments))
    return grown


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


class Fate(Struct, frozen=True):
    """One way to end: what becomes of the run, its open step and its open message."""

    run_status: str
    step_status: str
    message_reason: str | None = None
    """Why the message is incomplete; none where it is complete."""
    error: LastError | None = None
    incomplete: str | None = None


COMPLETED = Fate("completed", "completed")
CANCELLED = Fate("cancelled", "cancelled", "run_cancelled")
EXPIRED = Fate("expired", "expired", "run_expired")


def failed(error: LastError) -> Fate:
    """The run fails with this error."""
    return Fate("failed", "failed", "run_failed", error=error)


def incomplete(reason: str) -> Fate:
    """The run stops at a bound on tokens, `max_completion_tokens` or `max_prompt_tokens`."""
    return Fate("incomplete", "completed", "max_tokens", incomplete=reason)


def close(draft: Draft, fate: Fate, usage: Usage | None = None) -> None:
    """End the run from wherever it is: message first, then step, then run; `usage` is the open step's."""
    close_work(draft, fate, usage)
    close_run(draft, fate)


def cancel(draft: Draft, pause_s: float) -> None:
    """Close what is open and announce `cancelling` at once; the run is cancelled `pause_s` seconds later."""
    close_work(draft, CANCELLED)
    draft.add("thread.run.cancelling", replace(draft.scene.run, status="cancelling", required_action=None))
    draft.wait(pause_s)
    close_run(draft, CANCELLED)


def close_work(draft: Draft, fate: Fate, usage: Usage | None = None) -> None:
    """Close the open message and the open step, where there are such."""
    if draft.scene.message is not None:
        _close_message(draft, draft.scene.message, fate)
    if draft.scene.step is not None:
        _close_step(draft, draft.scene.step, fate, usage or Usage())


def _close_message(draft: Draft, message: Message, fate: Fate) -> None:
    status = "incomplete" if fate.message_reason else "completed"
    ended = replace(
        message,
        status=status,
        incomplete_details=Reason(fate.message_reason) if fate.message_reason else None,
        incomplete_at=draft.at("incomplete", status),
        completed_at=draft.at("completed", status),
        content=draft.scene.parts,
    )
    draft.add(f"thread.message.{status}", ended)


def _close_step(draft: Draft, step: Step, fate: Fate, usage: Usage) -> None:
    error = fate.error if fate.error is None or fate.error.code != "invalid_prompt" else None  # not a step's code
    ended = replace(
        step,
        status=fate.step_status,
        usage=usage,
        last_error=error,
        cancelled_at=draft.at("cancelled", fate.step_status),
        completed_at=draft.at("completed", fate.step_status),
        failed_at=draft.at("failed", fate.step_status),
    )
    draft.add(f"thread.run.step.{fate.step_status}", ended)


def close_run(draft: Draft, fate: Fate) -> None:
    """End the run itself; its usage is the sum of its steps'."""
    run = draft.scene.run
    ended = replace(
        run,
        status=fate.run_status,
        usage=draft.scene.used,
        required_action=None,
        last_error=fate.error,
        incomplete_details=Reason(fate.incomplete) if fate.incomplete else None,
        cancelled_at=draft.at("cancelled", fate.run_status),
        failed_at=draft.at("failed", fate.run_status),
        completed_at=draft.at("completed", fate.run_status),
        expires_at=run.expires_at if fate.run_status == "expired" else None,
    )
    draft.add(f"thread.run.{fate.run_status}", ended)
