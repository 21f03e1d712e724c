"""Every name that leaves in telemetry, in one table: span names and attributes, metrics, units, help, buckets.

HTTP, server and error names are the stable ones of the OpenTelemetry semantic conventions and come from their
package. GenAI names come from open-telemetry/semantic-conventions-genai (status Development), which has no package:
PyPI's constants for them are marked deprecated, so they stand here as strings, in the generation whose names the
released instrumentations still emit. Names that no convention has begin with `wiretape.`.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes
from opentelemetry.semconv.metrics import http_metrics

from wiretape.errors import BadRequest, HandshakeFailed, HeadersTooLarge, Overloaded
from wiretape.exchange import How
from wiretape.telemetry.instrument import Instrument, Kind

ERROR_TYPE: Final = error_attributes.ERROR_TYPE
HTTP_REQUEST_METHOD: Final = http_attributes.HTTP_REQUEST_METHOD
HTTP_RESPONSE_STATUS_CODE: Final = http_attributes.HTTP_RESPONSE_STATUS_CODE
HTTP_ROUTE: Final = http_attributes.HTTP_ROUTE
SERVER_ADDRESS: Final = server_attributes.SERVER_ADDRESS
SERVER_PORT: Final = server_attributes.SERVER_PORT
URL_TEMPLATE: Final = "url.template"

# Operations and attributes of docs/gen-ai/gen-ai-agent-spans.md in semantic-conventions-genai.
CREATE_AGENT: Final = "create_agent"
INVOKE_AGENT: Final = "invoke_agent"
EXECUTE_TOOL: Final = "execute_tool"
OPENAI: Final = "openai"
"""`gen_ai.provider.name` where nothing else is said: the protocol is OpenAI's."""
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
AGENT_ID: Final = "gen_ai.agent.id"
AGENT_NAME: Final = "gen_ai.agent.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
USAGE_INPUT: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT: Final = "gen_ai.usage.output_tokens"
USAGE_CACHED: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOKEN_MODALITY: Final = "gen_ai.token.modality"  # noqa: S105 - a metric attribute, no secret
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - as above

RUN_STEP: Final = "run_step"
RUN_ID: Final = "wiretape.run.id"
RUN_STATUS: Final = "wiretape.run.status"
RUN_OUTCOME: Final = "wiretape.run.outcome"
RUN_USAGE_SOURCE: Final = "wiretape.run.usage_source"
RUN_POLLS: Final = "wiretape.run.polls"
RUN_EXCHANGES: Final = "wiretape.run.exchanges"
RUN_EVENTS: Final = "wiretape.run.events"
RUN_STEPS: Final = "wiretape.run.steps"
RUN_TOOL_CALLS: Final = "wiretape.run.tool_calls"
RUN_TTFE_S: Final = "wiretape.run.ttfe_s"
RUN_TTFT_S: Final = "wiretape.run.ttft_s"
RUN_TTFT_KIND: Final = "wiretape.run.ttft_kind"
RUN_PHASE_QUEUE_S: Final = "wiretape.run.phase.queue_s"
RUN_PHASE_MODEL_S: Final = "wiretape.run.phase.model_s"
RUN_PHASE_TOOL_WAIT_S: Final = "wiretape.run.phase.tool_wait_s"
RUN_ITL_S: Final = (("wiretape.run.itl.p50_s", 50), ("wiretape.run.itl.p95_s", 95), ("wiretape.run.itl.max_s", 100))
"""Attribute, and the percentile of the gaps between pieces of content that it shows."""
COST_NANO_USD: Final = "wiretape.cost.nano_usd"
PRICE_VERSION: Final = "wiretape.cost.price_version"
MODE: Final = "wiretape.mode"
CASSETTE: Final = "wiretape.cassette"
AGENT_ALIAS: Final = "wiretape.agent.alias"
KEY_ALIAS: Final = "wiretape.key.alias"
PHASE: Final = "wiretape.phase"
PHASES: Final = ("queue", "model", "tool_wait", "request", "first_byte", "chunk")
"""What `wiretape.phase` may be: of a run, or of our own work."""
REASON: Final = "wiretape.reason"
SIGNAL: Final = "wiretape.signal"

