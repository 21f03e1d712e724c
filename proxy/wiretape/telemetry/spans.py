"""Reports to finished spans: one tree per run, however many exchanges carried it.

Ids were chosen when each request's head was seen (`exchange.Trace`) and times ride on the reports, so spans are
made finished, after the fact, and handed straight to the processor: no tracer, no current context, no open span.
That bypasses the SDK's sampler and limits; the sampled flag and the bound on values are therefore kept here.

Each exchange brings its own SERVER span and, where it went upstream, its CLIENT span; each run brings the run span
and what is below it. So every span is made exactly once, in whatever order the reports come: a CLIENT span
that carried a run names the run's span as its parent before that span exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

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
    run_facts,
    server_facts,
    step_facts,
    tool_facts,
    unstepped_facts,
)
from wiretape.telemetry.options import Peers

SCOPE: Final = InstrumentationScope("wiretape", __version__)

_FAILED = Status(StatusCode.ERROR)
_UNSET = Status(StatusCode.UNSET)


def _context(trace: Trace, span_id: int, *, remote: bool = False) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT)
    return SpanContext(trace.trace_id, span_id, remote, flags)


def _run_link(run: SpanContext, report: ExchangeReport) -> Link:
    return Link(run, {} if report.run_key is None else {v.RUN_ID: report.run_key[1]})


class SpanSink:
    """Makes the spans of each report and hands the sampled ones to the processor.

    The processor is shut down by its owner, not here: it outlives this sink.
    """

    name = "spans"

    def __init__(
        self,
        processor: SpanProcessor,
        resource: Resource,
        *,
        peers: Peers,
        profile: v.Profile,
        new_span_id: Callable[[], int],
    ) -> None:
        self._processor = processor
        self._resource = resource
        self._peers = peers
        self._profile = profile
        self._new_span_id = new_span_id

    def exchange(self, report: ExchangeReport) -> None:
        """The exchange's SERVER span, the agent it created, and its CLIENT span."""
        self._emit(self._server(report))
        parent = _context(report.trace, report.trace.server_span_id)
        if report.agent_created is not None:
            created = self._agent(report.agent_created, report, parent)
            self._emit(created)
            parent = created.context
        if report.upstream_start_ns is not None:
            self._emit(self._client(report, report.upstream_start_ns, parent))

    def run(self, report: RunReport) -> None:
        """The run's span with its steps and tools; a foreign run has no trace here, and no spans."""
        if report.foreign or report.trace is None:
            return
        for span in self._run_tree(report, report.trace):
            self._emit(span)

    def correction(self, report: Correction) -> None:
        """Nothing: a span that was exported cannot be changed."""

    def close(self, deadline_s: float) -> None:
        """Nothing is held here."""

    def _emit(self, span: ReadableSpan) -> None:
        if span.context.trace_flags.sampled:
            self._processor.on_end(span)

    def _server(self, report: ExchangeReport) -> ReadableSpan:
        parent, links = self._place(report)
        return self._span(
            f"{_span_method(report.method)} {report.route}",
            SpanKind.SERVER,
            _context(report.trace, report.trace.server_span_id),
            parent,
            (report.start_ns, report.end_ns),
            server_facts(report),
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
            SpanContext(parent.trace_id, trace.client_span_id, is_remote=False, trace_flags=parent.trace_flags),
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
            run_facts(report, self._peers.get(report.upstream)) | unstepped_facts(report, self._profile),
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
        return self._span(name, SpanKind.INTERNAL, context, parent, times, tool_facts(tool))

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
            attributes,
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
