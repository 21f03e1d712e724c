"""Where a run's acts become beats: messages and steps are opened, written to and closed, with ids of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import UNSET
from msgspec.structs import replace

from wiretape.sandbox.calls import CallPiece, CallPieces, StepDelta, StepDeltaDetails, ToolCalls
from wiretape.sandbox.chance import Chance
from wiretape.sandbox.content import (
    Annotation,
    Citation,
    FilePath,
    ImageFile,
    MessageDelta,
    Part,
    PartPiece,
    PartPieces,
    Text,
    TextPart,
    TextPiece,
)
from wiretape.sandbox.ends import COMPLETED, close_work
from wiretape.sandbox.objects import Message, Thread
from wiretape.sandbox.timeline import Draft
from wiretape.sandbox.work import MessageCreation, MessageId, Run, Step, Usage

PIECES_MAX = 2_000
"""Deltas that one text is streamed in."""
FRAGMENT = 8
"""Characters of a call's arguments in one delta, unless they are many."""

_WORDS = re.compile(r"\s*\S+|\s+\Z")


class Stage:
    """Writes to a draft at the pace it is set to."""

    def __init__(self, draft: Draft, chance: Chance, pace_s: float, queue_s: float) -> None:
        self.draft = draft
        self.chance = chance
        self.pace_s = pace_s
        self._queue_s = queue_s

    @property
    def run(self) -> Run:
        """The run as it is by now."""
        return self.draft.scene.run

    def begin(self, thread: Thread | None) -> None:
        """Created and queued, then in progress; a new thread is announced first."""
        if thread is not None:
            self.draft.add("thread.created", thread)
        self.draft.add("thread.run.created", self.run)
        self.draft.add("thread.run.queued", self.run)
        self._start()

    def resume(self, usage: Usage) -> None:
        """The tool step completes with its outputs, and the run queues once more (reference chapter 7)."""
        close_work(self.draft, COMPLETED, usage)
        self.draft.add("thread.run.queued", replace(self.run, status="queued", required_action=None))
        self._start()

    def _start(self) -> None:
        self.draft.wait(self._queue_s)
        # overwritten at every resume, as on the wire (reference 6.5)
        self.draft.add("thread.run.in_progress", replace(self.run, status="in_progress", started_at=self.draft.now))

    def open_step(self, details: MessageCreation | ToolCalls) -> Step:
        """Announce a step."""
        run = self.run
        step = Step(
            id=self.chance.id("step_"),
            created_at=self.draft.now,
            run_id=run.id,
            assistant_id=run.assistant_id,
            thread_id=run.thread_id,
            type="tool_calls" if isinstance(details, ToolCalls) else "message_creation",
            expires_at=run.expires_at,
            step_details=details,
        )
        self.draft.add_pair("thread.run.step", step)
        return step

    def open_message(self) -> None:
        """Announce a step and the message that it makes."""
        run = self.run
        message = Message(
            id=self.chance.id("msg_"),
            created_at=self.draft.now,
            assistant_id=run.assistant_id,
            thread_id=run.thread_id,
            run_id=run.id,
            role="assistant",
        )
        self.open_step(MessageCreation(MessageId(message.id)))
        self.draft.add_pair("thread.message", message)

    def close(self, usage: Usage) -> None:
        """Complete the open message, where there is one, and the open step."""
        close_work(self.draft, COMPLETED, usage)

    def write(self, words: Sequence[str]) -> None:
        """Write to the open message, a delta for each piece; a text part is begun where none is."""
        index = self._next_index()
        for number, word in enumerate(words):
            text = TextPiece(word) if number else TextPiece(word, ())
            self._piece(PartPiece(index=index, type="text", text=text))

    def refer(self, written: str, marker: str, target: Citation | FilePath) -> None:
        """Write a marker that stands for a file, with its annotation: both in one delta (reference 6.4)."""
        parts = self.draft.scene.parts
        index = len(parts) - 1 if parts and isinstance(parts[-1], TextPart) else len(parts)
        before = _text_at(parts, index)
        start = len(before.value) + written.index(marker)
        mark = Annotation(
            index=len(before.annotations),
            type="file_path" if isinstance(target, FilePath) else "file_citation",
            text=marker,
            start_index=start,
            end_index=start + len(marker),
            file_citation=UNSET if isinstance(target, FilePath) else target,
            file_path=target if isinstance(target, FilePath) else UNSET,
        )
        self._piece(PartPiece(index=index, type="text", text=TextPiece(written, (mark,))))

    def show(self, file_id: str) -> None:
        """Put a picture into the open message."""
        self._piece(PartPiece(index=self._next_index(), type="image_file", image_file=ImageFile(file_id)))

    def refuse(self, words: Sequence[str]) -> None:
        """Write a refusal to the open message."""
        index = self._next_index()
        for word in words:
            self._piece(PartPiece(index=index, type="refusal", refusal=word))

    def _next_index(self) -> int:
        return len(self.draft.scene.parts)

    def _piece(self, piece: PartPiece) -> None:
        message = self.draft.scene.message
        if message is not None:
            self.draft.wait(self.pace_s)
            self.draft.add("thread.message.delta", MessageDelta(id=message.id, delta=PartPieces((piece,))))

    def call(self, step: Step, piece: CallPiece) -> None:
        """Write a piece of a tool call to a step."""
        self.draft.wait(self.pace_s)
        self.draft.add("thread.run.step.delta", StepDelta(id=step.id, delta=StepDeltaDetails(CallPieces((piece,)))))


def pieces(text: str) -> list[str]:
    """The text in words, each with the space before it, several in one where there are many; joined they are the text.

    At most PIECES_MAX, since each is a delta that waits in memory.
    """
    words = _WORDS.findall(text)
    size = -(-len(words) // PIECES_MAX)
    return words if size <= 1 else ["".join(words[at : at + size]) for at in range(0, len(words), size)]


def fragments(text: str) -> list[str]:
    """The text in pieces of the same length, at most PIECES_MAX; joined they are the text."""
    length = max(FRAGMENT, -(-len(text) // PIECES_MAX))
    return [text[at : at + length] for at in range(0, len(text), length)]


def _text_at(parts: Sequence[Part], index: int) -> Text:
    part = parts[index] if index < len(parts) else None
    return part.text if isinstance(part, TextPart) else Text("")
