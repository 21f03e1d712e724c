"""Runs, run steps and the bodies that start and feed them, as they are on the wire (see `objects`)."""

from __future__ import annotations

from typing import Generic, TypeVar

from wiretape.dialects.assistants.objects import NULL, Name, Opaque, Reason, Seconds, Tool, Wire

T = TypeVar("T")
Count = int | float | None
"""A whole number, which JSON may also write as `12.0` or `1e3`."""


class CachedTokens(Wire, frozen=True, kw_only=True):
    """Part of the prompt that was read from a cache."""

    cached_tokens: Count = None


class ReasoningTokens(Wire, frozen=True, kw_only=True):
    """Part of the completion that was reasoning."""

    reasoning_tokens: Count = None


class Usage(Wire, frozen=True, kw_only=True):
    """Tokens of a run or a step; `prompt_token_details` is singular here, plural on chat completions."""

    prompt_tokens: Count = None
    completion_tokens: Count = None
    total_tokens: Count = None
    prompt_token_details: CachedTokens | None = None
    completion_tokens_details: ReasoningTokens | None = None


class LastError(Wire, frozen=True, kw_only=True):
    """Why a run or a step failed."""

    code: Name | None = None
    message: str | None = None


class FunctionCall(Wire, frozen=True, kw_only=True):
    """A call of a client's function; `output` is null until it was submitted, absent in `required_action`."""

    name: Name | None = None
    arguments: str | None = None
    output: str | None = None


class CodeOutput(Wire, frozen=True, kw_only=True):
    """`logs` or `image`; `index` in deltas only."""

    type: str = ""
    index: int | None = None
    logs: str | None = None
    image: Opaque = NULL


class CodeInterpreter(Wire, frozen=True, kw_only=True):
    """Code that the service ran."""

    input: str | None = None
    outputs: tuple[CodeOutput, ...] | None = None


class FoundText(Wire, frozen=True, kw_only=True):
    """A passage that file search found; only sent when `include[]` asks for it."""

    type: str = ""
    text: str | None = None


class FoundFile(Wire, frozen=True, kw_only=True):
    """A file that file search found; the service adds `attributes`."""

    file_id: str | None = None
    file_name: str | None = None
    score: float | None = None
    content: tuple[FoundText, ...] | None = None
    attributes: Opaque = NULL


class FileSearch(Wire, frozen=True, kw_only=True):
    """A search that the service ran."""

    ranking_options: Opaque = NULL
    results: tuple[FoundFile, ...] | None = None


class ToolCall(Wire, frozen=True, kw_only=True):
    """One call of a tool; `index` in deltas only, where `id` comes with the first piece alone."""

    id: Name = ""
    index: int | None = None
    type: Name = ""
    function: FunctionCall | None = None
    code_interpreter: CodeInterpreter | None = None
    file_search: FileSearch | None = None


class PendingCalls(Wire, frozen=True, kw_only=True):
    """The calls whose results the run waits for."""

    tool_calls: tuple[ToolCall, ...] | None = ()


class RequiredAction(Wire, frozen=True, kw_only=True):
    """`submit_tool_outputs`; Foundry adds `submit_tool_approval`."""

    type: str = ""
    submit_tool_outputs: PendingCalls | None = None
    submit_tool_approval: PendingCalls | None = None


class TruncationStrategy(Wire, frozen=True, kw_only=True):
    """How much of the thread the run reads."""

    type: str = ""
    last_messages: int | None = None


class Run(Wire, frozen=True, kw_only=True):
    """A run; `started_at` is overwritten at every resume, `expires_at` is null once completed."""

    id: Name = ""
    object: str = "thread.run"
    created_at: Seconds = None
    assistant_id: Name | None = None
    thread_id: Name | None = None
    status: Name | None = None
    started_at: Seconds = None
    expires_at: Seconds = None
    cancelled_at: Seconds = None
    failed_at: Seconds = None
    completed_at: Seconds = None
    required_action: RequiredAction | None = None
    last_error: LastError | None = None
    model: Name | None = None
    instructions: str | None = None
    tools: tuple[Tool, ...] | None = ()
    tool_resources: Opaque = NULL
    metadata: Opaque = NULL
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    max_completion_tokens: int | None = None
    max_prompt_tokens: int | None = None
    truncation_strategy: TruncationStrategy | None = None
    incomplete_details: Reason | None = None
    usage: Usage | None = None
    response_format: Opaque = NULL
    tool_choice: Opaque = NULL
    parallel_tool_calls: bool | None = None


class CreatedMessage(Wire, frozen=True, kw_only=True):
    """The message that a step makes."""

    message_id: str | None = None


class StepDetails(Wire, frozen=True, kw_only=True):
    """`message_creation` or `tool_calls`; Foundry adds `activities`. In deltas the calls are pieces."""

    type: str = ""
    message_creation: CreatedMessage | None = None
    tool_calls: tuple[ToolCall, ...] | None = ()


class RunStep(Wire, frozen=True, kw_only=True):
    """A run step; the schema says `expired_at` and `metadata`, the wire has `expires_at` and neither."""

    id: Name = ""
    object: str = "thread.run.step"
    created_at: Seconds = None
    run_id: Name | None = None
    assistant_id: str | None = None
    thread_id: str | None = None
    type: Name = ""
    status: Name | None = None
    cancelled_at: Seconds = None
    completed_at: Seconds = None
    expired_at: Seconds = None
    expires_at: Seconds = None
    failed_at: Seconds = None
    last_error: LastError | None = None
    step_details: StepDetails | None = None
    usage: Usage | None = None
    metadata: Opaque = NULL


class StepFragment(Wire, frozen=True, kw_only=True):
    """What a step delta adds."""

    step_details: StepDetails | None = None


class RunStepDelta(Wire, frozen=True, kw_only=True):
    """A piece of a step."""

    id: Name = ""
    object: str = "thread.run.step.delta"
    delta: StepFragment = StepFragment()


class Page(Wire, Generic[T], frozen=True, kw_only=True):
    """A list answer."""

    object: str = "list"
    data: tuple[T, ...] = ()
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool | None = None


class CreateRun(Wire, frozen=True, kw_only=True):
    """What we read of the body that starts a run."""

    assistant_id: Name | None = None
    model: Name | None = None
    stream: bool | None = None


class ToolOutput(Wire, frozen=True, kw_only=True):
    """The result of one call."""

    tool_call_id: Name | None = None
    output: str | None = None


class SubmitToolOutputs(Wire, frozen=True, kw_only=True):
    """The body that hands in the results of all pending calls."""

    tool_outputs: tuple[ToolOutput, ...] | None = ()
    stream: bool | None = None
