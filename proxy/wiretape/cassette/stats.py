"""What a cassette holds, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from wiretape.cassette.format import Interaction, Tape
from wiretape.cassette.observed import runs
from wiretape.runs.quantile import quantile
from wiretape.runs.report import RunReport

_NS_PER_MS = 1_000_000


class RunStats(Struct, frozen=True, kw_only=True):
    """One run; a length of time is None where the cassette does not tell it."""

    run_id: str
    outcome: str
    model: str | None
    streamed: bool
    polls: int
    input_tokens: int | None
    output_tokens: int | None
    first_event_ms: float | None
    first_token_ms: float | None
    duration_ms: float | None


class Spread(Struct, frozen=True):
    """Lengths of time in ms: how many, and by nearest rank."""

    count: int
    p50: int
    p90: int
    most: int


class Stats(Struct, frozen=True, kw_only=True):
    """A cassette in numbers."""

    interactions: int
    sessions: int
    requests: dict[str, int]
    """By method."""
    statuses: dict[str, int]
    endings: dict[str, int]
    request_bytes: int
    answer_bytes: int
    streams: int
    events: int
    length_ms: int | None
    """From the first request to the last byte."""
    first_byte_ms: Spread | None
    """From a request to the first byte of its body; of streams that is the first event."""
    first_event_ms: Spread | None
    """The same, of streams alone."""
    input_tokens: int
    """Of the runs that tell; so `output_tokens`."""
    output_tokens: int
    runs: tuple[RunStats, ...]


def stats(tape: Tape) -> Stats:
    """A tape in numbers."""
    every = tape.interactions
    streams = [one for one in every if one.frames]
    known = [one for one in every if one.times_known and one.chunks]
    found = tuple(_run(report, timed=len(known) > 0) for report in runs(tape))
    return Stats(
        interactions=len(every),
        sessions=len({one.session for one in every}),
        requests=_counted([one.method for one in every]),
        statuses=_counted(["none" if one.status is None else str(one.status) for one in every]),
        endings=_counted([str(one.how) for one in every]),
        request_bytes=sum(len(one.request_body) for one in every),
        answer_bytes=sum(len(one.body) for one in every),
        streams=len(streams),
        events=sum(len(one.frames) for one in streams),
        length_ms=_length(known),
        first_byte_ms=_spread(known),
        first_event_ms=_spread([one for one in known if one.frames]),
        input_tokens=sum(run.input_tokens or 0 for run in found),
        output_tokens=sum(run.output_tokens or 0 for run in found),
        runs=found,
    )


def _counted(values: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _length(known: Sequence[Interaction]) -> int | None:
    ends = [one.t0_ms + sum(gap for gap, _ in one.chunks) for one in known]
    return max(ends) - min(one.t0_ms for one in known) if ends else None


def _spread(known: Sequence[Interaction]) -> Spread | None:
    firsts = [one.chunks[0][0] for one in known]
    middle, most = quantile(firsts, 50), quantile(firsts, 90)
    return None if middle is None or most is None else Spread(len(firsts), middle, most, max(firsts))


def _run(report: RunReport, *, timed: bool) -> RunStats:
    usage = report.usage
    return RunStats(
        run_id=report.run_id,
        outcome=report.outcome,
        model=report.model,
        streamed=report.streamed,
        polls=report.polls,
        input_tokens=usage.prompt if usage else None,
        output_tokens=usage.completion if usage else None,
        first_event_ms=_ms(report.first_event_ns) if timed else None,
        first_token_ms=_ms(report.first_token_ns) if timed else None,
        duration_ms=_ms(report.duration_ns) if timed else None,
    )


def _ms(length_ns: int | None) -> float | None:
    return None if length_ns is None else length_ns / _NS_PER_MS
