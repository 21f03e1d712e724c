"""What each name of telemetry means, and which spans and lines carry it: the words of docs/reference/telemetry.md."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from wiretape.exchange import How
from wiretape.telemetry import vocabulary as v

MEANINGS: Mapping[str, str] = {
    v.ERROR_TYPE: "What went wrong: an error code of ours, a status, the service's `last_error.code`; else none.",
    v.HTTP_REQUEST_METHOD: "The method; `_OTHER` where HTTP knows none of that name.",
    v.HTTP_RESPONSE_STATUS_CODE: "The status the client was told; on an upstream's exchange, the upstream's.",
    v.HTTP_ROUTE: "The path with ids replaced, such as `/v1/threads/{thread_id}/runs`.",
    v.URL_TEMPLATE: "As `http.route`, of what was asked upstream.",
    v.SERVER_ADDRESS: "The upstream's host name, or its socket's path.",
    v.SERVER_PORT: "The upstream's port.",
    v.OPERATION_NAME: "`invoke_agent` (a run), `create_agent` (an assistant made) or `execute_tool`.",
    v.PROVIDER_NAME: "Whose protocol it is: `openai`.",
    v.REQUEST_MODEL: "The model that was asked for; in metrics, one of those told apart, else `_OTHER`.",
    v.RESPONSE_MODEL: "The model that the service says it used.",
    v.AGENT_ID: "The assistant's id.",
    v.AGENT_NAME: "The assistant's name, where its creation or a read of it was seen.",
    v.CONVERSATION_ID: "The thread's id.",
    v.FINISH_REASONS: "Why the run ended: `stop`, `length`, `content_filter` or `error`.",
    v.TIME_TO_FIRST_CHUNK: "Seconds from a streamed run's creation to its first content.",
    v.USAGE_INPUT: "Input tokens of the run.",
    v.USAGE_OUTPUT: "Output tokens of the run.",
    v.USAGE_CACHED: "Input tokens read from a cache; part of the input tokens.",
    v.USAGE_REASONING: "Output tokens spent on reasoning; part of the output tokens.",
    v.TOOL_NAME: "The function's name, or the tool's type.",
    v.TOOL_TYPE: "`function` (run by the client), `extension` or `datastore` (run by the service).",
    v.TOOL_CALL_ID: "The call's id.",
    v.TOKEN_TYPE: "`input` or `output`.",
    v.TOKEN_MODALITY: "`unknown`: the service does not tell it. Only with `gen_ai_latest_experimental`.",
    v.RUN_ID: "The run's id.",
    v.RUN_STATUS: "The last status that was seen.",
    v.RUN_OUTCOME: "`completed`, `failed`, `cancelled`, `expired`, `incomplete`, or `abandoned` where no end was seen.",
    v.RUN_USAGE_SOURCE: "Where the tokens are from: `run`, `steps`, or `none`.",
    v.RUN_POLLS: "Reads of the run.",
    v.RUN_EXCHANGES: "Exchanges that carried it.",
    v.RUN_EVENTS: "Events of its streams.",
    v.RUN_STEPS: "Its steps.",
    v.RUN_TOOL_CALLS: "Tool calls of all its steps.",
    v.RUN_TTFE_S: "Seconds from its creation to its first event of any kind.",
    v.RUN_TTFT_S: "Seconds from its creation to its first content.",
    v.RUN_TTFT_KIND: "What that content was: `text`, `tool`, `code` or the like.",
    v.RUN_PHASE_QUEUE_S: "Seconds in the service's queue.",
    v.RUN_PHASE_MODEL_S: "Seconds of the model's own work.",
    v.RUN_PHASE_TOOL_WAIT_S: "Seconds that the client's tools took.",
    **{
        name: f"Seconds between two pieces of content, {told}."
        for (name, _), told in zip(v.RUN_ITL_S, ("half are below", "95 % are below", "the longest"), strict=True)
    },
    v.MODE: "What the proxy did: `forward`, `record`, `replay` and so on.",
    v.CASSETTE: "The cassette that recorded or answered.",
    v.AGENT_ALIAS: "The assistant's alias in `[telemetry.agents]`, else `_OTHER`.",
    v.COST_NANO_USD: "What the run cost, in billionths of a US dollar; none where price or tokens are unknown.",
    v.PRICE_VERSION: "The price that it was counted by.",
    v.KEY_ALIAS: "The alias of the caller's key in `[telemetry.keys]`, else `_OTHER`.",
    v.PHASE: "Of a run: `queue`, `model`, `tool_wait`. Of the proxy: `request`, `first_byte`, `chunk`.",
    v.REASON: "How or why; the values are listed below.",
    v.SIGNAL: "What lost it; the values are listed below.",
    "openinference.span.kind": "`AGENT`, `LLM` (a step with tokens), `CHAIN` (one without) or `TOOL`.",
    "llm.model_name": "The run's model.",
    "llm.token_count.prompt": "Input tokens of the step, or of a run whose steps tell none.",
    "llm.token_count.completion": "Output tokens, likewise.",
    "llm.token_count.total": "Their sum.",
    "llm.token_count.prompt_details.cache_read": "Input tokens that were read from a cache.",
    "llm.token_count.completion_details.reasoning": "Output tokens spent on reasoning.",
}
"""Every attribute of a span, a link, a metric."""

RESOURCE = {
    "service.name": "`wiretape`, or what `OTEL_SERVICE_NAME` says.",
    "service.instance.id": "One process's own, made by the SDK at its start.",
    "service.version": "Wiretape's version.",
    "telemetry.sdk.language": "`python`.",
    "telemetry.sdk.name": "`opentelemetry`.",
    "telemetry.sdk.version": "The SDK's version.",
}
"""Attributes of the resource that spans and metrics are of."""


class Span(Struct, frozen=True):
    """One kind of span."""

    title: str
    told: str
    attributes: tuple[str, ...]
    links: tuple[str, ...] = ()
    openinference: tuple[str, ...] = ()
    """What that profile adds."""


_HTTP = (v.HTTP_REQUEST_METHOD, v.HTTP_RESPONSE_STATUS_CODE, v.ERROR_TYPE)
_PEER = (v.SERVER_ADDRESS, v.SERVER_PORT)
_KIND = "openinference.span.kind"
_LLM = (
    *(_KIND, "llm.model_name", "llm.token_count.prompt", "llm.token_count.completion", "llm.token_count.total"),
    *("llm.token_count.prompt_details.cache_read", "llm.token_count.completion_details.reasoning"),
)
SPANS = (
    Span(
        "SERVER {method} {route}",
        "An exchange, to its answer's last byte; linked to its run where its caller brought a trace.",
        (*_HTTP, v.HTTP_ROUTE, v.MODE, v.CASSETTE),
        (v.RUN_ID,),
    ),
    Span(
        "CLIENT {method}",
        "Its upstream's part, to the last body byte; below the run that it carried.",
        (*_HTTP, v.URL_TEMPLATE, *_PEER),
        (v.RUN_ID,),
    ),
    Span(
        "CLIENT create_agent {assistant}",
        "An assistant that was made.",
        (v.OPERATION_NAME, v.PROVIDER_NAME, v.REQUEST_MODEL, v.AGENT_ID, v.AGENT_NAME, v.ERROR_TYPE, *_PEER),
    ),
    Span(
        "CLIENT invoke_agent {assistant}",
        "A run, over all its exchanges.",
        (
            *(v.OPERATION_NAME, v.PROVIDER_NAME, v.REQUEST_MODEL, v.RESPONSE_MODEL, v.AGENT_ID, v.AGENT_NAME),
            *(v.CONVERSATION_ID, v.FINISH_REASONS, v.ERROR_TYPE, v.MODE, v.CASSETTE, *_PEER),
            *(v.USAGE_INPUT, v.USAGE_OUTPUT, v.USAGE_CACHED, v.USAGE_REASONING, v.TIME_TO_FIRST_CHUNK),
            *(v.COST_NANO_USD, v.PRICE_VERSION),
            *(v.RUN_ID, v.RUN_STATUS, v.RUN_OUTCOME, v.RUN_USAGE_SOURCE, v.RUN_POLLS, v.RUN_EXCHANGES, v.RUN_EVENTS),
            *(v.RUN_STEPS, v.RUN_TOOL_CALLS, v.RUN_TTFE_S, v.RUN_TTFT_S, v.RUN_TTFT_KIND),
            *(v.RUN_PHASE_QUEUE_S, v.RUN_PHASE_MODEL_S, v.RUN_PHASE_TOOL_WAIT_S, *(name for name, _ in v.RUN_ITL_S)),
        ),
        openinference=_LLM,
    ),
    Span(
        "INTERNAL run_step {type}",
        "A step of a run.",
        (v.ERROR_TYPE,),
        openinference=_LLM,
    ),
    Span(
        "INTERNAL execute_tool {tool}",
        "A tool call; of the client's tools, from the request for it to the outputs.",
        (v.OPERATION_NAME, v.TOOL_NAME, v.TOOL_TYPE, v.TOOL_CALL_ID),
        openinference=(_KIND,),
    ),
)
REASONS: Mapping[str, Mapping[str, str]] = {
    v.STREAM_ENDED.name: {
        How.COMPLETE: "whole",
        How.CLIENT_LEFT: "its client went away, or took nothing for `send_idle_s`",
        How.UPSTREAM_FAILED: "its upstream tore it",
        How.REFUSED: "never begun: the answer is an error of ours",
        How.CANCELLED: "cut by the proxy, as it stopped or as a body failed",
    },
    v.COST_MISSING.name: {"price": "no price is known", "usage": "the tokens are unknown"},
    v.INCIDENTS.name: {
        "interim": "an interim answer (1xx) was dropped",
        "trailers": "trailers were dropped",
        "unasked": "a connection on which an upstream spoke unasked was closed",
        "repeated": "an idempotent request was sent again, as a kept connection had just closed",
    },
    v.REFUSED.name: {
        "bad_request": "no HTTP, or a head that is refused",
        "internal_error": "a mistake of ours",
        "handshake_failed": "a TLS handshake that failed or took more than `tls_handshake_s`",
        "headers_too_large": "a head over its bounds",
        "overloaded": "one over `connections_max`",
    },
}

SIGNALS = {
    "log": "reports that got no line",
    "metrics": "reports that no metric counted",
    "spans": "reports that no span was made of",
    "ledger": "rows that no ledger has",
    "export": "spans that no collector took, of those that were made",
    "export_metrics": "exports of metrics that failed; the next one tells all again",
    "log_lines": "lines that found no reader: the log's pipe was full, or closed",
    "ledger_damaged": "damaged ledgers that were moved aside, in files",
    "observers": "exchanges that something could not watch to their end, as it raised",
    "recorder": "exchanges that a bound or the disk kept out of the cassette",
    "sampling": "spans of runs that waited for their end, to be kept or left out",
    "redact_lookback": "times that `redact_lookback` let go what might have begun a secret",
    "redaction": "reports that could not be redacted, and so were told to nobody",
    "open_runs": "open runs that no save had room for, and saved ones that could not be read",
    "runs_evicted": "runs given up as more than `runs.runs_open_max` were open",
}
"""Values of `wiretape.signal`."""

HEAD = ("timestamp", "level", "event")
FIELDS: Mapping[str, str] = {
    "timestamp": "When it ended, or was noticed; UTC, to the microsecond.",
    "level": "`info`, `warning` or `error`.",
    "event": "The line's name.",
    "assistant_id": "The assistant's id.",
    "at": "Module, function and line that raised it.",
    "bytes_in": "Bytes of the request's body.",
    "bytes_out": "Bytes of the answer's body that the client was given.",
    "cassette": "The cassette that recorded or answered.",
    "code": "Error code of ours, where the exchange ended with one.",
    "cost_nano_usd": "What the run cost, in billionths of a US dollar.",
    "detail": "What it says, without anything that came over the wire.",
    "dropped": "Reports that this sink has lost so far.",
    "duration_ms": "From the first byte of it to the last.",
    "error": "The service's `last_error.code`, why a run was given up, or an exception's type.",
    "error.type": "As the attribute of that name.",
    "events": "Events of its streams.",
    "exchanges": "Exchanges that carried the run.",
    "foreign": "Whether its creation was not seen here.",
    "late": "Of a sink, whether it did not end in time; at the exit, the parts that did not.",
    "method": "The request's method.",
    "mode": "What the proxy did.",
    "model": "The model that answered, or was asked for.",
    "outcome": "How it ended.",
    "overhead_us": "Microseconds of our own, before the request and the answer's head were passed on.",
    "part": "What could not end: `spans` or `metrics`.",
    "place": "Function and line that raised it.",
    "played": "`hit` or `miss`, where a cassette was asked.",
    "polls": "Reads of the run.",
    "route": "The path with ids replaced.",
    "run_id": "The run's id.",
    "sink": "The sink's name.",
    "source": "Who complains: the SDK's module, or a type of error.",
    "span_id": "The exchange's SERVER span.",
    "spans_lost": "Spans that no collector took.",
    "status": "HTTP status the client was told; of a run, its last status.",
    "steps": "Steps of the run.",
    "thread_id": "The thread's id.",
    "tokens": "`input`, `cached` (part of it), `output`, `reasoning` (part of it).",
    "tool_calls": "Tool calls of all its steps.",
    "trace_id": "The trace it is in.",
    "ttfe_ms": "From the run's creation to its first event.",
    "ttft_ms": "From the run's creation to its first content.",
    "variable": "The variable that asks for it.",
    "untold": "Complaints of the same source since the last line.",
    "upstream": "Name of the upstream, or `replay:<session>`.",
    "upstream_processing_ms": "What the upstream said it took (`openai-processing-ms`).",
    "upstream_request_id": "The upstream's `x-request-id`.",
    "usage_source": "Where the tokens are from: `run`, `steps` or `none`.",
}
"""Every field of a line."""


class Line(Struct, frozen=True):
    """One event of the log."""

    name: str
    told: str
    fields: tuple[str, ...]


LINES = (
    Line(
        "exchange.finished",
        "An exchange ended.",
        (
            *("trace_id", "span_id", "upstream", "run_id", "method", "route", "status", "outcome", "error.type"),
            *("code", "mode", "cassette", "played", "duration_ms", "overhead_us", "bytes_in", "bytes_out", "events"),
            *("upstream_request_id", "upstream_processing_ms"),
        ),
    ),
    Line(
        "run.finished",
        "A run ended, or was given up.",
        (
            *("trace_id", "upstream", "run_id", "thread_id", "assistant_id", "model", "status", "outcome"),
            *("error.type", "error", "mode", "cassette", "foreign", "tokens", "usage_source", "ttfe_ms", "ttft_ms"),
            *("cost_nano_usd", "duration_ms", "steps", "tool_calls", "polls", "exchanges", "events"),
        ),
    ),
    Line(
        "run.corrected",
        "Better figures of a run that was reported already.",
        ("upstream", "run_id", "foreign", "status", "outcome", "error", "tokens", "usage_source"),
    ),
    Line("exchange.broken", "A mistake of ours ended an exchange, or its report.", ("error", "place")),
    Line("event_loop.error", "An error on the event loop that nobody waits for.", ("source", "detail", "at", "untold")),
    Line("sink.failed", "A sink raised, or its queue is full.", ("sink", "error", "detail", "dropped")),
    Line("sink.ended", "At the exit: a sink lost reports, or hangs.", ("sink", "late", "dropped")),
    Line("telemetry.sdk_warned", "OpenTelemetry's SDK complains.", ("source", "detail", "untold")),
    Line(
        "telemetry.content_not_captured", "Messages were asked for, which are never exported.", ("variable", "detail")
    ),
    Line("telemetry.shut_down", "At the exit: spans were lost, or an exporter hangs.", ("late", "spans_lost")),
    Line("telemetry.end_failed", "At the exit: an exporter raised.", ("part", "error")),
)
