"""The 25 events of an Assistants stream, typed, and the decoder of each.

An event is the object it carries, under the event's own class: `ThreadRunCompleted` is a `Run`. That makes
one decoding step of it. How an event's name is found stands in `decode`.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from wiretape.dialects.assistants.objects import ErrorBody, Message, MessageDelta, Thread, Wire
from wiretape.dialects.assistants.run_objects import Run, RunStep, RunStepDelta


class ThreadCreated(Thread, frozen=True):
    """A new thread. The schema's `enabled` beside it has no place in SSE; see `decode.Envelope`."""

    event: ClassVar[str] = "thread.created"


class ThreadRunCreated(Run, frozen=True):
    """A new run; its status is `queued`."""

    event: ClassVar[str] = "thread.run.created"


class ThreadRunQueued(Run, frozen=True):
    """The run waits, at its start and again after tool outputs."""

    event: ClassVar[str] = "thread.run.queued"


class ThreadRunInProgress(Run, frozen=True):
    """The run works."""

    event: ClassVar[str] = "thread.run.in_progress"


class ThreadRunRequiresAction(Run, frozen=True):
    """The run waits for tool outputs; its stream ends, the run does not."""

    event: ClassVar[str] = "thread.run.requires_action"


class ThreadRunCompleted(Run, frozen=True):
    """The run is done."""

    event: ClassVar[str] = "thread.run.completed"


class ThreadRunIncomplete(Run, frozen=True):
    """The run met a limit."""

    event: ClassVar[str] = "thread.run.incomplete"


class ThreadRunFailed(Run, frozen=True):
    """The run failed; see `last_error`."""

    event: ClassVar[str] = "thread.run.failed"


class ThreadRunCancelling(Run, frozen=True):
    """Somebody asked to cancel the run."""

    event: ClassVar[str] = "thread.run.cancelling"


class ThreadRunCancelled(Run, frozen=True):
    """The run was cancelled."""

    event: ClassVar[str] = "thread.run.cancelled"


class ThreadRunExpired(Run, frozen=True):
    """The run's time was over."""

    event: ClassVar[str] = "thread.run.expired"


class ThreadRunStepCreated(RunStep, frozen=True):
    """A new step; its status is `in_progress`."""

    event: ClassVar[str] = "thread.run.step.created"


class ThreadRunStepInProgress(RunStep, frozen=True):
    """The step works."""

    event: ClassVar[str] = "thread.run.step.in_progress"


class ThreadRunStepDelta(RunStepDelta, frozen=True):
    """A piece of a step."""

    event: ClassVar[str] = "thread.run.step.delta"


class ThreadRunStepCompleted(RunStep, frozen=True):
    """The step is done."""

    event: ClassVar[str] = "thread.run.step.completed"


class ThreadRunStepFailed(RunStep, frozen=True):
    """The step failed."""

    event: ClassVar[str] = "thread.run.step.failed"


class ThreadRunStepCancelled(RunStep, frozen=True):
    """The step was cancelled."""

    event: ClassVar[str] = "thread.run.step.cancelled"


class ThreadRunStepExpired(RunStep, frozen=True):
    """The step's time was over."""

    event: ClassVar[str] = "thread.run.step.expired"


class ThreadMessageCreated(Message, frozen=True):
    """A new message, empty."""

    event: ClassVar[str] = "thread.message.created"


class ThreadMessageInProgress(Message, frozen=True):
    """The message is being written."""

    event: ClassVar[str] = "thread.message.in_progress"


class ThreadMessageDelta(MessageDelta, frozen=True):
    """A piece of a message."""

    event: ClassVar[str] = "thread.message.delta"


class ThreadMessageCompleted(Message, frozen=True):
    """The message is done."""

    event: ClassVar[str] = "thread.message.completed"


class ThreadMessageIncomplete(Message, frozen=True):
    """The message ended before its end."""

    event: ClassVar[str] = "thread.message.incomplete"


class ErrorEvent(ErrorBody, frozen=True, kw_only=True):
    """An error in mid-stream: flat as in the schema, or wrapped in `error` as both SDKs look for it."""

    event: ClassVar[str] = "error"
    error: ErrorBody | str | None = None


class DoneEvent(Wire, frozen=True):
    """The end mark; its data is the text `[DONE]`, not JSON."""

    event: ClassVar[str] = "done"


class UnknownEvent(Struct, frozen=True):
    """An event of a name that is not in the table; it passes and is counted."""

    event: str
    data: bytes


ThreadStreamEvent = ThreadCreated
RunStreamEvent = (
    ThreadRunCreated
    | ThreadRunQueued
    | ThreadRunInProgress
    | ThreadRunRequiresAction
    | ThreadRunCompleted
    | ThreadRunIncomplete
    | ThreadRunFailed
    | ThreadRunCancelling
    | ThreadRunCancelled
    | ThreadRunExpired
)
RunStepStreamEvent = (
    ThreadRunStepCreated
    | ThreadRunStepInProgress
    | ThreadRunStepDelta
    | ThreadRunStepCompleted
    | ThreadRunStepFailed
    | ThreadRunStepCancelled
    | ThreadRunStepExpired
)
MessageStreamEvent = (
    ThreadMessageCreated
    | ThreadMessageInProgress
    | ThreadMessageDelta
    | ThreadMessageCompleted
    | ThreadMessageIncomplete
)
AssistantStreamEvent = (
    ThreadStreamEvent | RunStreamEvent | RunStepStreamEvent | MessageStreamEvent | ErrorEvent | DoneEvent
)
