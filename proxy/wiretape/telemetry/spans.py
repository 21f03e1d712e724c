"""Reports to finished spans: one tree per run, however many exchanges carried it.

Ids were chosen when each request's head was seen (`exchange.Trace`) and times ride on the reports, so spans are
made finished, after the fact, and handed straight to the processor: no tracer, no current context, no open span.
That bypasses the SDK's sampler and limits; the sampled flag and the bound on values are therefore kept here.

Each exchange brings its own SERVER span and, where it went upstream, its CLIENT span; each run brings the run span
and what is below it. So every span is made exactly once, in whatever order the reports come: a CLIENT span
that carried a run names the run's span as its parent before that span exists. What chance did not sample waits in the
`tail` until its run is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from msgspec import structs
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from wiretape import __version__
from wiretape.exchange import Trace
from wiretape.runs.report import AgentCreated, Correction, ExchangeReport, RunReport, StepReport, ToolReport
from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.attributes import (
    Attributes,
    agent_facts,
    bounded,
    client_facts,
    joined_run,
    method_name,
    present,
    profiled_run,
    run_facts,
    server_facts,
    shortened,
    step_facts,
    tool_facts,
)
from wiretape.telemetry.options import Peers, TelemetryOptions
from wiretape.telemetry.tail import Tail

SCOPE: Final = InstrumentationScope("wiretape", __version__)

_DEFAULTS: Final = TelemetryOptions()
_FAILED = Status(StatusCode.ERROR)
_UNSET = Status(StatusCode.UNSET)


def _context(trace: Trace, span_id: int, *, remote: bool = False) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT)
    return SpanContext(trace.trace_id, span_id, remote, flags, _state(trace))


def _state(trace: Trace) -> TraceState | None:
    return TraceState.from_header([trace.state]) if trace.state else None


def _kept(trace: Trace) -> Trace:
    """The trace, sampled after all."""
    return structs.replace(trace, sampled=True, pending=False) if trace.pending else trace


def _traces(report: ExchangeReport) -> tuple[Trace, ...]:
    """The traces that spans of the exchange may lie in."""
    return (report.trace,) if report.run_trace is None else (report.trace, report.run_trace)


def _run_link(run: SpanContext, report: ExchangeReport) -> Link:
    return Link(run, {} if report.run_key is None else {v.RUN_ID: report.run_key[1]})


class SpanSink:
    """Makes the spans of each report and hands the sampled ones to the processor.

    The processor is shut down by its owner, not here: it outlives this sink.
    """

    name = "spans"

    def __init__(  # noqa: PLR0913 - one argument for each thing it is put together from
        self,
        processor: SpanProcessor,
        resource: Resource,
        *,
        peers: Peers,
        profile: v.Profile,
        options: TelemetryOptions = _DEFAULTS,
        new_span_id: Callable[[], int],
        value_chars_max: int | None = None,
    ) -> None:
        """`value_chars_max` bounds texts further than `ATTRIBUTE_BYTES_MAX` does."""
        self._processor = processor
        self._resource = resource
        self._peers = peers
        self._keys = options.keys
        self._profile = profile
        self._new_span_id = new_span_id
        self._value_chars_max = value_chars_max
        self._tail = Tail(options.held_max, options.slow_run_s)

    @property
    def lost(self) -> int:
        """Exchanges whose spans gave way to others while they waited for their run's end."""
        return self._tail.lost

    def exchange(self, report: ExchangeReport) -> None:
        """The exchange's SERVER span, the agent it created, and its CLIENT span; now, or with its run."""
        traces = _traces(report)
        self._emit(report, {trace.trace_id for trace in traces if trace.sampled})
        if any(trace.pending for trace in traces) and self._tail.exchange(report):
            self._emit_kept(report)

    def run(self, report: RunReport) -> None:
        """The run's span with its steps and tools; a foreign run has no trace here, and no spans."""
        trace = report.trace
        if report.foreign or trace is None:
            return
        if trace.pending:
            waited = self._tail.run(report, (trace.trace_id, report.span_id))
            if waited is None:
                return
            for exchange in waited:
                self._emit_kept(exchange)
        if trace.sampled or trace.pending:
            for span in self._run_tree(report, _kept(trace)):
                self._processor.on_end(span)

    def correction(self, report: Correction) -> None:
        """Nothing: a span that was exported cannot be changed."""

    def close(self, deadline_s: float) -> None:
        """Count what still waits as lost: runs are reported before their sinks are closed, but for those saved."""
        self._tail.close()

    def _emit_kept(self, report: ExchangeReport) -> None:
        """Make the spans that waited, sampled now."""
        pending = {trace.trace_id for trace in _traces(report) if trace.pending}
        run_trace = None if report.run_trace is None else _kept(report.run_trace)
        self._emit(structs.replace(report, trace=_kept(report.trace), run_trace=run_trace), pending)

    def _emit(self, report: ExchangeReport, trace_ids: Collection[int]) -> None:
        """Make the exchange's sampled spans that lie in these traces."""
        for span in self._exchange_tree(report) if trace_ids else ():
            if span.context.trace_id in trace_ids and span.context.trace_flags.sampled:
                self._processor.on_end(span)

    def _exchange_tree(self, report: ExchangeReport) -> Iterator[ReadableSpan]:
        yield self._server(report)
        parent = _context(report.trace, report.trace.server_span_id)
        if report.agent_created is not None:
            created = self._agent(report.agent_created, report, parent)
            yield created
            parent = created.context
        if report.upstream_start_ns is not None:
            yield self._client(report, report.upstream_start_ns, parent)

    def _whose(self, key_hash: str | None) -> Attributes:
        return present({v.KEY_ALIAS: self._keys.get(key_hash or "")})

    def _server(self, report: ExchangeReport) -> ReadableSpan:
        parent, links = self._place(report)
        return self._span(
            f"{_span_method(report.method)} {report.route}",
            SpanKind.SERVER,
            _context(report.trace, report.trace.server_span_id),
            parent,
            (report.start_ns, report.end_ns),
            server_facts(report) | self._whose(report.key_hash),
            links,
        )

    @staticmethod
    def _place(report: ExchangeReport) -> tuple[SpanContext | None, Sequence[Link]]:
        """Parent and links of a SERVER span: the caller's span comes first, then the run's, then none."""
        trace, created = report.trace, joined_run(report)
        run = None if created is None or report.run_span_id is None else _context(created, report.run_span_id)
        if run is not None and trace.parent_span_id is None and run.trace_id == trace.trace_id:
            return run, ()
        links = () if run is None else (_run_link(run, report),)
        caller = None if trace.parent_span_id is None else _context(trace, trace.parent_span_id, remote=True)
        return caller, links

    def _agent(self, agent: AgentCreated, report: ExchangeReport, parent: SpanContext) -> ReadableSpan:
        return self._span(
            f"{v.CREATE_AGENT} {agent.name}" if agent.name else v.CREATE_AGENT,
            SpanKind.CLIENT,
            _context(report.trace, self._new_span_id()),
            parent,
            (report.upstream_start_ns or report.start_ns, report.end_ns),
            agent_facts(agent, report, self._peers.get(report.upstream)),
        )

    def _client(self, report: ExchangeReport, start_ns: int, parent: SpanContext) -> ReadableSpan:
        """The upstream exchange: below the run it carried, or below its own SERVER span when it carried none."""
        trace = report.trace
        links: Sequence[Link] = ()
        if report.method == "POST" and report.run_trace is not None and report.run_span_id is not None:
            parent = _context(report.run_trace, report.run_span_id)
            if parent.trace_id != trace.trace_id:
                links = (_run_link(_context(trace, trace.server_span_id), report),)
        return self._span(
            _span_method(report.method),
            SpanKind.CLIENT,
            SpanContext(
                parent.trace_id,
                trace.client_span_id,
                is_remote=False,
                trace_flags=parent.trace_flags,
                trace_state=parent.trace_state,
            ),
            parent,
            (start_ns, report.end_ns),
            client_facts(report, self._peers.get(report.upstream)),
            links,
        )

    def _run_tree(self, report: RunReport, trace: Trace) -> Iterator[ReadableSpan]:
        run = _context(trace, report.span_id)
        yield self._span(
            f"{v.INVOKE_AGENT} {report.assistant_name}" if report.assistant_name else v.INVOKE_AGENT,
            SpanKind.CLIENT,
            run,
            _context(trace, trace.server_span_id),
            (report.start_ns, report.end_ns),
            run_facts(report, self._peers.get(report.upstream))
            | profiled_run(report, self._profile)
            | self._whose(report.key_hash),
        )
        for step in report.steps:
            yield from self._step_tree(step, report, trace, run)

    def _step_tree(self, step: StepReport, run: RunReport, trace: Trace, parent: SpanContext) -> Iterator[ReadableSpan]:
        context = _context(trace, self._new_span_id())
        times = (step.start_ns, run.end_ns if step.end_ns is None else step.end_ns)
        facts = step_facts(step, run, self._profile)
        yield self._span(f"{v.RUN_STEP} {step.type}", SpanKind.INTERNAL, context, parent, times, facts)
        for tool in step.tools:
            yield self._tool(tool, _context(trace, self._new_span_id()), context, times[1])

    def _tool(self, tool: ToolReport, context: SpanContext, parent: SpanContext, end_ns: int) -> ReadableSpan:
        times = (tool.start_ns, end_ns if tool.end_ns is None else tool.end_ns)
        name = f"{v.EXECUTE_TOOL} {tool.name}"
        return self._span(name, SpanKind.INTERNAL, context, parent, times, tool_facts(tool, self._profile))

    def _span(  # noqa: PLR0913, PLR0917 - what a span consists of
        self,
        name: str,
        kind: SpanKind,
        context: SpanContext,
        parent: SpanContext | None,
        times: tuple[int, int],
        attributes: Attributes,
        links: Sequence[Link] = (),
    ) -> ReadableSpan:
        start_ns, end_ns = times
        return ReadableSpan(
            bounded(name),
            context,
            parent,
            self._resource,
            shortened(attributes, self._value_chars_max),
            links=links,
            kind=kind,
            status=_FAILED if v.ERROR_TYPE in attributes else _UNSET,
            start_time=start_ns,
            end_time=max(start_ns, end_ns),
            instrumentation_scope=SCOPE,
        )


def _span_method(method: str) -> str:
    known = method_name(method)
    return "HTTP" if known == v.OTHER else known
