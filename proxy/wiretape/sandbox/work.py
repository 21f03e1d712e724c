"""Runs and their steps: fields in the order of the wire (reference 6.5 to 6.8)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from wiretape.sandbox.calls import ToolCalls
from wiretape.sandbox.content import Json
from wiretape.sandbox.objects import TERMINAL, JsonObject, Metadata, Reason, Tool


class CachedTokens(Struct, frozen=True):
    """Part of the prompt tokens."""

    cached_tokens: int = 0


class ReasoningTokens(Struct, frozen=True):
    """Part of the completion tokens."""

    reasoning_tokens: int = 0


class Usage(Struct, frozen=True):
    """Tokens; the wire says `prompt_token_details`, unlike chat completions."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_token_details: CachedTokens = CachedTokens()
    completion_tokens_details: ReasoningTokens = ReasoningTokens()

    def __add__(self, other: Usage) -> Usage:
        """Both together: a run's usage is the sum of its steps'."""
        return tokens(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.prompt_token_details.cached_tokens + other.prompt_token_details.cached_tokens,
            self.completion_tokens_details.reasoning_tokens + other.completion_tokens_details.reasoning_tokens,
        )


def tokens(prompt: int, completion: int, cached: int = 0, reasoning: int = 0) -> Usage:
    """The usage that these counts make; cached are among the prompt's, reasoning among the completion's."""
    return Usage(prompt, completion, prompt + completion, CachedTokens(cached), ReasoningTokens(reasoning))


class LastError(Struct, frozen=True):
    """Why a run or a step failed."""

    code: str
    message: str


class NamedFunction(Struct, frozen=True):
    """The function a tool choice insists on."""

    name: str


class NamedTool(Struct, frozen=True, omit_defaults=True):
    """A tool choice that insists on one tool."""

    type: Literal["function", "code_interpreter", "file_search"]
    function: NamedFunction | None = None


ToolChoice = Literal["none", "auto", "required"] | NamedTool


class Truncation(Struct, frozen=True):
    """How much of the thread a run reads; the sandbox reads all."""

    type: Literal["auto", "last_messages"] = "auto"
    last_messages: int | None = None


class WantedFunction(Struct, frozen=True):
    """A function call as the client is asked to run it; `arguments` is JSON text."""

    name: str
    arguments: str


class WantedCall(Struct, frozen=True, kw_only=True):
    """A tool call that waits for its output."""

    id: str
    type: str = "function"
    function: WantedFunction


class WantedCalls(Struct, frozen=True):
    """All the calls that wait."""

    tool_calls: tuple[WantedCall, ...]


class RequiredAction(Struct, frozen=True, kw_only=True):
    """What a run in `requires_action` waits for."""

    type: str = "submit_tool_outputs"
    submit_tool_outputs: WantedCalls


class Run(Struct, frozen=True, kw_only=True):
    """A run: 29 fields, as on the wire."""

    id: str
    object: str = "thread.run"
    created_at: int
    assistant_id: str
    thread_id: str
    status: str = "queued"
    started_at: int | None = None
    expires_at: int | None
    cancelled_at: int | None = None
    failed_at: int | None = None
    completed_at: int | None = None
    required_action: RequiredAction | None = None
    last_error: LastError | None = None
    model: str
    instructions: str | None
    tools: tuple[Tool, ...]
    tool_resources: JsonObject
    metadata: Metadata
    temperature: float | None
    top_p: float | None
    reasoning_effort: str | None
    max_completion_tokens: int | None
    max_prompt_tokens: int | None
    truncation_strategy: Truncation
    incomplete_details: Reason | None = None
    usage: Usage | None = None
    response_format: Json
    tool_choice: ToolChoice
    parallel_tool_calls: bool

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in TERMINAL


class MessageId(Struct, frozen=True):
    """The message a step makes."""

    message_id: str


class MessageCreation(Struct, frozen=True, tag_field="type", tag="message_creation"):
    """What a step does that writes a message."""

    message_creation: MessageId


class Step(Struct, frozen=True, kw_only=True):
    """A run step: 15 fields, as on the wire."""

    id: str
    object: str = "thread.run.step"
    created_at: int
    run_id: str
    assistant_id: str
    thread_id: str
    type: str
    status: str = "in_progress"
    cancelled_at: int | None = None
    completed_at: int | None = None
    expires_at: int | None
    failed_at: int | None = None
    last_error: LastError | None = None
    step_details: MessageCreation | ToolCalls
    usage: Usage | None = None
