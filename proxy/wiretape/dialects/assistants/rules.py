"""The rules about what the events of a stream carry: steps, messages and tool calls that fit together.

A rule that an event out of order would break as well is left to the grammar, which tells it once: here, what
has no open step or message to be compared with is not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wiretape.dialects.assistants import grammar
from wiretape.dialects.assistants.events import (
    AssistantStreamEvent,
    ThreadRunRequiresAction,
)
from wiretape.dialects.assistants.objects import ContentPart, Message, MessageDelta, Text
from wiretape.dialects.assistants.run_objects import (
    PendingCalls,
    Run,
    RunStep,
    RunStepDelta,
    StepDetails,
    ToolCall,
)
from wiretape.dialects.findings import Complaint

_NO_DETAILS, _NO_CALLS = StepDetails(), PendingCalls()
MESSAGE_CREATION = "message_creation"


class Pieces:
    """Texts that come in pieces, by their index."""

    def __init__(self) -> None:
        self._pieces: dict[int, list[str]] = {}

    def add(self, index: int, piece: str) -> None:
        """The next piece of one text."""
        self._pieces.setdefault(index, []).append(piece)

    def joined(self, index: int) -> str:
        """One text so far; empty where none came."""
        return "".join(self._pieces.get(index, ()))

    def unlike(self, rule: str, finished: dict[int, str], *, firm: bool = True) -> Iterator[Complaint]:
        """A complaint for each text that is not, in the end, what its pieces make."""
        for index in sorted(self._pieces.keys() | finished.keys()):
            joined, whole = self.joined(index), finished.get(index, "")
            if joined != whole:
                yield _differs(rule, f"part {index}", joined, whole, firm=firm)


class OpenStep:
    """A step that was announced and has not ended, with its calls so far."""

    def __init__(self, step: RunStep) -> None:
        self.id = step.id
        self.type = step.type
        made = (step.step_details or _NO_DETAILS).message_creation
        self.message_id = made.message_id if made else None
        self.calls: dict[int, ToolCall] = {}
        """The first piece of each call, by index."""
        self.arguments = Pieces()

    def add(self, piece: ToolCall) -> Iterator[Complaint]:
        """A piece of a call; the first one brings the call's id, and no other does (chapter 6.7)."""
        index = piece.index or 0
        if bool(piece.id) == (index in self.calls):
            seen = "an id again" if piece.id else "no id"
            yield Complaint(
                "call-id", f"{seen} in a piece of call {index}", "an id in the first piece only", firm=False
            )
        self.calls.setdefault(index, piece)
        self.arguments.add(index, _arguments(piece))


class OpenMessage:
    """A message that was announced and has not ended, with its text so far."""

    def __init__(self, message: Message) -> None:
        self.id = message.id
        self.text = Pieces()


