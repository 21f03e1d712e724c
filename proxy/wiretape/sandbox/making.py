"""Objects as requests make them: what was sent, else what is known, else the service's default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from wiretape.sandbox.bodies import AnyRun, AssistantFields, NewAssistant, NewThread, NewThreadRun, labels
from wiretape.sandbox.objects import RUN_LIFE_S, Assistant, JsonObject, Thread
from wiretape.sandbox.plot import count
from wiretape.sandbox.sent_tools import SentCodeInterpreter, SentFileSearch, SentTool, kept_tools, plain
from wiretape.sandbox.work import Run, ToolChoice, Truncation


def new_assistant(sent: NewAssistant, assistant_id: str, now_s: float) -> Assistant:
    """A new assistant: what was sent, else the service's default."""
    return Assistant(
        id=assistant_id,
        created_at=int(now_s),
        name=sent.name,
        description=sent.description,
        model=sent.model,
        instructions=sent.instructions,
        tools=kept_tools(sent.tools or ()),
        top_p=_or(sent.top_p, 1.0),
        temperature=_or(sent.temperature, 1.0),
        reasoning_effort=sent.reasoning_effort,
        tool_resources={**_resources(sent.tools or ()), **(plain(sent.tool_resources) or {})},
        metadata=labels(sent.metadata),
        response_format=_or(plain(sent.response_format), "auto"),
    )


def changed(known: Assistant, sent: AssistantFields) -> Assistant:
    """The assistant with what was sent, and nothing else changed."""
    changes = {name: plain(value) for name, value in msgspec.structs.asdict(sent).items() if value is not None}
    tools = known.tools if sent.tools is None else kept_tools(sent.tools)
    return replace(known, **{**changes, "tools": tools})


def _resources(tools: Sequence[SentTool]) -> JsonObject:
    """What the service filled in: empty lists of what the hosted tools work on."""
    kinds = {type(tool) for tool in tools}
    code: JsonObject = {"code_interpreter": {"file_ids": []}} if SentCodeInterpreter in kinds else {}
    search: JsonObject = {"file_search": {"vector_store_ids": []}} if SentFileSearch in kinds else {}
    return {**code, **search}


def new_thread(sent: NewThread, thread_id: str, now_s: float) -> Thread:
    """A new thread, without its messages."""
    return Thread(
        id=thread_id,
        created_at=int(now_s),
        metadata=labels(sent.metadata),
        tool_resources=plain(sent.tool_resources) or {},
    )


def new_run(sent: AnyRun, assistant: Assistant, run_id: str, thread_id: str, now_s: float) -> Run:
    """A queued run: what was sent, else what the assistant has, else the service's default."""
    resources = sent.tool_resources if isinstance(sent, NewThreadRun) else None
    return Run(
        id=run_id,
        created_at=int(now_s),
        assistant_id=assistant.id,
        thread_id=thread_id,
        expires_at=int(now_s) + RUN_LIFE_S,
        model=_or(sent.model, assistant.model),
        instructions=instructions(sent, assistant),
        tools=assistant.tools if sent.tools is None else kept_tools(sent.tools),
        tool_resources=plain(resources) or {},
        metadata=labels(sent.metadata),
        temperature=_or(sent.temperature, assistant.temperature),
        top_p=_or(sent.top_p, assistant.top_p),
        reasoning_effort=_or(sent.reasoning_effort, assistant.reasoning_effort),
        max_completion_tokens=sent.max_completion_tokens,
        max_prompt_tokens=sent.max_prompt_tokens,
        truncation_strategy=msgspec.convert(plain(sent.truncation_strategy) or {}, Truncation),
        response_format=_or(plain(sent.response_format), assistant.response_format),
        tool_choice=msgspec.convert(plain(sent.tool_choice) or "auto", ToolChoice),
        parallel_tool_calls=_or(sent.parallel_tool_calls, True),  # noqa: FBT003  a default like the others
    )


def instructions(sent: AnyRun, assistant: Assistant) -> str | None:
    """What the model is told in this run; None where it is told nothing."""
    given = assistant.instructions if sent.instructions is None else sent.instructions
    if not sent.additional_instructions:
        return given
    return f"{given}\n{sent.additional_instructions}" if given else sent.additional_instructions


def overhead(run: Run) -> int:
    """The tokens of what stands before the messages: instructions and tools."""
    return count(run.instructions or "") + count(msgspec.json.encode(run.tools).decode())


def _or(sent: Any, default: Any) -> Any:  # noqa: ANN401  any field of a body, and its default of the same type
    return default if sent is None else sent
