"""What a dialect offers, and the neutral facts it makes of bytes; the tracker knows nothing else.

A dialect is a module (or any object) with the functions of `Dialect`. It holds no state, but for what a stream's
`reader` has read: which run a piece of content belongs to is the watcher's business, which knows the exchange.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from wiretape.dialects.findings import Order
from wiretape.wire.sse import Frame


class Kind(StrEnum):
    """What an exchange on a route does to a run."""

    START = "start"
    """Creates one; the body names the assistant and the model."""
    RESUME = "resume"
    """Hands in what it waits for."""
    CANCEL = "cancel"
    CHANGE = "change"
    POLL = "poll"
    """Reads one run."""
    READ = "read"
    """Reads lists of runs, or steps."""
    AGENT_CREATE = "agent_create"
    AGENT_READ = "agent_read"
    """Answers with assistants, by which their names become known."""
    OTHER = "other"


class Route(Struct, frozen=True):
    """A path that a dialect knows."""

    template: str
    """Such as `/v1/threads/{thread_id}/runs`; there are few of them, whatever clients send."""
    kind: Kind = Kind.OTHER
    run_id: str | None = None
    thread_id: str | None = None


class Asked(Struct, frozen=True):
    """What a request's body says; all None where it does not."""

    assistant_id: str | None = None
    model: str | None = None
    stream: bool | None = None
    answered_calls: tuple[str, ...] = ()
    """Ids of the tool calls whose results are handed in."""


class ContentKind(StrEnum):
    """What a piece of content is."""

    TEXT = "text"
    TOOL_ARGS = "tool_args"
    CODE = "code"


class Content(Struct, frozen=True):
    """A piece of what the model writes, not empty, for the run of its stream."""

    kind: ContentKind


class Tokens(Struct, frozen=True):
    """Tokens; `cached` is part of `prompt`, `reasoning` of `completion`."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0


class ToolSeen(Struct, frozen=True):
    """A tool call; `by_client` where the client must run it."""

    call_id: str
    type: str
    name: str
    step_id: str | None = None
    by_client: bool = False


class RunSeen(Struct, frozen=True, kw_only=True):
    """A run as it stood. `status` is one of the nine of `runs.state`, or one that is not known."""

    run_id: str
    status: str
    thread_id: str | None = None
    assistant_id: str | None = None
    model: str | None = None
    error: str | None = None
    """The code of its last error, or why it is incomplete."""
    tokens: Tokens | None = None
    created_s: float | None = None
    """The server's stamp, Unix seconds; so is `expires_s`."""
    expires_s: float | None = None
    pending: tuple[ToolSeen, ...] = ()
    """The calls it waits for."""


class StepSeen(Struct, frozen=True, kw_only=True):
    """A run step as it stood."""

    step_id: str
    run_id: str | None
    type: str
    status: str
    ended: bool
    error: str | None = None
    tokens: Tokens | None = None
    created_s: float | None = None
    """The server's stamp, Unix seconds; so is `ended_s`."""
    ended_s: float | None = None
    tools: tuple[ToolSeen, ...] = ()


class AgentSeen(Struct, frozen=True):
    """An assistant as it stood."""

    agent_id: str
    name: str | None
    model: str | None


class ErrorSeen(Struct, frozen=True):
    """An error inside a stream; the run itself may live on."""

    code: str


class StreamEnd(Struct, frozen=True):
    """The mark that ends a stream; what breaks off behind it is no loss."""


class Unknown(Struct, frozen=True):
    """Events and fields that passed without being understood."""

    events: int = 0
    fields: int = 0


Fact = Content | ToolSeen | RunSeen | StepSeen | AgentSeen | ErrorSeen | StreamEnd | Unknown
Facts = tuple[Fact, ...]


class Reader(Protocol):
    """Reads one stream's frames in their order."""

    def event(self, frame: Frame) -> Facts:
        """What a frame says; raises DecodeFailed."""

    def alike(self, raw: bytes) -> Facts | None:
        """What bytes say that are one whole frame, and like one before; None for all others. Raises nothing."""


class Dialect(Protocol):
    """One API family. `asked`, `event` and `answer` raise DecodeFailed for bytes that cannot be read."""

    def route(self, method: str, path: str) -> Route | None:
        """The route of a path without its query, or None where the path is not of this family."""

    def asked(self, route: Route, body: bytes) -> Asked:
        """What the body of a START or RESUME request says."""

    def event(self, frame: Frame) -> Facts:
        """What one frame of a stream says; the hot path. `frame.data` is not None."""

    def reader(self) -> Reader:
        """What reads the frames of one stream as `event` does, quicker where they are alike."""

    def is_delta(self, data: bytes) -> bool:
        """Whether bytes of a stream are one event that only adds content: a run stands as before. Raises nothing."""

    def answer(self, route: Route, body: bytes) -> Facts:
        """What a JSON answer says."""

    def order(self, route: Route) -> Order:
        """A check of the order of events in a stream that answers a request on this route; never hot."""

    def realm(self, path: str) -> str | None:
        """The path of what a write under this path may change as a whole: the thread of a message or run."""

    def begins(self, path: str) -> bool:
        """Whether a POST to this path makes such a whole, which only its answer names."""

    def begun(self, path: str, answer: bytes) -> str | None:
        """The path of what a POST to this path has made, by its answer."""
