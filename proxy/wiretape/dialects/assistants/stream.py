"""One Assistants stream, checked event by event: its place in the grammar, and the rules about what events carry.

The rules are those of the wire reference, chapter 7, with what chapters 5 and 6 add to them; what chapter 7
marks as captured is an error where it is broken, what is inferred is a warning. An `error` event may have
stood in place of anything, so behind it only ids and order are checked. What is kept is no larger than the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wiretape.dialects.assistants import grammar
from wiretape.dialects.assistants.account import Account
from wiretape.dialects.assistants.decode import decode, unwrap
from wiretape.dialects.assistants.events import AssistantStreamEvent, ErrorEvent, UnknownEvent
from wiretape.dialects.assistants.objects import Message, Thread
from wiretape.dialects.assistants.rules import Work
from wiretape.dialects.assistants.run_objects import Run, RunStep
from wiretape.dialects.events import Kind, Route
from wiretape.dialects.findings import Complaint, Finding
from wiretape.errors import DecodeFailed

_UNNAMED: Final = frozenset({"", "message"})
_END_MARK: Final = b"[DONE]"


class StreamOrder:
    """Checks one stream (a `findings.Order`); `kind` says whether it starts or resumes a run, where that is known."""

    def __init__(self, kind: Kind = Kind.OTHER) -> None:
        self._place = grammar.STARTS.get(kind, grammar.START)
        self._number = 0
        self._findings: list[Finding] = []
        self._ids: dict[str, str] = {}
        self._former = b""
        self._work = Work()
        self._account = Account()
        self._is_torn = False

    def feed(self, name: str, data: bytes) -> None:
        """The next event; one of an unknown name passes."""
        self._number += 1
        try:
            name, data = unwrap(data) if name in _UNNAMED else (name, data)
            told = decode(name, data)
        except DecodeFailed:
            self._find(Complaint("readable", f"{name or 'an event'} whose data cannot be read", "a JSON object"))
            return
        if not isinstance(told, UnknownEvent):
            self._find(*self._checked(told, data))

    def finish(self) -> list[Finding]:
        """All findings, in the order of the events."""
        self._find(grammar.unexpected(self._place, grammar.STREAM_END))
        return self._findings

    def _find(self, *complaints: Complaint | None) -> None:
        self._findings += [complaint.at(self._number) for complaint in complaints if complaint is not None]

    def _checked(self, told: AssistantStreamEvent, data: bytes) -> Iterator[Complaint | None]:
        event, before = told.event, self._place
        self._place = grammar.place_after(before, event)
        yield grammar.unexpected(before, event)
        yield _pair(before, event, self._former, data)
        self._former = data
        yield from self._other_ids(told)
        yield _status(told)
        yield from self._content(told, data)

    def _other_ids(self, told: AssistantStreamEvent) -> Iterator[Complaint]:
        """One run id and one thread id per stream; the first one told is the one expected."""
        for rule, found in _ids(told):
            expected = self._ids.setdefault(rule, found) if found else found
            if found != expected:
                yield Complaint(rule, f"{found} in {told.event}", f"{expected} as before")

    def _content(self, told: AssistantStreamEvent, data: bytes) -> Iterator[Complaint]:
        if told.event == grammar.DONE and data.strip() != _END_MARK:
            yield Complaint("done", "done with other data", "[DONE]")
        self._is_torn = self._is_torn or isinstance(told, ErrorEvent)
        if not self._is_torn:
            yield from self._work.see(told, resumed=self._place == grammar.RESUMED)
            yield from self._account.see(told)


def order(route: Route) -> StreamOrder:
    """A check of the stream that answers a request on this route."""
    return StreamOrder(route.kind)


def _pair(place: str, event: str, former: bytes, data: bytes) -> Complaint | None:
    if (place, event) not in grammar.PAIRS or former == data:
        return None
    return Complaint("pair", f"{event} with other data than {place}", "the same bytes")


def _ids(told: AssistantStreamEvent) -> tuple[tuple[str, str | None], ...]:
    match told:
        case Thread():
            return (("thread-id", told.id),)
        case Run():
            return (("run-id", told.id), ("thread-id", told.thread_id))
        case RunStep() | Message():
            return (("run-id", told.run_id), ("thread-id", told.thread_id))
        case _:
            return ()


def _status(told: AssistantStreamEvent) -> Complaint | None:
    """The status an event carries is the one of its name; `created` stands for what is so at first (chapter 5).

    Not firm: in a capture of 2024-04-29 a run that is `incomplete` comes in `thread.run.completed`.
    """
    if not isinstance(told, Run | RunStep | Message) or told.status is None:
        return None
    named = told.event.rpartition(".")[2]
    first = "queued" if isinstance(told, Run) else "in_progress"
    expected = first if named == "created" else named
    if told.status == expected:
        return None
    return Complaint("status", f"status {told.status} in {told.event}", expected, firm=False)
