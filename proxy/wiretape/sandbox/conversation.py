"""A thread with its messages and runs; at most one run is active at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from wiretape.sandbox.bodies import NewMessage, ThreadFields, labels
from wiretape.sandbox.life import Life
from wiretape.sandbox.objects import JsonObject, Message, Metadata, PlainMessage, Thread
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.plot import count
from wiretape.sandbox.refusals import Refused, full, unknown
from wiretape.sandbox.sent_tools import plain
from wiretape.sandbox.work import Run


class Conversation:
    """One thread's state; every call that reads runs is given the time and advances the active one first."""

    def __init__(self, thread: Thread, options: SandboxOptions) -> None:
        self.thread = thread
        self.messages: dict[str, Message] = {}
        self.runs: dict[str, Life] = {}
        self.stored_bytes = 0
        """Counted for the thread, and for what goes with it only."""
        self.message_bytes: dict[str, int] = {}
        """Counted for single messages, by id."""
        self._options = options

    @property
    def kept_bytes(self) -> int:
        """All that is counted, and given back when the thread is deleted."""
        return self.stored_bytes + sum(self.message_bytes.values())

    def modify(self, fields: ThreadFields) -> Thread:
        """Change metadata or tool resources, where they are sent."""
        changes: dict[str, JsonObject | Metadata] = {}
        if fields.metadata is not None:
            changes["metadata"] = fields.metadata
        if fields.tool_resources is not None:
            changes["tool_resources"] = plain(fields.tool_resources)
        self.thread = replace(self.thread, **changes)
        return self.thread

    def advance(self, now_s: float) -> None:
        """Let the active run come as far as it is."""
        if (busy := self.active) is not None:
            busy.advance(now_s)

    @property
    def active(self) -> Life | None:
        """The run that has not ended, as of the last advance; only the youngest can be."""
        youngest = next(reversed(self.runs.values()), None)
        return None if youngest is None or youngest.run.ended else youngest

    def check_open(self) -> None:
        """Raise Refused where no message may be added: while a run is active, or when the thread is full."""
        if (busy := self.active) is not None:
            raise Refused(400, f"Can't add messages to {self.thread.id} while a run {busy.run.id} is active.")
        self.check_room(1)

    def add(self, sent: NewMessage, message_id: str, now_s: float) -> Message:
        """Add a message of the client's; whether it may be was checked before."""
        message = new_message(sent, message_id, self.thread.id, now_s)
        self.messages[message.id] = message
        return message

    def check_room(self, messages: int) -> None:
        """Raise Refused where so many messages more would pass the bound."""
        if len(self.messages) + messages > self._options.messages_max:
            raise full("messages_max", self._options.messages_max)

    def begin(self, life: Life) -> None:
        """Take a new run in; `check_free` was asked before."""
        self.runs[life.run.id] = life

    def check_free(self, messages: int) -> None:
        """Raise Refused where no run with so many messages may start: on a busy thread, or on a full one."""
        if (busy := self.active) is not None:
            raise Refused(400, f"Thread {self.thread.id} already has an active run {busy.run.id}.")
        if len(self.runs) >= self._options.runs_max:
            raise full("runs_max", self._options.runs_max)
        self.check_room(messages + 1)  # one for the message the run will write

    def message(self, message_id: str) -> Message:
        """The message with this id; raises Refused where there is none."""
        if message_id not in self.messages:
            raise unknown("message", message_id)
        return self.messages[message_id]

    def label(self, message_id: str, metadata: Metadata) -> Message:
        """Change a message's metadata."""
        self.messages[message_id] = replace(self.message(message_id), metadata=metadata)
        return self.messages[message_id]

    def listed(self, run_id: str | None) -> Sequence[PlainMessage]:
        """All messages, or those of one run, oldest first."""
        return [one.plain for one in self.messages.values() if run_id is None or one.run_id == run_id]

    def life(self, run_id: str) -> Life:
        """The run with this id; raises Refused where there is none."""
        if run_id not in self.runs:
            raise unknown("run", run_id)
        return self.runs[run_id]


def reading(messages: Iterable[Message], run: Run, overhead: int) -> tuple[str, int]:
    """What a run reads: the last user message's text, and the tokens of all messages with `overhead`.

    `last_messages` reads so many; `auto` leaves out the oldest while `max_prompt_tokens` is passed.
    """
    read = list(messages)
    if run.truncation_strategy.type == "last_messages":
        read = read[-(run.truncation_strategy.last_messages or 1) :]
    counts = [count(one.text) for one in read]
    total, left = overhead + sum(counts), 0
    while run.max_prompt_tokens is not None and total > run.max_prompt_tokens and left < len(read) - 1:
        total -= counts[left]
        left += 1
    question = next((one.text for one in reversed(read[left:]) if one.role == "user"), "")
    return question, total


def new_message(sent: NewMessage, message_id: str, thread_id: str, now_s: float) -> Message:
    """A message of the client's."""
    now = int(now_s)
    return Message(
        id=message_id,
        created_at=now,
        assistant_id=None,
        thread_id=thread_id,
        run_id=None,
        status="completed",
        completed_at=now,
        role=sent.role,
        content=sent.parts,
        attachments=sent.kept_attachments,
        metadata=labels(sent.metadata),
    )
