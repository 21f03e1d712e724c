"""The observer of one exchange: reads the copy of its bodies, and has the facts told to the runs.

What it cannot read is counted and passed over; it raises for none of it.
"""

from __future__ import annotations

from wiretape import dialects
from wiretape.dialects.events import Content, Dialect, Kind, Route
from wiretape.errors import DecodeFailed
from wiretape.exchange import Chunk, Ending, Head, How, Request
from wiretape.runs.bodies import JsonAnswer, Question, StreamAnswer, answer
from wiretape.runs.later import Later
from wiretape.runs.open import OpenRuns
from wiretape.runs.options import RunOptions
from wiretape.runs.seen import Context, Seen
from wiretape.runs.teller import OK, Teller
from wiretape.wire.headers import is_event_stream

UNKNOWN_ROUTE = "/*"
"""The template of every path that no dialect knows."""
_ASKS = frozenset({Kind.START, Kind.RESUME})


class Watch:
    """The observer of one exchange. `seen` may be read at any time; it is complete after `end`."""

    def __init__(self, runs: OpenRuns, request: Request, options: RunOptions, context: Context) -> None:
        self._request = request
        self._options = options
        self._dialect: Dialect | None
        self._dialect, self._route = dialects.route(request.method, request.path) or (None, Route(UNKNOWN_ROUTE))
        self._question = self._listen()
        self._answer: JsonAnswer | StreamAnswer | None = None
        self._later = Later(self._dialect)
        self._teller = Teller(runs, request, self._route, context, self._question)
        self._streamed = False
        self._status: int | None = None
        self._last_chunk_ns: int | None = None
        self._errors = 0

    def sent(self, chunk: Chunk) -> None:
        """Keeps the request's body where it is worth reading."""
        if self._question is not None:
            self._question.feed(chunk.data)

    def head(self, head: Head) -> None:
        """Decides how the answer is read; a refusal tells nothing of a run."""
        self._status, self._streamed = head.status, is_event_stream(head.headers)
        if self._dialect is None or self._route.kind is Kind.OTHER or head.status not in OK:
            return
        if self._route.kind is Kind.RESUME:
            self._teller.accept(head.at_ns)
        try:
            self._answer = answer(self._dialect, self._route, head.headers, self._options)
            self._teller.is_stream = self._answer is not None and self._answer.is_stream
        except DecodeFailed:
            self._errors += 1

    def chunk(self, chunk: Chunk) -> None:
        """Reads on; the hot path."""
        if self._answer is not None:
            for due in self._later.due(chunk):
                self._read(self._answer, due)

    def _read(self, answer: JsonAnswer | StreamAnswer, chunk: Chunk) -> None:
        facts, teller = answer.feed(chunk.data), self._teller
        self._last_chunk_ns = chunk.at_ns
        if teller.first_event_ns is None and answer.events:
            teller.first_event_ns = chunk.at_ns
        for fact in facts:
            if type(fact) is not Content:
                teller.take(fact, chunk.at_ns)
            elif teller.run is not None:
                teller.run.see_content(fact.kind, chunk.at_ns, teller.pulse)

    def _read_rest(self, answer: JsonAnswer | StreamAnswer, ending: Ending) -> None:
        for due in self._later.rest():
            self._read(answer, due)
        at_ns = ending.at_ns if self._last_chunk_ns is None else self._last_chunk_ns
        facts = answer.finish(is_whole=ending.how is How.COMPLETE)
        if self._teller.first_event_ns is None and answer.events:
            self._teller.first_event_ns = at_ns
        for fact in facts:
            self._teller.take(fact, at_ns)

    def end(self, ending: Ending) -> None:
        """Reads the rest, credits the exchange to its run, and reports the runs that it brought to their end."""
        if self._answer is not None:
            self._read_rest(self._answer, ending)
        self._teller.end(ending, self._answer.events if self._answer else 0, self._status)

    @property
    def seen(self) -> Seen:
        """What is known of the exchange."""
        run = self._teller.run
        run_id = run.key[1] if run else self._route.run_id
        own = run.origin if run and run.origin.own else None
        parts = [part for part in (self._question, self._answer) if part is not None]
        return Seen(
            route=self._route.template,
            events=self._answer.events if self._answer else 0,
            events_unknown=self._teller.events_unknown,
            fields_unknown=self._teller.fields_unknown,
            decoder_errors=self._errors + sum(part.errors for part in parts),
            run_key=(self._request.upstream, run_id) if run_id else None,
            run_trace=own.trace if own else None,
            run_span_id=own.span_id if own else None,
            agent_created=self._teller.agent_created,
            streamed=self._streamed,
        )

    def _listen(self) -> Question | None:
        if self._dialect is None or self._route.kind not in _ASKS:
            return None
        return Question(self._dialect, self._route, self._request.headers, self._options)