OTHER: Final = "_OTHER"
"""What a metric shows in place of a value outside its list."""


class Profile(Struct, frozen=True):
    """Attributes added for backends that read a vocabulary beside OpenTelemetry's."""

    kind: str | None = None
    """The attribute that says what a span is."""
    model: str | None = None
    """The attribute that repeats the run's model on a step that has usage."""
    usage: tuple[tuple[str, str], ...] = ()
    """Attribute, and the field of `Usage` it shows: on steps or, where none of them has any, on the run."""

    def is_a(self, kind: str) -> dict[str, str]:
        """What says that a span is of this kind."""
        return {} if self.kind is None else {self.kind: kind}


PROFILES: Final = {
    "otel": Profile(),
    # openinference-semantic-conventions, "LLM Spans"; Phoenix counts no tokens without them.
    "openinference": Profile(
        kind="openinference.span.kind",
        model="llm.model_name",
        usage=(
            ("llm.token_count.prompt", "prompt"),
            ("llm.token_count.completion", "completion"),
            ("llm.token_count.total", "total"),
            ("llm.token_count.prompt_details.cache_read", "cached"),
            ("llm.token_count.completion_details.reasoning", "reasoning"),
        ),
    ),
}


_LATENCY = tuple(round(0.01 * 2**power, 2) for power in range(14))
_PHASES = tuple(round(0.1 * 2**power, 1) for power in range(13))
_TOKENS = tuple(4**power for power in range(14))
# The convention's own end at 10 s; a run's stream lives for minutes.
_HTTP = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300, 600)
_FIRST_EVENT = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_FEW = 20
"""More than there are phases, ways to end, sinks or error codes that may be told apart."""
_COUNTED = 8
"""Weight of a counter with models and aliases: a set of it is one series, where a histogram's is some twenty."""
_OVERHEAD = (2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25)

_HTTP_SERVER_ATTRIBUTES = (HTTP_REQUEST_METHOD, HTTP_ROUTE, HTTP_RESPONSE_STATUS_CODE, ERROR_TYPE)
_HTTP_CLIENT_ATTRIBUTES = (HTTP_REQUEST_METHOD, URL_TEMPLATE, HTTP_RESPONSE_STATUS_CODE, ERROR_TYPE)
_OPERATION_ATTRIBUTES = (OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, SERVER_ADDRESS, SERVER_PORT, ERROR_TYPE)
_USAGE_ATTRIBUTES = (PROVIDER_NAME, REQUEST_MODEL, AGENT_ALIAS, KEY_ALIAS)
_RUN_ATTRIBUTES = (RUN_OUTCOME, ERROR_TYPE, REQUEST_MODEL, AGENT_ALIAS, KEY_ALIAS)


def _histogram(  # noqa: PLR0913, PLR0917 - what a histogram consists of
    name: str,
    text: str,
    attributes: tuple[str, ...],
    buckets: tuple[float, ...],
    unit: str = "s",
    weight: int = 1,
) -> Instrument:
    phases = len(PHASES) if attributes == (PHASE,) else 0
    return Instrument(name, Kind.HISTOGRAM, unit, text, attributes, buckets, phases, weight)


def _counter(name: str, unit: str, text: str, *attributes: str) -> Instrument:
    few = {(): 1, (REASON,): _FEW}.get(attributes, 0)
    return Instrument(name, Kind.COUNTER, unit, text, attributes, sets_max=few, weight=_COUNTED)


def _gauge(name: str, unit: str, text: str) -> Instrument:
    return Instrument(name, Kind.GAUGE_READ, unit, text, sets_max=1)


