"""Threads as they are kept in a file: a JSON document for each, with its messages and its runs.

An active run is kept with what is still to happen to it; so reading it brings back a run in the middle, and the next
look at the clock plays what has come due meanwhile.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from wiretape.sandbox import acts
from wiretape.sandbox.calls import StepDelta
from wiretape.sandbox.content import MessageDelta
from wiretape.sandbox.conversation import Conversation
from wiretape.sandbox.legs import Written
from wiretape.sandbox.life import Leg, Life
from wiretape.sandbox.objects import Message, Thread
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.plot import Plot
from wiretape.sandbox.refusals import Refusal
from wiretape.sandbox.timeline import CUT, ERROR, Beat, Data, ErrorObject, Nothing, Scene
from wiretape.sandbox.work import Run, Step


class BeatDocument(Struct, frozen=True):
    """A beat; which kind its data is of follows from the event's name."""

    at_s: float
    event: str
    data: Raw


class RunDocument(Struct, frozen=True, kw_only=True):
    """A run, its steps, and what is still to happen."""

    scene: Scene
    steps: tuple[Step, ...]
    acts: tuple[dict[str, Any], ...]
    plot: Plot
    """The plot, but for its acts."""
    planned: tuple[BeatDocument, ...]
    is_final: bool


class ThreadDocument(Struct, frozen=True, kw_only=True):
    """A thread with all that is in it."""

    thread: Thread
    messages: tuple[Message, ...]
    runs: tuple[RunDocument, ...]
    stored_bytes: int
    message_bytes: dict[str, int]


def thread_document(conversation: Conversation) -> bytes:
    """A thread as it is kept."""
    document = ThreadDocument(
        thread=conversation.thread,
        messages=tuple(conversation.messages.values()),
        runs=tuple(map(_run_document, conversation.runs.values())),
        stored_bytes=conversation.stored_bytes,
        message_bytes=conversation.message_bytes,
    )
    return msgspec.json.encode(document)


def _run_document(life: Life) -> RunDocument:
    return RunDocument(
        scene=life.scene,
        steps=tuple(life.steps.values()),
        acts=tuple(map(msgspec.to_builtins, life.plot.acts)),
        plot=replace(life.plot, acts=()),
        planned=tuple(map(_beat_document, life.leg.planned)),
        is_final=life.leg.final,
    )


def _beat_document(beat: Beat) -> BeatDocument:
    return BeatDocument(beat.at_s, beat.event, Raw(msgspec.json.encode(beat.data)))


def conversation(document: bytes, options: SandboxOptions) -> Conversation:
    """A thread as it was kept. Raises msgspec.ValidationError, msgspec.DecodeError or ActError for another document."""
    kept = msgspec.json.decode(document, type=ThreadDocument)
    made = Conversation(kept.thread, options)
    made.stored_bytes, made.message_bytes = kept.stored_bytes, kept.message_bytes
    made.messages.update((message.id, message) for message in kept.messages)
    for run in kept.runs:
        life = _life(run, made)
        made.runs[life.run.id] = life
    return made


def _life(kept: RunDocument, made: Conversation) -> Life:
    plot = replace(kept.plot, acts=acts.parsed(kept.acts, "acts"))
    life = Life(kept.scene.run, Written((), plot), made.messages, with_passages=False)
    life.scene = kept.scene
    life.steps.update((step.id, step) for step in kept.steps)
    life.leg = Leg(())
    life.leg.planned = deque(map(_beat, kept.planned))
    life.leg.final = kept.is_final
    return life


def _beat(kept: BeatDocument) -> Beat:
    return Beat(kept.at_s, kept.event, _data(kept))


def _data(kept: BeatDocument) -> Data:
    if kept.event == ERROR:
        kind: type[Data] = Refusal if "error" in msgspec.json.decode(kept.data) else ErrorObject
    else:
        kind = _kind(kept.event)
    return msgspec.json.decode(kept.data, type=kind)


def _kind(event: str) -> type[Data]:  # noqa: PLR0911  one line for each kind of data
    match event.split("."):
        case ["thread", "run", "step", "delta"]:
            return StepDelta
        case ["thread", "run", "step", _]:
            return Step
        case ["thread", "message", "delta"]:
            return MessageDelta
        case ["thread", "message", _]:
            return Message
        case ["thread", "run", _]:
            return Run
        case ["thread", _]:
            return Thread
        case _:
            assert event == CUT, event  # noqa: S101  there is no other event
            return Nothing
