"""A cassette's exchanges told to the run tracker once more, at their recorded times: the rows that a live run gives.

What passed then is what passes now, in the same order: each request, its body, the answer's head, its pieces and its
end. A cassette knows times in milliseconds, bodies without their content coding, and nobody's trace; ids of traces are
made of the recording's own, so that the same cassette gives the same rows. Of an import that has no times, runs have
none either, and exchanges, whose rows are times, are not told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from wiretape.cassette.format import Ended, Interaction, Tape
from wiretape.cassette.pace import schedule
from wiretape.errors import UpstreamTorn, UpstreamUnreachable
from wiretape.exchange import Chunk, Ending, Head, How, Request, Trace
from wiretape.runs.observer import RunOptions, Runs
from wiretape.runs.report import Correction, ExchangeReport, RunReport, ToolReport
from wiretape.runs.sketch import Sketch
from wiretape.runs.watch import Watch
from wiretape.wire.headers import milliseconds, value

MODE: Final = "record"
_MS: Final = 1_000_000
_HOW: Final = {
    Ended.COMPLETE: How.COMPLETE,
    Ended.UPSTREAM_FAILED: How.UPSTREAM_FAILED,
    Ended.CLIENT_LEFT: How.CLIENT_LEFT,
    Ended.RECORDER: How.CANCELLED,
}

_NO_TIMES: Final = dict.fromkeys(
    ("first_event_ns", "first_token_ns", "queue_ns", "model_ns", "tool_wait_ns", "duration_ns")
)


class Told(Protocol):
    """Who is told of exchanges and runs that have ended."""

    def exchange(self, report: ExchangeReport) -> None:
        """Take an exchange's report."""

    def run(self, report: RunReport) -> None:
        """Take a run's report."""

    def correction(self, report: Correction) -> None:
        """Take better figures of a run that was reported."""


class Origin(Struct, frozen=True):
    """What a cassette does not say itself."""

    cassette: str
    """Its name, as a recording proxy would tell it."""
    upstream: str
    """Of the configuration."""
    recorded_ns: int
    """When the recording began, since the Unix epoch."""


class _Moment(Struct, frozen=True):
    at_ns: int
    place: int
    """The exchange's, so that of two things at one time what was asked first comes first."""
    tell: Callable[[], None]


def play(tape: Tape, origin: Origin, options: RunOptions, told: Told) -> int:
    """Tell all of a tape, then report the runs that were left open; answers how many exchanges there were."""
    if not all(one.times_known for one in tape.interactions):
        told = _Untimed(told)
    runs, moments = Runs(options, told.run, lambda: 0, told.correction), list[_Moment]()
    for place, interaction in enumerate(tape.interactions):
        moments += _Exchange(interaction, origin, tape.header.id, runs, told).moments(place)
    # Sorting is stable: what one exchange does at one time stays in its order.
    moments.sort(key=lambda moment: (moment.at_ns, moment.place))
    for moment in moments:
        moment.tell()
    runs.close(moments[-1].at_ns if moments else 0)
    return len(tape.interactions)