HTTP_SERVER = _histogram(
    http_metrics.HTTP_SERVER_REQUEST_DURATION,
    "From a request's head to the last byte of its answer.",
    _HTTP_SERVER_ATTRIBUTES,
    _HTTP,
    weight=2,
)
HTTP_CLIENT = _histogram(
    http_metrics.HTTP_CLIENT_REQUEST_DURATION,
    "From a request passed upstream, or found in a cassette, to the last byte of its answer.",
    _HTTP_CLIENT_ATTRIBUTES,
    _HTTP,
    weight=2,
)
OPERATION = _histogram(
    "gen_ai.client.operation.duration",
    "Length of a run from its creation to its end, over all its exchanges, and of creating an agent.",
    _OPERATION_ATTRIBUTES,
    _LATENCY,
)
FIRST_CHUNK = _histogram(
    "gen_ai.client.operation.time_to_first_chunk",
    "From a streamed run's creation to its first content; lifecycle events do not count.",
    _OPERATION_ATTRIBUTES,
    _LATENCY,
)
OUTPUT_CHUNK = _histogram(
    "gen_ai.client.operation.time_per_output_chunk",
    "Between two pieces of content of a streamed run.",
    _OPERATION_ATTRIBUTES,
    _LATENCY,
)
TOKEN_USAGE = _histogram(
    "gen_ai.client.token.usage",
    "Tokens of a run, counted once when it ends.",
    (*_OPERATION_ATTRIBUTES, TOKEN_TYPE),
    _TOKENS,
    "{token}",
    weight=2,
)
INPUT_TOKENS = _counter("wiretape.run.usage.input_tokens", "{token}", "Input tokens of runs.", *_USAGE_ATTRIBUTES)
CACHED_TOKENS = _counter(
    "wiretape.run.usage.cached_input_tokens",
    "{token}",
    "Input tokens read from a cache; part of the input tokens.",
    *_USAGE_ATTRIBUTES,
)
OUTPUT_TOKENS = _counter("wiretape.run.usage.output_tokens", "{token}", "Output tokens of runs.", *_USAGE_ATTRIBUTES)
REASONING_TOKENS = _counter(
    "wiretape.run.usage.reasoning_output_tokens",
    "{token}",
    "Output tokens spent on reasoning; part of the output tokens.",
    *_USAGE_ATTRIBUTES,
)
RUNS = _counter("wiretape.runs", "{run}", "Runs that ended or were given up.", *_RUN_ATTRIBUTES)
USAGE_MISSING = _counter("wiretape.run.usage_missing", "{run}", "Runs whose tokens are unknown.", *_RUN_ATTRIBUTES)
CORRECTIONS = _counter("wiretape.run.corrections", "{run}", "Better figures of runs that had been counted; not added.")
COST = _counter("wiretape.run.cost", "{USD}", "What runs cost, where price and tokens are known.", *_RUN_ATTRIBUTES)
COST_MISSING = _counter(
    "wiretape.run.cost_missing", "{run}", "Runs whose cost is unknown, by what is missing.", REASON, *_RUN_ATTRIBUTES
)
PHASE_DURATION = _histogram("wiretape.run.phase.duration", "What a run's time went into.", (PHASE,), _PHASES)
FIRST_EVENT = _histogram(
    "wiretape.run.time_to_first_event",
    "From a run's creation to its first event of any kind.",
    (REQUEST_MODEL,),
    _FIRST_EVENT,
)
OVERHEAD = _histogram("wiretape.proxy.overhead", "Time the proxy itself added.", (PHASE,), _OVERHEAD)
STREAM_ENDED = Instrument(
    "wiretape.stream.ended",
    Kind.COUNTER,
    "{stream}",
    "Event streams that ended, by how.",
    (REASON,),
    known=tuple(how.value for how in How),
)
CASSETTE_HITS = _counter("wiretape.cassette.hits", "{exchange}", "Requests that a cassette answered.")
CASSETTE_MISSES = _counter("wiretape.cassette.misses", "{exchange}", "Requests that no cassette could answer.")
DECODER_ERRORS = _counter("wiretape.decoder.errors", "{error}", "Frames and bodies that could not be decoded.")
EVENTS_UNKNOWN = _counter("wiretape.events.unknown", "{event}", "Events whose name no dialect knows.")
TRAILERS_DROPPED = _counter(
    "wiretape.trailers.dropped", "{message}", "Messages whose announced trailers were not passed on."
)
REFUSED = Instrument(
    "wiretape.connections.refused",
    Kind.COUNTER_READ,
    "{connection}",
    "Connections refused before a request could be read, by error code.",
    (REASON,),
    known=tuple(one.code for one in (BadRequest, HandshakeFailed, HeadersTooLarge, Overloaded)),
    sets_max=_FEW,
)
INCIDENTS = Instrument(
    "wiretape.upstream.incidents",
    Kind.COUNTER_READ,
    "{incident}",
    "What the fast engine dropped (interim, trailers), closed (unasked) or did again (repeated), by kind.",
    (REASON,),
    sets_max=_FEW,
)
_DRAINED_HELP = "Event streams read on without their clients, by what ended it: end, torn, bytes, seconds, shutdown."
DRAINED = Instrument("wiretape.stream.drained", Kind.COUNTER_READ, "{stream}", _DRAINED_HELP, (REASON,), sets_max=_FEW)
DROPPED = Instrument(
    "wiretape.telemetry.dropped",
    Kind.COUNTER_READ,
    "{report}",
    "Reports, spans and observers lost, by the sink that lost them.",
    (SIGNAL,),
    sets_max=_FEW,
)
PURGED = Instrument(
    "wiretape.ledger.purged",
    Kind.COUNTER_READ,
    "{row}",
    "Rows that audit.retention_days took out of the ledger.",
    sets_max=1,
)
STREAMS_ACTIVE = _gauge("wiretape.streams.active", "{stream}", "Exchanges under way.")
CONNECTIONS_ACTIVE = _gauge("wiretape.connections.active", "{connection}", "Client connections that are open.")
RUNS_OPEN = _gauge("wiretape.runs.open", "{run}", "Runs that have not ended.")
BUFFERED = _gauge("wiretape.stream.buffered_bytes", "By", "Bytes that wait for clients.")
QUEUE = _gauge("wiretape.telemetry.queue", "{report}", "Reports that wait for a sink.")
LOOP_ERRORS = Instrument(
    "wiretape.event_loop.errors",
    Kind.COUNTER_READ,
    "{error}",
    "Errors on the event loop that nobody waits for, by type: of clients that go away within TLS, or of ours.",
    (ERROR_TYPE,),
    sets_max=_FEW,
)
LOOP_LAG = _gauge("wiretape.event_loop.lag", "s", "How late the event loop was when last asked.")

INSTRUMENTS: Final = (
    *(HTTP_SERVER, HTTP_CLIENT, OPERATION, FIRST_CHUNK, OUTPUT_CHUNK, TOKEN_USAGE),
    *(INPUT_TOKENS, CACHED_TOKENS, OUTPUT_TOKENS, REASONING_TOKENS, RUNS, USAGE_MISSING, CORRECTIONS),
    *(COST, COST_MISSING, PHASE_DURATION, FIRST_EVENT),
    *(OVERHEAD, STREAM_ENDED, CASSETTE_HITS, CASSETTE_MISSES, DECODER_ERRORS, EVENTS_UNKNOWN),
    *(TRAILERS_DROPPED, REFUSED, INCIDENTS, DRAINED, DROPPED, PURGED),
    *(CONNECTIONS_ACTIVE, STREAMS_ACTIVE, RUNS_OPEN, BUFFERED, QUEUE, LOOP_LAG, LOOP_ERRORS),
)
