"""Reports to attributes, and when something counts as an error: pure, shared by spans, metrics and log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wiretape.exchange import How, Trace
from wiretape.runs.report import AgentCreated, ExchangeReport, RunReport, StepReport, ToolReport, Usage
from wiretape.telemetry import values
from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.options import Peer

Value = str | int | float | tuple[str, ...]
Attributes = dict[str, Value]

ATTRIBUTE_BYTES_MAX: Final = 8 * 1024
"""UTF-8 bytes of one attribute value; what is longer is cut."""

_UTF8_BYTES_MAX: Final = 4
_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500


def seconds(length_ns: int) -> float:
    """Nanoseconds as seconds."""
    return length_ns / 1e9


def bounded(text: str) -> str:
    """The text, cut to `ATTRIBUTE_BYTES_MAX` without breaking a character."""
    if len(text) * _UTF8_BYTES_MAX <= ATTRIBUTE_BYTES_MAX:
        return text
    return text.encode()[:ATTRIBUTE_BYTES_MAX].decode(errors="ignore")


def shortened(attributes: Attributes, chars_max: int | None) -> Attributes:
    """The attributes, texts cut to so many characters; as they are where None is given."""
    if chars_max is None:
        return attributes
    return {name: _cut(value, chars_max) for name, value in attributes.items()}


def _cut(value: Value, chars_max: int) -> Value:
    if isinstance(value, tuple):
        return tuple(one[:chars_max] for one in value)
    return value[:chars_max] if isinstance(value, str) else value


def present(facts: Mapping[str, Value | None]) -> Attributes:
    """What is known of the facts, texts bounded."""
    return {
        name: bounded(value) if isinstance(value, str) else value for name, value in facts.items() if value is not None
    }


def method_name(method: str) -> str:
    """The method where the HTTP conventions know it, else `_OTHER`."""
    return method if method in values.METHODS else v.OTHER


def server_error(report: ExchangeReport) -> str | None:
    """`error.type` of a SERVER span: a 5xx, or an answer cut short by anyone but the client."""
    if report.how is How.CLIENT_LEFT:
        return None
    if report.how in {How.UPSTREAM_FAILED, How.CANCELLED}:
        return report.code or report.how.value
    if report.status is not None and report.status >= _SERVER_ERROR:
        return report.code or str(report.status)
    return None


def upstream_status(report: ExchangeReport) -> int | None:
    """The status the upstream sent; none when no head came from it."""
    return None if report.head_ns is None else report.status


def client_error(report: ExchangeReport) -> str | None:
    """`error.type` of a CLIENT span: 4xx, 5xx, no head, or a torn body; a client that hung up is none."""
    status = upstream_status(report)
    if status is not None and status >= _CLIENT_ERROR:
        return str(status)
    if report.how in {How.UPSTREAM_FAILED, How.REFUSED}:
        return report.code or report.how.value
    return None


def run_error(report: RunReport) -> str | None:
    """`error.type` of a run: it failed, expired, or was given up for a reason we know.

    A cancelled run, one cut at its token limit and one whose client left are no errors.
    """
    if report.outcome in {"failed", "expired"}:
        return report.error or report.outcome
    return report.error if report.outcome == "abandoned" else None


def known_error(report: RunReport) -> str | None:
    """`error.type` of a run as a metric may show it."""
    error = run_error(report)
    return v.OTHER if error is not None and error not in values.RUN_ERRORS else error


def finish_reason(report: RunReport) -> str | None:
    """The run's finish reason in the GenAI conventions' words."""
    if report.outcome == "incomplete":
        return values.INCOMPLETES.get(report.error or "", values.INCOMPLETES["max_completion_tokens"])
    return values.FINISHES.get(report.outcome)


def server_facts(report: ExchangeReport) -> Attributes:
    """Attributes of the SERVER span."""
    return present(
        {
            v.HTTP_REQUEST_METHOD: method_name(report.method),
            v.HTTP_ROUTE: report.route,
            v.HTTP_RESPONSE_STATUS_CODE: report.status,
            v.ERROR_TYPE: server_error(report),
            v.MODE: report.mode,
            v.CASSETTE: report.cassette,
        },
    )


def client_facts(report: ExchangeReport, peer: Peer | None) -> Attributes:
    """Attributes of the upstream exchange's CLIENT span."""
    return present(
        {
            v.HTTP_REQUEST_METHOD: method_name(report.method),
            v.URL_TEMPLATE: report.route,
            v.HTTP_RESPONSE_STATUS_CODE: upstream_status(report),
            v.ERROR_TYPE: client_error(report),
        },
    ) | peer_facts(peer)


def peer_facts(peer: Peer | None) -> Attributes:
    """`server.*` of an upstream, where it is known."""
    return {} if peer is None else present({v.SERVER_ADDRESS: peer.address, v.SERVER_PORT: peer.port})


def provider(peer: Peer | None) -> str:
    """`gen_ai.provider.name`; the protocol is OpenAI's where nothing else is said."""
    return v.OPENAI if peer is None else peer.provider


