"""Reports to metrics: every instrument of the vocabulary, fed once per exchange and once per run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Final, cast

from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, Observation

from wiretape.exchange import Trace
from wiretape.runs.cost import NANO_PER_USD
from wiretape.runs.report import AgentCreated, Correction, ExchangeReport, RunReport, Usage
from wiretape.telemetry import vocabulary as v
from wiretape.telemetry.apart import Aliases, Known
from wiretape.telemetry.attributes import (
    Attributes,
    client_error,
    client_facts,
    known_error,
    peer_facts,
    present,
    provider,
    seconds,
    server_facts,
)
from wiretape.telemetry.generations import RELEASED, Generation
from wiretape.telemetry.instrument import Instrument, Kind
from wiretape.telemetry.options import Gauges, Peer, Peers, TelemetryOptions
from wiretape.telemetry.reads import Read, gauge_reads
from wiretape.telemetry.tally import Count, Spread, Tally

Where = tuple[int, int, int]
"""When something was seen (Unix ns), and the trace and span ids that show it."""

_OBSERVERS: Final = "observers"


class MetricSink:
    """Feeds the instruments of one meter, whose provider was given `tally.VIEWS`, whenever somebody reads them.

    Tokens and runs are counted from run reports alone, never for a foreign run, and no id is ever an attribute.
    """

    name = "metrics"

    def __init__(  # noqa: PLR0913 - one argument for each thing it is put together from
        self,
        meter: Meter,
        options: TelemetryOptions,
        gauges: Gauges,
        *,
        peers: Peers,
        names: Generation = RELEASED,
        exemplars: bool = False,
    ) -> None:
        """`exemplars` gives each bucket of a duration the last sampled trace that it counted."""
        self._peers = peers
        self._names = names
        self._exemplars = exemplars
        self._agent_alias = Aliases(options.agents, options.agents_max)
        self._key_alias = Aliases(options.keys, options.keys_max)
        self._model = Known(options.models, options.models_max)
        self._observers_dropped = 0
        self._gauges = gauges
        self._tallies_max = options.series_max
        self._tallies: dict[tuple[object, ...], Tally] = {}
        self._lock = Lock()
        """Over the tallies: a reader's thread takes what the sink's thread has counted."""
        self._histograms: dict[str, Histogram] = {}
        self._counters: dict[str, Counter] = {}
        reads = {**gauge_reads(gauges), v.DROPPED.name: self._dropped}
        for instrument in names.instruments:
            self._create(meter, instrument, reads)

    def exchange(self, report: ExchangeReport) -> None:
        """Durations, our own overhead, streams, cassette and decoder counts."""
        with self._lock:
            self._durations(report)
            self._overhead(report)
            self._counts(report)
            if report.agent_created is not None:
                self._agent(report.agent_created, report)

    def run(self, report: RunReport) -> None:
        """The run's count, tokens and times, once; none for a run that another process relayed."""
        if not report.foreign:
            with self._lock:
                self._own_run(report)

    def correction(self, report: Correction) -> None:
        """That there was one; the run and its tokens count as they were reported, for a counter cannot be put right."""
        if not report.foreign:
            with self._lock:
                self._add(v.CORRECTIONS, 1)

    def _own_run(self, report: RunReport) -> None:
        model = self._model_of(report)
        outcome = present({v.RUN_OUTCOME: report.outcome, v.ERROR_TYPE: known_error(report)})
        whose: Attributes = {
            v.AGENT_ALIAS: self._agent_alias(report.assistant_id),
            v.KEY_ALIAS: self._key_alias(report.key_hash),
        }
        self._add(v.RUNS, 1, outcome | model | whose)
        self._add(v.USAGE_MISSING, report.usage is None, outcome | model | whose)
        if report.usage is not None:
            self._tokens(report.usage, report, model | whose)
        self._cost(report, outcome | model | whose)
        self._phases(report, model)
        self._operation(report)

    def close(self, deadline_s: float) -> None:
        """Nothing is held here; the meter's provider is shut down by its owner."""

    def _create(self, meter: Meter, instrument: Instrument, reads: Mapping[str, Read]) -> None:
        name, unit, text = instrument.name, instrument.unit, instrument.help
        match instrument.kind:
            case Kind.HISTOGRAM:
                bounds = instrument.buckets
                self._histograms[name] = meter.create_histogram(
                    name, unit, text, explicit_bucket_boundaries_advisory=bounds
                )
            case Kind.COUNTER:
                self._counters[name] = meter.create_counter(name, unit, text)
                for attributes in instrument.from_the_start():
                    self._counters[name].add(0, attributes)
            case Kind.COUNTER_READ:
                meter.create_observable_counter(name, [reads[name]], unit, text)
            case Kind.GAUGE_READ if name in reads:
                meter.create_observable_gauge(name, [reads[name]], unit, text)

    def _dropped(self, _: CallbackOptions) -> Iterator[Observation]:
        self._hand_over()  # the SDK asks before it looks at what was recorded
        lost = {**self._gauges.telemetry_dropped(), _OBSERVERS: self._observers_dropped}
        return (Observation(count, {v.SIGNAL: signal}) for signal, count in lost.items())

    def _hand_over(self) -> None:
        with self._lock:
            for tally in self._tallies.values():
                tally.hand_over()

    def _record(self, instrument: Instrument, value: float, attributes: Attributes, where: Where | None = None) -> None:
        self._of(instrument, attributes).add(value, where)

    def _where(self, trace: Trace | None, span_id: int, at_ns: int) -> Where | None:
        """The span to show for a value; none where it is not kept."""
        return (at_ns, trace.trace_id, span_id) if self._exemplars and trace is not None and trace.sampled else None

    def _of(self, instrument: Instrument, attributes: Attributes) -> Spread:
        key = (instrument.name, *attributes.values(), *attributes)
        return self._found(key) or self._spread(key, instrument, attributes)

    def _found(self, key: tuple[object, ...]) -> Spread | None:
        return cast("Spread | None", self._tallies.get(key))  # each key begins with the name of its instrument

    def _spread(self, key: tuple[object, ...], instrument: Instrument, attributes: Attributes) -> Spread:
        spread = Spread(self._histograms[instrument.name], instrument.buckets, attributes)
        self._keep(key, spread)
        return spread

    def _add(self, instrument: Instrument, amount: float, attributes: Attributes | None = None) -> None:
        known = attributes or {}
        key = (instrument.name, *known.values(), *known)
        tally = self._tallies.get(key)
        if tally is None:
            tally = Count(self._counters[instrument.name], known)
            self._keep(key, tally)
        tally.add(amount)

    def _keep(self, key: tuple[object, ...], tally: Tally) -> None:
        """Keep it for the next of its kind; with too many kinds all go to the SDK, which has a bound of its own."""
        if len(self._tallies) >= self._tallies_max:
            for one in self._tallies.values():
                one.hand_over()
            self._tallies.clear()
        self._tallies[key] = tally

    def _durations(self, report: ExchangeReport) -> None:
        where = self._where(report.trace, report.trace.server_span_id, report.end_ns)
        self._server(report).add(seconds(report.end_ns - report.start_ns), where)
        if report.upstream_start_ns is not None:
            self._client(report).add(seconds(report.end_ns - report.upstream_start_ns), where)

    def _server(self, report: ExchangeReport) -> Spread:
        """Found by what its attributes are made of: making them each time would cost more than all else here."""
        key = (v.HTTP_SERVER.name, report.method, report.route, report.status, report.how, report.code)
        return self._found(key) or self._spread(key, v.HTTP_SERVER, _only(v.HTTP_SERVER, server_facts(report)))

    def _client(self, report: ExchangeReport) -> Spread:
        has_head = report.head_ns is not None
        key = (v.HTTP_CLIENT.name, report.method, report.route, report.status, report.how, report.code, has_head)
        found = self._found(key)
        return found or self._spread(key, v.HTTP_CLIENT, _only(v.HTTP_CLIENT, client_facts(report, None)))

    def _overhead(self, report: ExchangeReport) -> None:
        if report.upstream_start_ns is None:
            return
        self._own_time("request").add(seconds(report.overhead_request_ns))
        if report.head_ns is not None:
            self._own_time("first_byte").add(seconds(report.overhead_head_ns))
        if report.overhead_chunks_ns:
            self._own_time("chunk").add_all(map(seconds, report.overhead_chunks_ns))

    def _own_time(self, phase: str) -> Spread:
        key = (v.OVERHEAD.name, phase)
        return self._found(key) or self._spread(key, v.OVERHEAD, {v.PHASE: phase})

    def _counts(self, report: ExchangeReport) -> None:
        self._observers_dropped += report.observers_dropped
        counts = (
            (v.DECODER_ERRORS, report.decoder_errors),
            (v.EVENTS_UNKNOWN, report.events_unknown),
            (v.TRAILERS_DROPPED, report.trailers_dropped),
            (v.CASSETTE_HITS, report.played == "hit"),
            (v.CASSETTE_MISSES, report.played == "miss"),
        )
        for instrument, amount in counts:
            if amount:
                self._add(instrument, int(amount))
        if report.streamed:
            self._add(v.STREAM_ENDED, 1, {v.REASON: report.how.value})

    def _agent(self, agent: AgentCreated, report: ExchangeReport) -> None:
        peer = self._peers.get(report.upstream)
        facts = self._operation_facts(v.CREATE_AGENT, agent.model, peer, client_error(report))
        where = self._where(report.trace, report.trace.server_span_id, report.end_ns)
        self._record(v.OPERATION, seconds(report.end_ns - report.start_ns), facts, where)

    def _operation(self, report: RunReport) -> None:
        """The run as a client operation; an abandoned one has no duration."""
        facts, where = self._run_operation(report), self._where(report.trace, report.span_id, report.end_ns)
        if report.duration_ns is not None:
            self._record(v.OPERATION, seconds(report.duration_ns), facts, where)
        if report.streamed and report.first_token_ns is not None:
            self._record(self._names.first_chunk, seconds(report.first_token_ns), facts, where)
            gaps = ((seconds(gap_ns), count) for gap_ns, count in report.gaps.lengths())
            self._of(self._names.output_chunk, facts).add_counted(gaps)

    def _run_operation(self, report: RunReport) -> Attributes:
        peer, model = self._peers.get(report.upstream), report.model_requested or report.model
        return self._operation_facts(v.INVOKE_AGENT, model, peer, known_error(report))

    def _operation_facts(self, operation: str, model: str | None, peer: Peer | None, error: str | None) -> Attributes:
        named = {
            v.OPERATION_NAME: operation,
            v.PROVIDER_NAME: provider(peer),
            v.REQUEST_MODEL: None if model is None else self._model(model),
            v.ERROR_TYPE: error,
        }
        return present(named) | peer_facts(peer)

    def _tokens(self, usage: Usage, report: RunReport, attributes: Attributes) -> None:
        facts = self._run_operation(report) | attributes
        for told in self._names.tokens:
            tell = self._record if told.instrument.kind is Kind.HISTOGRAM else self._add
            tell(told.instrument, getattr(usage, told.field), _only(told.instrument, {**facts, **told.says}))

    def _cost(self, report: RunReport, facts: Attributes) -> None:
        nano_usd = None if report.cost is None else report.cost.nano_usd
        if nano_usd is None:
            self._add(v.COST_MISSING, 1, {v.REASON: "price" if report.cost is None else "usage"} | facts)
        else:
            self._add(v.COST, nano_usd / NANO_PER_USD, facts)

    def _phases(self, report: RunReport, model: Attributes) -> None:
        where = self._where(report.trace, report.span_id, report.end_ns)
        phases = {"queue": report.queue_ns, "model": report.model_ns, "tool_wait": report.tool_wait_ns}
        for phase, length_ns in phases.items():
            if length_ns is not None:
                self._record(v.PHASE_DURATION, seconds(length_ns), {v.PHASE: phase}, where)
        if report.first_event_ns is not None:
            self._record(v.FIRST_EVENT, seconds(report.first_event_ns), model, where)

    def _model_of(self, report: RunReport) -> Attributes:
        model = report.model_requested or report.model
        return {} if model is None else {v.REQUEST_MODEL: self._model(model)}


def _only(instrument: Instrument, attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if name in instrument.attributes}
