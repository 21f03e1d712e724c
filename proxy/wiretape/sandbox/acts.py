"""The acts a run is made of, written as beats: beginning, writing a message, asking for tools, resuming."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from wiretape.sandbox.chance import Chance
from wiretape.sandbox.objects import Message, MessageDelta, MessageDeltaContent, Text, TextDelta, Thread
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.timeline import COMPLETED, PAUSE, Draft, close, close_work
from wiretape.sandbox.work import (
    CallPiece,
    CallPieces,
    FunctionPiece,
    MessageCreation,
    MessageId,
    RequiredAction,
    Step,
    StepDelta,
    StepDeltaDetails,
    ToolCalls,
    Usage,
    WantedCall,
    WantedCalls,
    WantedFunction,
)

_WORDS = re.compile(r"\s*\S+|\s+\Z")
_FRAGMENTS = re.compile(r".{1,8}", re.DOTALL)


class Acts:
    """Writes acts to a draft, at the sandbox's pace and with ids of its own."""

    def __init__(self, draft: Draft, chance: Chance, options: SandboxOptions) -> None:
        self.draft = draft
        self._chance = chance
        self._options = options

    def begin(self, thread: Thread | None) -> None:
        """Created and queued, then in progress; a new thread is announced first."""
        run = self.draft.scene.run
        if thread is not None:
            self.draft.add("thread.created", thread)
        self.draft.add("thread.run.created", run)
        self.draft.add("thread.run.queued", run)
        self._start()

    def resume(self, outputs: Mapping[str, str], usage: Usage) -> None:
        """The tool step completes with its outputs, and the run queues once more (reference chapter 7)."""
        self.draft.scene = self.draft.scene.answered(outputs)
        close_work(self.draft, COMPLETED, usage)
        queued = replace(self.draft.scene.run, status="queued", required_action=None)
        self.draft.add("thread.run.queued", queued)
        self._start()

    def _start(self) -> None:
        self.draft.wait(self._options.queue_s)
        # overwritten at every resume, as on the wire (reference 6.5)
        started = replace(self.draft.scene.run, status="in_progress", started_at=self.draft.now)
        self.draft.add("thread.run.in_progress", started)

    def write(self, text: str) -> None:
        """Open a message and write the text to it, word by word; message and step stay open."""
        message = self._open_message()
        for index, word in enumerate(pieces(text)):
            self.draft.wait(self._options.pace_s)
            written = Text(word) if index == 0 else Text(word, UNSET)
            delta = MessageDeltaContent((TextDelta(index=0, text=written),))
            self.draft.add("thread.message.delta", MessageDelta(id=message.id, delta=delta))

    def _open_message(self) -> Message:
        run = self.draft.scene.run
        message = Message(
            id=self._chance.id("msg_"),
            created_at=self.draft.now,
            assistant_id=run.assistant_id,
            thread_id=run.thread_id,
            run_id=run.id,
            role="assistant",
        )
        self._open_step("message_creation", MessageCreation(MessageId(message.id)))
        self.draft.add_pair("thread.message", message)
        return message

    def _open_step(self, kind: str, details: MessageCreation | ToolCalls) -> Step:
        run = self.draft.scene.run
        step = Step(
            id=self._chance.id("step_"),
            created_at=self.draft.now,
            run_id=run.id,
            assistant_id=run.assistant_id,
            thread_id=run.thread_id,
            type=kind,
            expires_at=run.expires_at,
            step_details=details,
        )
        self.draft.add_pair("thread.run.step", step)
        return step

    def finish(self, usage: Usage) -> None:
        """Complete the open message, its step with this usage, and the run."""
        close(self.draft, COMPLETED, usage)

    def ask(self, calls: Sequence[WantedFunction]) -> None:
        """Call functions in one step, and pause for their outputs; the step stays open."""
        step = self._open_step("tool_calls", ToolCalls())
        wanted = tuple(WantedCall(id=self._chance.id("call_"), function=function) for function in calls)
        for index, call in enumerate(wanted):
            self._stream_call(step, index, call)
        action = RequiredAction(submit_tool_outputs=WantedCalls(wanted))
        self.draft.add(PAUSE, replace(self.draft.scene.run, status="requires_action", required_action=action))

    def _stream_call(self, step: Step, index: int, call: WantedCall) -> None:
        first = FunctionPiece(name=call.function.name, arguments="", output=None)
        self._piece(step, CallPiece(index=index, id=call.id, function=first))
        for fragment in _FRAGMENTS.findall(call.function.arguments):
            self._piece(step, CallPiece(index=index, function=FunctionPiece(arguments=fragment)))

    def _piece(self, step: Step, piece: CallPiece) -> None:
        self.draft.wait(self._options.pace_s)
        delta = StepDeltaDetails(CallPieces((piece,)))
        self.draft.add("thread.run.step.delta", StepDelta(id=step.id, delta=delta))


def pieces(text: str) -> list[str]:
    """The text in words, each with the space before it; joined they are the text."""
    return _WORDS.findall(text)
