"""What a run needs to start, and what its tool outputs may be: rules over several parts of a body."""

from __future__ import annotations

from collections.abc import Sequence

from wiretape.sandbox.bodies import AnyRun, NewMessage, NewThreadRun, ToolOutput
from wiretape.sandbox.making import instructions
from wiretape.sandbox.objects import Assistant
from wiretape.sandbox.refusals import Refused


def messages_of(sent: AnyRun) -> list[NewMessage]:
    """All messages that come with a run."""
    thread = sent.thread if isinstance(sent, NewThreadRun) else None
    return [*((thread and thread.messages) or ()), *(sent.additional_messages or ())]


def check_grounds(sent: AnyRun, assistant: Assistant, roles: Sequence[str]) -> None:
    """Raise Refused for a run that has nothing to go by; `roles` are those of the messages in its thread."""
    if "user" in {*roles, *(one.role for one in messages_of(sent))} or instructions(sent, assistant):
        return
    message = "Run creation requires a Thread with a user message or an assistant with instructions."
    raise Refused(400, message, code="invalid_thread")


def check_outputs(outputs: Sequence[ToolOutput], bytes_max: int) -> None:
    """Raise Refused where tool outputs together have `bytes_max` bytes or more."""
    if sum(len(one.output.encode()) for one in outputs) >= bytes_max:
        message = f"'tool_outputs' too large: the combined tool outputs must be less than {bytes_max >> 10}kb."
        raise Refused(400, message, param="tool_outputs", code="invalid_value")
