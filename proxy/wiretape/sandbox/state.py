"""The sandbox's whole state, in memory and bounded: assistants, and threads with what belongs to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from wiretape.sandbox.acts import Refuse
from wiretape.sandbox.bodies import (
    AnyRun,
    AssistantFields,
    NewAssistant,
    NewMessage,
    NewThread,
    NewThreadRun,
    ThreadFields,
    labels,
)
from wiretape.sandbox.chance import Chance
from wiretape.sandbox.clock import Clock, SystemClock, VirtualClock
from wiretape.sandbox.conversation import Conversation, new_message, reading
from wiretape.sandbox.grounds import check_grounds, messages_of
from wiretape.sandbox.legs import Legs
from wiretape.sandbox.library import Library
from wiretape.sandbox.life import Life
from wiretape.sandbox.making import changed, new_assistant, new_run, new_thread, overhead
from wiretape.sandbox.objects import Assistant, Message, Metadata, Thread
from wiretape.sandbox.options import SandboxOptions
from wiretape.sandbox.plot import Plot
from wiretape.sandbox.refusals import ErrorBody, Refused, full, rehearsed, unknown
from wiretape.sandbox.resources import Resourceful, check_attached, check_described, with_attached, with_stores
from wiretape.sandbox.room import Room
from wiretape.sandbox.script import RefuseRule, Script, acts_for, load, told_in
from wiretape.sandbox.shelf import LibraryShelf
from wiretape.sandbox.table import Table
from wiretape.sandbox.timeline import Scene
from wiretape.sandbox.work import Run

__all__ = ["Sandbox", "SandboxOptions", "opened"]

VIRTUAL_START_S = 1_767_225_600.0
"""2026-01-01T00:00:00Z: where a virtual clock starts."""


class Sibling(Struct, frozen=True):
    """What a further sandbox is told: its number, and the room it shares."""

    number: int
    room: Room


class Sandbox:
    """An Assistants server's state. Nothing in it runs by itself: whoever looks brings the time."""

    def __init__(
        self,
        options: SandboxOptions | None = None,
        clock: Clock | None = None,
        script: Script | None = None,
        sibling: Sibling | None = None,
    ) -> None:
        self.options = options or SandboxOptions()
        self.script = script or Script()
        self._met: Counter[int] = Counter()
        self._refused: Counter[int] = Counter()
        self.clock: Clock = clock or SystemClock()
        self.number = sibling.number if sibling else 0
        self.chance = Chance(f"{self.options.seed}.{self.number}" if self.number else str(self.options.seed))
        self.assistants: Table[Assistant] = Table()
        self.assistant_bytes: dict[str, int] = {}
        self.conversations: Table[Conversation] = Table()
        self.room = sibling.room if sibling else Room(self.options.stored_bytes_max)
        self.library = Library(self.options, self.chance, self.room.count)

    def sibling(self, number: int) -> Sandbox:
        """A further sandbox, for another key: with ids of its own, and room from the same whole."""
        return Sandbox(self.options, self.clock, self.script, Sibling(number, self.room))

    def create_assistant(self, sent: NewAssistant, now_s: float, size_bytes: int) -> Assistant:
        """A new assistant. Raises Refused when there are too many."""
        if len(self.assistants) >= self.options.assistants_max:
            raise full("assistants_max", self.options.assistants_max)
        check_described(sent.tool_resources, self.library)
        with self.room.counted(size_bytes):
            stored = self._stored(sent, now_s)
        assistant = new_assistant(stored, self.chance.id("asst_"), now_s)
        self.assistants[assistant.id] = assistant
        self.assistant_bytes[assistant.id] = size_bytes
        return assistant

    def assistant(self, assistant_id: str) -> Assistant:
        """The assistant with this id; raises Refused where there is none."""
        if assistant_id not in self.assistants:
            raise unknown("assistant", assistant_id)
        return self.assistants[assistant_id]

    def modify_assistant(self, assistant_id: str, sent: AssistantFields, now_s: float, size_bytes: int) -> Assistant:
        """Change what was sent, and nothing else."""
        known = self.assistant(assistant_id)
        check_described(sent.tool_resources, self.library)
        with self.room.counted(size_bytes):
            self.assistants[assistant_id] = changed(known, self._stored(sent, now_s))
        self.assistant_bytes[assistant_id] += size_bytes
        return self.assistants[assistant_id]

    def delete_assistant(self, assistant_id: str) -> None:
        """Forget an assistant; its runs go on, as they hold what they need."""
        self.assistant(assistant_id)
        del self.assistants[assistant_id]
        self.room.count(-self.assistant_bytes.pop(assistant_id))

    def create_thread(self, sent: NewThread, now_s: float, size_bytes: int) -> Conversation:
        """A new thread with its first messages. Raises Refused when there are too many of either."""
        if len(self.conversations) >= self.options.threads_max:
            raise full("threads_max", self.options.threads_max)
        messages = sent.messages or ()
        if len(messages) > self.options.messages_max:
            raise full("messages_max", self.options.messages_max)
        check_attached(messages, self.library)
        with self.room.counted(size_bytes):
            made = new_thread(self._stored(sent, now_s), self.chance.id("thread_"), now_s)
            conversation = Conversation(made, self.options)
            self._add_all(conversation, messages, now_s)
        conversation.stored_bytes = size_bytes
        self.conversations[conversation.thread.id] = conversation
        return conversation

    def conversation(self, thread_id: str, now_s: float) -> Conversation:
        """The thread with this id, advanced to now; raises Refused where there is none."""
        if thread_id not in self.conversations:
            raise unknown("thread", thread_id)
        conversation = self.conversations[thread_id]
        conversation.advance(now_s)
        return conversation

    def delete_thread(self, thread_id: str, now_s: float) -> None:
        """Forget a thread and all in it; a stream still open on one of its runs goes on to its end."""
        self.room.count(-self.conversation(thread_id, now_s).kept_bytes)
        del self.conversations[thread_id]

    def add_message(self, conversation: Conversation, sent: NewMessage, now_s: float, size_bytes: int) -> Message:
        """Add a message of the client's. Raises Refused on a busy or full thread."""
        conversation.check_open()
        check_attached([sent], self.library)
        with self.room.counted(size_bytes):
            (added,) = self._add_all(conversation, [sent], now_s)
        conversation.message_bytes[added.id] = size_bytes
        return added

    def label_message(
        self, conversation: Conversation, message_id: str, metadata: Metadata, size_bytes: int
    ) -> Message:
        """Change a message's metadata. Raises Refused where there is no room for it."""
        self.room.count(size_bytes)
        conversation.message_bytes[message_id] = conversation.message_bytes.get(message_id, 0) + size_bytes
        return conversation.label(message_id, metadata)

    def delete_message(self, conversation: Conversation, message_id: str) -> None:
        """Forget a message; what was sent with its thread or with a run counts until the thread goes."""
        del conversation.messages[conversation.message(message_id).id]
        self.room.count(-conversation.message_bytes.pop(message_id, 0))

    def modify_thread(self, conversation: Conversation, sent: ThreadFields, now_s: float, size_bytes: int) -> Thread:
        """Change metadata or tool resources, where they are sent."""
        check_described(sent.tool_resources, self.library)
        with self.store_in(conversation, size_bytes):
            return conversation.modify(self._stored(sent, now_s))

    def _add_all(self, conversation: Conversation, sent: Sequence[NewMessage], now_s: float) -> list[Message]:
        """Add messages, all or none: what may be refused is done for all of them first."""
        attachments = [one for message in sent for one in message.kept_attachments]
        conversation.thread = with_attached(conversation.thread, attachments, self.library, now_s)
        return [conversation.add(message, self.chance.id("msg_"), now_s) for message in sent]

    def _stored(self, sent: Resourceful, now_s: float) -> Resourceful:
        """What was sent, its vector stores made."""
        stored: Resourceful = replace(sent, tool_resources=with_stores(sent.tool_resources, self.library, now_s))
        return stored

    @contextmanager
    def store_in(self, conversation: Conversation, size_bytes: int) -> Iterator[None]:
        """Keep a body's bytes in a thread, unless what is done inside is refused. Raises Refused without room."""
        with self.room.counted(size_bytes):
            yield
        conversation.stored_bytes += size_bytes

    def keep_in(self, conversation: Conversation, size_bytes: int) -> None:
        """Keep bytes that a run has made in a thread. Raises Refused without room."""
        with self.store_in(conversation, size_bytes):
            pass

    def check_free(self, conversation: Conversation, sent: AnyRun) -> None:
        """Raise Refused on a busy or full thread, or for a run with no grounds."""
        conversation.check_free(len(sent.additional_messages or ()))
        roles = [one.role for one in conversation.messages.values()]
        check_grounds(sent, self.assistant(sent.assistant_id), roles)

    def create_run(
        self, conversation: Conversation, sent: AnyRun, now_s: float, *, opens_thread: bool, with_passages: bool
    ) -> Life:
        """Start a run; its first leg is written now, to be played as time comes.

        Ask `check_run` and `check_free` first, for a new thread `check_new_thread`. Raises Refused for vector stores
        that cannot be had, and then nothing has changed in the thread.
        """
        if isinstance(sent, NewThreadRun):
            sent = self._stored(sent, now_s)
        self._add_all(conversation, sent.additional_messages or (), now_s)
        assistant = self.assistant(sent.assistant_id)
        run = new_run(sent, assistant, self.chance.id("run_"), conversation.thread.id, now_s)
        plot = self._plot(run, assistant, conversation)
        legs = self.legs(conversation, run)
        written = legs.first(Scene(run), plot, now_s, conversation.thread if opens_thread else None)
        life = Life(run, written, conversation.messages, with_passages=with_passages)
        conversation.begin(life)
        life.play_through("thread.run.queued")
        return life

    def _plot(self, run: Run, assistant: Assistant, conversation: Conversation) -> Plot:
        question, tokens = reading(conversation.messages.values(), run, overhead(run))
        acts = acts_for(run, assistant, question, self.script)
        return Plot(acts=acts, question=question, context=tokens, pace_s=self.options.pace_s)

    def legs(self, conversation: Conversation, run: Run) -> Legs:
        """Who writes a run's legs, with the files it can reach by now."""
        assistant = self.assistants.get(run.assistant_id)
        named = [one.tool_resources for one in (run, conversation.thread, assistant) if one is not None]
        store = partial(self.keep_in, conversation)
        shelf = LibraryShelf(self.library, named, conversation.messages.values(), store, self.options.searches_max)
        return Legs(self.chance, self.options, shelf)

    def check_run(self, sent: AnyRun, known: Iterable[Message], now_s: float) -> None:
        """Raise Refused for what a run on these messages may not be, before anything is changed for it."""
        assistant = self.assistant(sent.assistant_id)
        if (acts := told_in(labels(sent.metadata))) is None and self.script.refuses_runs:
            run = new_run(sent, assistant, "", "", now_s)
            messages = [*known, *(new_message(one, "", "", now_s) for one in messages_of(sent))]
            question, _ = reading(messages, run, overhead(run))
            acts = acts_for(run, assistant, question, self.script)
        for act in acts or ():
            if isinstance(act, Refuse):
                raise _told_to(act)
        check_attached(messages_of(sent), self.library)
        if len(messages_of(sent)) >= self.options.messages_max:
            raise full("messages_max", self.options.messages_max)

    def check_new_thread(self, sent: NewThreadRun, now_s: float) -> None:
        """Raise Refused where a run on a new thread may not be, before the thread is made."""
        self.check_run(sent, (), now_s)
        check_grounds(sent, self.assistant(sent.assistant_id), ())
        for resources in (sent.tool_resources, (sent.thread or NewThread()).tool_resources):
            check_described(resources, self.library)

    def obey(self, method: str, path: str) -> None:
        """Raise Refused where the script refuses this request; each that fits a rule is counted by it."""
        fitting = [(number, rule) for number, rule in enumerate(self.script.refusals) if rule.fits(method, path)]
        self._met.update(number for number, _ in fitting)
        for number, rule in fitting:
            if self._met[number] > rule.after and (rule.times is None or self._refused[number] < rule.times):
                self._refused[number] += 1
                raise _told_to(rule)


def opened(options: SandboxOptions) -> Sandbox:
    """The sandbox that the options describe, empty. Raises ConfigError for a script that cannot be read."""
    clock = VirtualClock(options.clock_step_s, VIRTUAL_START_S) if options.clock == "virtual" else SystemClock()
    return Sandbox(options, clock, load(Path(options.script)) if options.script else None)


def _told_to(told: Refuse | RefuseRule) -> Refused:
    status = told.refuse if isinstance(told, Refuse) else told.status
    return rehearsed(status, ErrorBody(told.message, type=told.type, code=told.error_code), told.retry_after_s)