class Work:
    """The step and the message that are open, and how they fit what events say of them."""

    def __init__(self) -> None:
        self._step: OpenStep | None = None
        self._message: OpenMessage | None = None
        self._resumed: set[str] = set()

    def see(self, told: AssistantStreamEvent, *, resumed: bool) -> Iterable[Complaint]:
        """What is wrong about an event; `resumed` says that it is in the opening of a resumed run."""
        match told:
            case RunStep():
                return self._old_step(told) if resumed else self._whole_step(told.event, told)
            case RunStepDelta():
                return self._step_piece(told)
            case Message():
                return self._whole_message(told.event, told)
            case MessageDelta():
                return self._message_piece(told)
            case ThreadRunRequiresAction() if self._step is not None:
                return _pause(self._step, told)
            case _:
                return ()

    def _old_step(self, step: RunStep) -> Iterator[Complaint]:
        """The step that waited is completed with the outputs that were handed in, and with its tokens."""
        calls = _calls(step.step_details)
        has = {
            "tool calls": step.type == "tool_calls",
            "usage": step.usage is not None,
            "output": all(call.function is None or call.function.output is not None for call in calls),
        }
        missing = [name for name, is_there in has.items() if not is_there]
        if missing:
            yield Complaint("resumed", f"an old step without {' and '.join(missing)}", "its outputs and usage")
        if step.id in self._resumed:
            yield Complaint("resumed", f"{step.id} completed again", "each old step once")
        self._resumed.add(step.id)

    def _whole_step(self, event: str, step: RunStep) -> Iterator[Complaint]:
        begins = event in {grammar.STEP_CREATED, grammar.STEP_RUNNING}
        if self._step is None or event == grammar.STEP_CREATED:
            self._step = OpenStep(step) if begins else None
            return
        yield from _other("step", self._step.id, step.id)
        if event == grammar.STEP_COMPLETED:
            finished = {index: _arguments(call) for index, call in enumerate(_calls(step.step_details))}
            yield from self._step.arguments.unlike("arguments", finished)
        self._step = self._step if begins else None

    def _step_piece(self, piece: RunStepDelta) -> Iterator[Complaint]:
        if self._step is None:
            return
        yield from _other("step", self._step.id, piece.id)
        calls = _calls(piece.delta.step_details)
        if calls and self._step.type == MESSAGE_CREATION:
            yield Complaint("step-type", f"tool calls in a step of type {self._step.type}", "a message")
        for call in calls:
            yield from self._step.add(call)

    def _whole_message(self, event: str, message: Message) -> Iterator[Complaint]:
        begins = event in {grammar.MESSAGE_CREATED, grammar.MESSAGE_RUNNING}
        if self._message is None or event == grammar.MESSAGE_CREATED:
            yield from self._misplaced(message) if begins else ()
            self._message = OpenMessage(message) if begins else None
            return
        yield from _other("message", self._message.id, message.id)
        if not begins:
            finished = {index: _text(part) for index, part in enumerate(_parts(message.content))}
            yield from self._message.text.unlike("text", finished, firm=event == grammar.MESSAGE_COMPLETED)
            self._message = None

    def _misplaced(self, message: Message) -> Iterator[Complaint]:
        """A message lies inside the step that creates it, and is the one that the step names."""
        if self._step is not None and (self._step.type, self._step.message_id) != (MESSAGE_CREATION, message.id):
            inside = f"{self._step.type} of {self._step.message_id}"
            yield Complaint("message-in-step", f"{message.id} inside {inside}", "the step that creates it")

    def _message_piece(self, piece: MessageDelta) -> Iterator[Complaint]:
        if self._message is None:
            return
        yield from _other("message", self._message.id, piece.id)
        for part in _parts(piece.delta.content):
            self._message.text.add(part.index or 0, _text(part))


def _pause(step: OpenStep, run: Run) -> Iterator[Complaint]:
    """The run waits for all function calls of its step, with the arguments that were streamed."""
    action = run.required_action
    pending = (action and (action.submit_tool_outputs or action.submit_tool_approval)) or _NO_CALLS
    wanted = {call.id: call for call in pending.tool_calls or ()}
    streamed = {call.id: index for index, call in step.calls.items() if call.type == "function"}
    if wanted.keys() != streamed.keys():
        yield Complaint("calls", f"a wait for {_listed(wanted)}", f"for {_listed(streamed)}", firm=False)
    for call_id in sorted(wanted.keys() & streamed.keys()):
        joined, whole = step.arguments.joined(streamed[call_id]), _arguments(wanted[call_id])
        if joined != whole:
            yield _differs("arguments", call_id, joined, whole)


def _other(kind: str, opened: str, named: str) -> Iterator[Complaint]:
    if named != opened:
        yield Complaint("announced", f"{named or 'no'} {kind}", f"{opened}, the {kind} that is open")


def _differs(rule: str, what: str, joined: str, whole: str, *, firm: bool = True) -> Complaint:
    """Lengths and a position, not the texts: a finding may be printed where they may not."""
    alike = next((at for at, pair in enumerate(zip(joined, whole, strict=False)) if pair[0] != pair[1]), None)
    where = min(len(joined), len(whole)) if alike is None else alike
    seen = f"{len(joined)} characters of {what} in deltas, other from character {where} on"
    return Complaint(rule, seen, f"the {len(whole)} characters of the whole", firm=firm)


def _calls(details: StepDetails | None) -> tuple[ToolCall, ...]:
    return (details and details.tool_calls) or ()


def _arguments(call: ToolCall) -> str:
    """What is streamed of a call: a function's arguments, or a program's text."""
    function = call.function.arguments if call.function else None
    code = call.code_interpreter.input if call.code_interpreter else None
    return function or code or ""


def _parts(content: tuple[ContentPart, ...] | ContentPart | str | None) -> tuple[ContentPart, ...]:
    match content:
        case ContentPart():
            return (content,)
        case tuple():
            return content
        case str():
            return (ContentPart(type="text", text=content),)
        case _:
            return ()


def _text(part: ContentPart) -> str:
    text = part.text.value if isinstance(part.text, Text) else part.text
    return text or part.refusal or ""


def _listed(call_ids: Iterable[str]) -> str:
    return ", ".join(sorted(call_ids)) or "no call"