def agent_facts(agent: AgentCreated, report: ExchangeReport, peer: Peer | None) -> Attributes:
    """Attributes of a `create_agent` span."""
    return present(
        {
            v.OPERATION_NAME: v.CREATE_AGENT,
            v.PROVIDER_NAME: provider(peer),
            v.REQUEST_MODEL: agent.model,
            v.AGENT_ID: agent.id,
            v.AGENT_NAME: agent.name,
            v.ERROR_TYPE: client_error(report),
        },
    ) | peer_facts(peer)


def run_facts(report: RunReport, peer: Peer | None) -> Attributes:
    """Attributes of an `invoke_agent` span."""
    reason = finish_reason(report)
    named: dict[str, Value | None] = {
        v.OPERATION_NAME: v.INVOKE_AGENT,
        v.PROVIDER_NAME: provider(peer),
        v.REQUEST_MODEL: report.model_requested or report.model,
        v.RESPONSE_MODEL: report.model,
        v.AGENT_ID: report.assistant_id,
        v.AGENT_NAME: report.assistant_name,
        v.CONVERSATION_ID: report.thread_id,
        v.FINISH_REASONS: None if reason is None else (reason,),
        v.ERROR_TYPE: run_error(report),
        v.MODE: report.mode,
        v.CASSETTE: report.cassette,
    }
    return present(named | _own_facts(report) | _usage_facts(report)) | _time_facts(report) | peer_facts(peer)


def _own_facts(report: RunReport) -> dict[str, Value | None]:
    return {
        v.RUN_ID: report.run_id,
        v.RUN_STATUS: report.status,
        v.RUN_OUTCOME: report.outcome,
        v.RUN_USAGE_SOURCE: report.usage_source,
        v.RUN_POLLS: report.polls,
        v.RUN_EXCHANGES: report.exchanges,
        v.RUN_EVENTS: report.events,
        v.RUN_STEPS: len(report.steps),
        v.RUN_TOOL_CALLS: tool_calls(report),
        v.RUN_TTFT_KIND: report.first_token_kind,
        v.COST_NANO_USD: None if report.cost is None else report.cost.nano_usd,
        v.PRICE_VERSION: None if report.cost is None else report.cost.version,
    }


def tool_calls(report: RunReport) -> int:
    """Tool calls of all the run's steps."""
    return sum(len(step.tools) for step in report.steps)


def _usage_facts(report: RunReport) -> dict[str, Value | None]:
    usage = report.usage
    if usage is None:
        return {}
    return {
        v.USAGE_INPUT: usage.prompt,
        v.USAGE_OUTPUT: usage.completion,
        v.USAGE_CACHED: usage.cached,
        v.USAGE_REASONING: usage.reasoning,
    }


def _time_facts(report: RunReport) -> Attributes:
    lengths_ns = {
        v.TIME_TO_FIRST_CHUNK: report.first_token_ns if report.streamed else None,
        v.RUN_TTFE_S: report.first_event_ns,
        v.RUN_TTFT_S: report.first_token_ns,
        v.RUN_PHASE_QUEUE_S: report.queue_ns,
        v.RUN_PHASE_MODEL_S: report.model_ns,
        v.RUN_PHASE_TOOL_WAIT_S: report.tool_wait_ns,
    }
    gaps_ns = {name: report.gaps.quantile(percent) for name, percent in v.RUN_ITL_S}
    return {name: seconds(length) for name, length in (lengths_ns | gaps_ns).items() if length is not None}


def step_facts(step: StepReport, run: RunReport, profile: v.Profile) -> Attributes:
    """Attributes of a `run_step` span; tokens are on the run alone, except where the profile says otherwise."""
    facts: Attributes = present({v.ERROR_TYPE: step.error})
    shown = profile.is_a("CHAIN") if step.usage is None else _profiled(step.usage, run, profile)
    return facts | shown


def profiled_run(run: RunReport, profile: v.Profile) -> Attributes:
    """What a profile adds to an `invoke_agent` span: tokens, where no step told its own (the run was polled)."""
    if run.usage is None or any(step.usage is not None for step in run.steps):
        return {**profile.is_a("AGENT")}
    return _profiled(run.usage, run, profile)


def _profiled(usage: Usage, run: RunReport, profile: v.Profile) -> Attributes:
    model: Attributes = {} if profile.model is None else present({profile.model: run.model})
    return profile.is_a("LLM") | model | {name: getattr(usage, field) for name, field in profile.usage}


def tool_facts(tool: ToolReport, profile: v.Profile) -> Attributes:
    """Attributes of an `execute_tool` span."""
    return profile.is_a("TOOL") | present(
        {
            v.OPERATION_NAME: v.EXECUTE_TOOL,
            v.TOOL_NAME: tool.name,
            v.TOOL_TYPE: values.TOOL_TYPES.get(tool.type),
            v.TOOL_CALL_ID: tool.call_id,
        },
    )


def joined_run(report: ExchangeReport) -> Trace | None:
    """The trace of the run this exchange belongs to, unless this very exchange created it."""
    created = report.run_trace
    if created is None or report.run_span_id is None:
        return None
    return None if created.server_span_id == report.trace.server_span_id else created