class _Untimed:
    """Passes runs on without the times that nobody recorded, and no exchanges."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def exchange(self, report: ExchangeReport) -> None:
        pass

    def run(self, report: RunReport) -> None:
        steps = tuple(replace(step, end_ns=None, tools=tuple(map(_without_end, step.tools))) for step in report.steps)
        self._told.run(replace(report, **_NO_TIMES, gaps=Sketch(), steps=steps))

    def correction(self, report: Correction) -> None:
        self._told.correction(report)


def _without_end(tool: ToolReport) -> ToolReport:
    return replace(tool, end_ns=None)


class _Exchange:
    """One interaction on its way through the tracker."""

    _watch: Watch

    def __init__(self, interaction: Interaction, origin: Origin, recording: str, runs: Runs, told: Told) -> None:
        self._interaction = interaction
        self._origin = origin
        self._runs = runs
        self._told = told
        self._begin_ns = interaction.t0_ms * _MS
        self._request = _request(interaction, origin, recording)
        self._pieces = [
            Chunk(data, self._begin_ns + round(offset_s * 1000) * _MS)
            for offset_s, data in schedule(interaction, 1.0 if interaction.times_known else 0.0)
        ]

    def moments(self, place: int) -> Iterator[_Moment]:
        """What happens, in order."""
        yield _Moment(self._begin_ns, place, self._ask)
        if self._interaction.status is not None:
            yield _Moment(self._head_ns, place, self._answer)
        for piece in self._pieces:
            yield _Moment(piece.at_ns, place, partial(self._come, piece))
        yield _Moment(self._end_ns, place, self._end)

    @property
    def _head_ns(self) -> int:
        """Heads have no time of their own in a cassette: no later than the first piece."""
        return self._pieces[0].at_ns if self._pieces else self._begin_ns

    @property
    def _end_ns(self) -> int:
        return self._pieces[-1].at_ns if self._pieces else self._begin_ns

    def _ask(self) -> None:
        self._watch = self._runs.watch(self._request, mode=MODE, cassette=self._origin.cassette)
        if self._interaction.request_body:
            self._watch.sent(Chunk(self._interaction.request_body, self._begin_ns))

    def _answer(self) -> None:
        status = self._interaction.status or 0
        self._watch.head(Head(status, self._interaction.headers, self._head_ns))

    def _come(self, piece: Chunk) -> None:
        self._watch.chunk(piece)

    def _end(self) -> None:
        ending = Ending(_HOW[self._interaction.how], self._end_ns, self._code)
        self._watch.end(ending)
        self._told.exchange(self._report(ending))

    @property
    def _code(self) -> str | None:
        if self._interaction.how is not Ended.UPSTREAM_FAILED:
            return None
        return UpstreamUnreachable.code if self._interaction.status is None else UpstreamTorn.code

    def _report(self, ending: Ending) -> ExchangeReport:
        one, request, seen = self._interaction, self._request, self._watch.seen
        has_head = one.status is not None
        return ExchangeReport(
            trace=request.trace or Trace(0, 0, 0),
            method=one.method,
            route=seen.route,
            status=one.status,
            how=ending.how,
            code=ending.code,
            upstream=request.upstream,
            session=one.session,
            mode=MODE,
            cassette=self._origin.cassette,
            start_ns=request.wall_ns,
            end_ns=self._wall(ending.at_ns),
            upstream_start_ns=request.wall_ns,
            head_ns=self._wall(self._head_ns) if has_head else None,
            first_chunk_ns=self._wall(self._head_ns) if self._pieces else None,
            bytes_in=len(one.request_body),
            bytes_out=len(one.body),
            chunks=len(self._pieces),
            events=seen.events,
            events_unknown=seen.events_unknown,
            fields_unknown=seen.fields_unknown,
            decoder_errors=seen.decoder_errors,
            upstream_request_id=value(one.headers, b"x-request-id"),
            upstream_processing_ms=milliseconds(one.headers),
            run_key=seen.run_key,
            run_trace=seen.run_trace,
            run_span_id=seen.run_span_id,
            agent_created=seen.agent_created,
            streamed=seen.streamed,
        )

    def _wall(self, at_ns: int) -> int:
        return self._origin.recorded_ns + at_ns


def _request(one: Interaction, origin: Origin, recording: str) -> Request:
    at_ns = one.t0_ms * _MS
    return Request(
        method=one.method,
        target=one.target,
        headers=one.request_headers,
        at_ns=at_ns,
        wall_ns=origin.recorded_ns + at_ns,
        upstream=origin.upstream,
        session=one.session,
        trace=_trace(f"{recording or origin.recorded_ns} {origin.cassette} {one.index}"),
    )


def _trace(name: str) -> Trace:
    drawn = hashlib.sha256(name.encode("utf-8", "replace")).digest()
    return Trace(int.from_bytes(drawn[:16]), int.from_bytes(drawn[16:24]), int.from_bytes(drawn[24:]))
