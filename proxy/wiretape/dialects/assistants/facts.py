"""Assistants objects as neutral facts: of a stream's event, of a JSON answer, of a request's body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Raw

from wiretape.dialects.assistants.decode import SHAPES, Envelope, Shape, decode, unwrap
from wiretape.dialects.assistants.events import (
    AssistantStreamEvent,
    DoneEvent,
    ErrorEvent,
    ThreadMessageDelta,
    ThreadRunStepDelta,
    UnknownEvent,
)
from wiretape.dialects.assistants.objects import NULL, Assistant, ContentPart, ErrorBody, Seconds, Text
from wiretape.dialects.assistants.run_objects import (
    Count,
    CreateRun,
    Page,
    RequiredAction,
    Run,
    RunStep,
    SubmitToolOutputs,
    ToolCall,
    Usage,
)
from wiretape.dialects.events import (
    AgentSeen,
    Asked,
    Content,
    ContentKind,
    ErrorSeen,
    Facts,
    Kind,
    Route,
    RunSeen,
    StepSeen,
    StreamEnd,
    Tokens,
    ToolSeen,
    Unknown,
)
from wiretape.wire.sse import Frame

_TEXT: Final[Facts] = (Content(ContentKind.TEXT),)
_TOOL_ARGS: Final[Facts] = (Content(ContentKind.TOOL_ARGS),)
_CODE: Final[Facts] = (Content(ContentKind.CODE),)
CONTENTS: Final = (_TEXT, _TOOL_ARGS, _CODE)
"""What a delta says that adds to a text and opens no call."""
_DELTAS = tuple(f"event: {struct.event}\n".encode() for struct in (ThreadMessageDelta, ThreadRunStepDelta))
_ENDS = frozenset({"cancelled", "completed", "expired", "failed", "incomplete"})
"""Of runs and of steps (chapters 6.6 and 6.7)."""
_STREAM_END: Final[Facts] = (StreamEnd(),)
_MILLISECONDS_FROM = 10**11
"""A stamp from here on is in milliseconds (Alibaba Model Studio); as seconds it would be the year 5138."""
_SECONDS_END = 2**33
"""Stamps from the year 2242 on are taken for none: as nanoseconds they would not fit 64 bits."""
_TOKENS_MAX = 2**40
"""More is nonsense. Of millions of such runs the sum still fits the 64 bits that OTLP and SQLite have for it, and so
does what one costs in thousand millionths of a dollar: beyond them no metric would be exported, and no report made."""
_UNNAMED = frozenset({"", "message"})
"""`message` is what WHATWG calls an event without a name."""
_ENVELOPE, _PAGE = Shape(Envelope), Shape(Page[Raw])
_RUN, _STEP, _ASSISTANT = Shape(Run), Shape(RunStep), Shape(Assistant)
_CREATE_RUN, _SUBMIT = Shape(CreateRun), Shape(SubmitToolOutputs)


def event(frame: Frame) -> Facts:
    """What one frame says. Deltas are the hot path: they make no new fact, and their keys are not counted."""
    name, data = frame.event, frame.data or b""
    if name in _UNNAMED:
        name, data = unwrap(data)
    told = decode(name, data)
    if type(told) is ThreadMessageDelta:
        return _message_delta(told)
    if type(told) is ThreadRunStepDelta:
        return _step_delta(told)
    shape = SHAPES.get(name)
    return (*_snapshot(told, name), *_unknown(shape.unknown_fields(data) if shape else 0))


def is_delta(data: bytes) -> bool:
    """Whether these bytes are one delta in the form that the service sends."""
    return data.startswith(_DELTAS) and data.find(b"\n\n") == len(data) - 2


def answer(route: Route, body: bytes) -> Facts:
    """What a JSON answer says; its `object` tells what it is, where that is missing the route does."""
    head = _ENVELOPE.read(body)
    if head.object == "list":
        items = map(bytes, _PAGE.read(body).data)
        return tuple(fact for item in items for fact in _object(item, _ENVELOPE.read(item).object))
    return _object(body, head.object or (_EXPECTED.get(route.kind) if head.error == NULL else None))


def asked(route: Route, body: bytes) -> Asked:
    """What the body of a request says that starts or resumes a run."""
    if route.kind is Kind.RESUME:
        outputs = _SUBMIT.read(body)
        calls = tuple(output.tool_call_id for output in outputs.tool_outputs or () if output.tool_call_id)
        return Asked(stream=outputs.stream, answered_calls=calls)
    run = _CREATE_RUN.read(body)
    return Asked(run.assistant_id, run.model, run.stream)


_EXPECTED = dict.fromkeys((Kind.START, Kind.RESUME, Kind.CANCEL, Kind.CHANGE, Kind.POLL), "thread.run") | {
    Kind.AGENT_CREATE: "assistant"
}


def _object(data: bytes, kind: str | None) -> Facts:
    match kind:
        case "thread.run":
            run = _RUN.read(data)
            return (*_run(run, run.status or ""), *_unknown(_RUN.unknown_fields(data)))
        case "thread.run.step":
            step = _STEP.read(data)
            return (*_step(step, step.status or ""), *_unknown(_STEP.unknown_fields(data)))
        case "assistant":
            return (*_agent(_ASSISTANT.read(data)), *_unknown(_ASSISTANT.unknown_fields(data)))
        case _:
            return ()


def _unknown(fields: int) -> Facts:
    return (Unknown(fields=fields),) if fields else ()


def _snapshot(told: AssistantStreamEvent | UnknownEvent, name: str) -> Facts:
    match told:
        case Run():
            return _run(told, _status(name, told.status, "queued"))
        case RunStep():
            return _step(told, _status(name, told.status, "in_progress"))
        case ErrorEvent():
            return (ErrorSeen(_error_code(told)),)
        case UnknownEvent():
            return (Unknown(events=1),)
        case DoneEvent():
            return _STREAM_END
        case _:
            return ()


def _status(name: str, told: str | None, first: str) -> str:
    """An end told by `status` counts, whatever the event's name; else the name does, but for `…created`.

    The service has sent `thread.run.completed` with `incomplete` in it, and a reason (ruby-openai, 2024-04-29).
    """
    named = name.rpartition(".")[2]
    if told in _ENDS:
        return told
    return told or first if named == "created" else named


def _error_code(event: ErrorEvent) -> str:
    body: ErrorBody = event
    if isinstance(event.error, ErrorBody):
        body = event.error
    return str(body.code or body.type or "error")


def _message_delta(told: ThreadMessageDelta) -> Facts:
    content = told.delta.content
    for part in content if isinstance(content, tuple) else (content,):
        if part is not None and _is_written(part):
            return _TEXT
    return ()


def _is_written(part: ContentPart) -> bool:
    text = part.text
    return bool((text.value if isinstance(text, Text) else text) or part.refusal)


def _step_delta(told: ThreadRunStepDelta) -> Facts:
    details = told.delta.step_details
    calls = (details and details.tool_calls) or ()
    if len(calls) == 1 and not calls[0].id:
        return _written(calls[0])
    opened = tuple(_tool(call, told.id) for call in calls if call.id)
    return (*opened, *next(filter(None, map(_written, calls)), ()))


def _written(call: ToolCall) -> Facts:
    if call.function is not None and call.function.arguments:
        return _TOOL_ARGS
    return _CODE if call.code_interpreter is not None and call.code_interpreter.input else ()


def _agent(agent: Assistant) -> Facts:
    return (AgentSeen(agent.id, agent.name, agent.model),) if agent.id else ()


def _run(run: Run, status: str) -> Facts:
    if not run.id:
        return ()
    seen = RunSeen(
        run_id=run.id,
        status=status,
        thread_id=run.thread_id,
        assistant_id=run.assistant_id,
        model=run.model,
        error=_run_error(run),
        tokens=_tokens(run.usage),
        created_s=_seconds(run.created_at),
        expires_s=_seconds(run.expires_at),
        pending=tuple(_pending(run.required_action)),
    )
    return (seen,)


def _run_error(run: Run) -> str | None:
    reason = run.incomplete_details.reason if run.incomplete_details else None
    return (run.last_error.code if run.last_error else None) or reason


def _pending(action: RequiredAction | None) -> Iterator[ToolSeen]:
    waiting = (action.submit_tool_outputs, action.submit_tool_approval) if action else ()
    for calls in waiting:
        yield from (_tool(call, None, by_client=True) for call in (calls and calls.tool_calls) or () if call.id)


def _step(step: RunStep, status: str) -> Facts:
    if not step.id:
        return ()
    details = step.step_details
    calls = (details and details.tool_calls) or ()
    ended_at = step.completed_at or step.failed_at or step.cancelled_at or step.expired_at
    seen = StepSeen(
        step_id=step.id,
        run_id=step.run_id,
        type=step.type,
        status=status,
        ended=status in {"completed", "failed", "cancelled", "expired"},
        error=step.last_error.code if step.last_error else None,
        tokens=_tokens(step.usage),
        created_s=_seconds(step.created_at),
        ended_s=_seconds(ended_at),
        tools=tuple(_tool(call, step.id) for call in calls if call.id),
    )
    return (seen,)


def _tool(call: ToolCall, step_id: str | None, *, by_client: bool = False) -> ToolSeen:
    """A call of a function is the client's to run; every other type is named by its type."""
    name = (call.function.name if call.function else None) or call.type
    return ToolSeen(call.id, call.type, name, step_id, by_client or call.type == "function")


def _tokens(usage: Usage | None) -> Tokens | None:
    if usage is None or (usage.prompt_tokens is None and usage.completion_tokens is None):
        return None
    cached, reasoning = usage.prompt_token_details, usage.completion_tokens_details
    return Tokens(
        _count(usage.prompt_tokens),
        _count(usage.completion_tokens),
        _count(cached.cached_tokens if cached else None),
        _count(reasoning.reasoning_tokens if reasoning else None),
    )


def _count(told: Count) -> int:
    return int(min(max(told or 0, 0), _TOKENS_MAX))


def _seconds(stamp: Seconds) -> float | None:
    """Of a whole number of any size, which a float may not hold."""
    if stamp is None or not 0 <= stamp < _SECONDS_END * 1000:
        return None
    seconds = stamp / 1000 if stamp >= _MILLISECONDS_FROM else stamp
    return seconds if seconds < _SECONDS_END else None
