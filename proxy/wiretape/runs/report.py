"""What is known of an exchange and of a run when they end, and the Sink that takes it.

All `*_ns` that are points in time are nanoseconds since the Unix epoch (made from one wall reading and
monotonic differences, so they never run backwards within a report); all that end in `_ns` and are named
for a phase are lengths.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct, field

from wiretape.exchange import How, Trace
from wiretape.runs.cost import Cost
from wiretape.runs.sketch import Sketch


class Usage(Struct, frozen=True):
    """Tokens; `cached` is part of `prompt`, `reasoning` is part of `completion`."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion."""
        return self.prompt + self.completion


class ExchangeReport(Struct, frozen=True, kw_only=True):
    """One exchange, ended."""

    trace: Trace
    method: str
    route: str
    """Template such as `/v1/threads/{thread_id}/runs`; `/*` where no dialect knows the path."""
    status: int | None
    how: How
    code: str | None = None
    """Our own error code, where we answered or the upstream failed."""
    upstream: str
    key_hash: str | None = None
    """A keyed hash of the credential the request came with; none where it came with none."""
    session: str
    mode: str
    cassette: str | None = None
    played: str | None = None
    """`hit` or `miss` where a cassette was asked."""
    start_ns: int
    end_ns: int
    upstream_start_ns: int | None = None
    """When the request was passed on, or in replay its recording was found; none when refused before that."""
    head_ns: int | None = None
    first_chunk_ns: int | None = None
    overhead_request_ns: int = 0
    """Our own time from the request's head to passing it on."""
    overhead_head_ns: int = 0
    """Our own time from the upstream's head to the client's."""
    overhead_chunks_ns: tuple[int, ...] = ()
    """A bounded sample of our own time for single chunks."""
    bytes_in: int = 0
    bytes_out: int = 0
    chunks: int = 0
    events: int = 0
    events_unknown: int = 0
    fields_unknown: int = 0
    decoder_errors: int = 0
    observers_dropped: int = 0
    trailers_dropped: int = 0
    """Messages of the two that announced trailers, which are not passed on."""
    upstream_request_id: str | None = None
    upstream_processing_ms: int | None = None
    run_key: tuple[str, str] | None = None
    """(upstream, run id) of the run this exchange carried, polled, fed or cancelled."""
    run_trace: Trace | None = None
    """The trace of the exchange that created that run, when it is known here."""
    run_span_id: int | None = None
    agent_created: AgentCreated | None = None
    streamed: bool = False
    """The response was an event stream, whether or not an event came."""


class AgentCreated(Struct, frozen=True):
    """An assistant that this exchange created."""

    id: str
    name: str | None
    model: str | None


class ToolReport(Struct, frozen=True, kw_only=True):
    """One tool call of a run step."""

    call_id: str
    type: str
    name: str
    start_ns: int
    end_ns: int | None = None
    by_client: bool = False
    """Run by the client: from `requires_action` seen to outputs received."""


class StepReport(Struct, frozen=True, kw_only=True):
    """One run step."""

    id: str
    type: str
    status: str
    start_ns: int
    end_ns: int | None = None
    error: str | None = None
    usage: Usage | None = None
    tools: tuple[ToolReport, ...] = ()


class Carried(Struct, frozen=True, kw_only=True):
    """An upstream exchange that carried the run, for its CLIENT span (polls are counted, not carried)."""

    trace: Trace
    method: str
    route: str
    status: int | None
    start_ns: int
    end_ns: int
    how: How

    @property
    def place(self) -> tuple[object, ...]:
        """In the order of their begin, with those of one time always in the same; `repr` would cost ten times more."""
        times = self.start_ns, self.end_ns
        return *times, self.trace.client_span_id, self.how, self.status or 0, self.route, self.method


class RunReport(Struct, frozen=True, kw_only=True):
    """One run, ended, or abandoned."""

    upstream: str
    run_id: str
    thread_id: str | None
    assistant_id: str | None
    assistant_name: str | None = None
    model_requested: str | None = None
    model: str | None = None
    mode: str = "forward"
    cassette: str | None = None
    key_hash: str | None = None
    """A keyed hash of the credential that its creating request came with; none for a foreign run."""
    foreign: bool = False
    """Its creating exchange was not relayed here: a ledger row, no metrics."""
    streamed: bool = False
    status: str
    outcome: str
    """The terminal status, or `abandoned`."""
    error: str | None = None
    """`last_error.code`, `expired`, the incomplete reason, or our own code."""
    start_ns: int
    """When the creating request came; of a foreign run the service's stamp, which is whole seconds, where told."""
    end_ns: int
    """When the terminal status was seen, else the last sign of life."""
    first_event_ns: int | None = None
    """Length from the creating request to the first event."""
    first_token_ns: int | None = None
    """Length from the creating request to the first content: text, tool arguments or code."""
    first_token_kind: str | None = None
    queue_ns: int | None = None
    """This and the next two are known for runs of our own only; see `runs.phases`."""
    model_ns: int | None = None
    tool_wait_ns: int | None = None
    duration_ns: int | None
    """Length from the creating request to the terminal status; none where one of the two was not seen: the run is
    foreign, or was abandoned."""
    gaps: Sketch = field(default_factory=Sketch)
    """Lengths between content deltas of one step's stream."""
    usage: Usage | None = None
    usage_source: str = "none"
    """`run`, `steps` or `none`."""
    cost: Cost | None = None
    """Known where a price is; added on a sink's thread."""
    polls: int = 0
    exchanges: int = 0
    events: int = 0
    steps: tuple[StepReport, ...] = ()
    carried: tuple[Carried, ...] = ()
    trace: Trace | None = None
    """Of the creating exchange; none for a foreign run."""
    span_id: int = 0


class Correction(Struct, frozen=True, kw_only=True):
    """Better figures of a run that was reported already; they replace those of its report, and add to nothing.

    Better is a real end where the report had to say `abandoned`, and tokens of a better source than the report's
    (`run` before `steps` before `none`). Each one tells all its figures, so that the last one of a run stands alone.
    """

    upstream: str
    run_id: str
    at_ns: int
    """When they were seen."""
    foreign: bool
    status: str
    outcome: str
    error: str | None = None
    usage: Usage | None = None
    usage_source: str = "none"


class Sink(Protocol):
    """Where reports go. Calls come from a sink thread, never from the event loop; any may raise."""

    name: str

    def exchange(self, report: ExchangeReport) -> None: ...

    def run(self, report: RunReport) -> None: ...

    def correction(self, report: Correction) -> None: ...

    def close(self, deadline_s: float) -> None: ...
