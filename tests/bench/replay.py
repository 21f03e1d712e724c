"""Measure those that play back side by side, as the relays are; and VCR.py, which plays in its client's process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial

import machine
from figures import (
    NOTHING,
    Ratio,
    Samples,
    cpu_us_event,
    cpu_us_request,
    events_s,
    middle,
    of,
    paired,
    requests_s,
    spread,
)
from msgspec import Struct
from players import AS_IT_IS, PEERS, PLAYERS, SILENT
from processes import SOURCES
from relay import DISTURBED, Bench, Found, Tell, rounds
from targets import Target
from work import REPLAYED, REPLAYED_STREAMS, WARMING_REPLAY, Plan

Row = dict[str, str]
IN_PROCESS = "VCR.py"
IN_PROCESS_TIMEOUT_S = 60.0
COLUMNS = (
    "player", "JSON requests/s", "spread", "CPU µs/request", "streams/s", "spread of these", "events/s", "CPU µs/event",
    "peak RSS MiB", "failed", "disturbed",
)  # fmt: skip


class Played(Struct, frozen=True):
    """All that was measured."""

    found: Found
    in_process: dict[str, dict[str, float]]
    """By kind: requests, and the microseconds of one."""


def measure(plan: Plan, tell: Tell) -> Played:
    """Measure all; raises Missing where the load cannot be compiled."""
    with ExitStack() as stack:
        bench = Bench(stack, tell, frozenset(), PLAYERS, WARMING_REPLAY)
        up = bench.started([one for one in PLAYERS if not one.is_slow], stack)
        samples = {work.name: rounds(bench, work, up) for work in plan.replay}
        in_process = _in_process(f"http://127.0.0.1:{bench.upstream[0]}", plan.in_process_s)
        return Played(Found(samples, {}, {}, bench.missing, bench.descriptors), in_process)


def _in_process(url: str, seconds: float) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder, machine.on_core(machine.CONTENDER_CORE):
        words = [sys.executable, str(SOURCES / "inprocess.py"), folder, url, str(seconds)]
        said = subprocess.run(words, capture_output=True, check=True, timeout=IN_PROCESS_TIMEOUT_S)
    return dict(json.loads(said.stdout))


def contenders(played: Played) -> list[Row]:
    """Say what each is, or why it is not there."""
    missing = played.found.missing
    told = {
        one.name: f"**not measured**: {missing[one.name]}" if one.name in missing else one.is_told for one in PLAYERS
    }
    told[IN_PROCESS] = "in its client's process, aiohttp's; no server and no socket"
    return [{"player": name, "set up": " ".join(words.split())} for name, words in told.items()]


def table(played: Played) -> list[Row]:
    """Give the table."""
    there = [one.name for one in PLAYERS if played.found.samples[REPLAYED].get(one.name)]
    return [*(_row(name, played.found) for name in there), _in_process_row(played.in_process)]


def _row(name: str, found: Found) -> Row:
    answers, streams = (found.samples[work][name] for work in (REPLAYED, REPLAYED_STREAMS))
    every = [*answers.values(), *streams.values()]
    values = (
        name,
        f"{middle(answers, requests_s):,.0f}",
        spread(answers, requests_s),
        f"{middle(answers, cpu_us_request):,.1f}",
        f"{middle(streams, requests_s):,.0f}",
        spread(streams, requests_s),
        f"{middle(streams, events_s):,.0f}",
        f"{middle(streams, cpu_us_event):,.2f}",
        f"{max(one.peak_mib for one in every):.0f}",
        str(sum(one.failed for one in every)),
        f"{sum(one.others > DISTURBED for one in every)} of {len(every)}",
    )
    return dict(zip(COLUMNS, values, strict=True))


def _in_process_row(told: dict[str, dict[str, float]]) -> Row:
    answer_us, stream_us = told["json"]["us"], told["stream"]["us"]
    told_of = {"CPU µs/request": f"{answer_us:,.1f}", "streams/s": f"{1e6 / stream_us:,.0f}"}
    events = {"events/s": f"{told['stream']['events'] * 1e6 / stream_us:,.0f}"}
    known = {"player": IN_PROCESS, "JSON requests/s": f"{1e6 / answer_us:,.0f}", **told_of, **events}
    return {column: known.get(column, NOTHING) for column in COLUMNS}


def _against(work: str, found: Found, name: str) -> Ratio | None:
    """Compare with the peer that has the highest median, round by round; None where there is none."""
    of_all = found.samples[work]
    there = [of_all[peer] for peer in PEERS if of_all.get(peer)]
    best = max(there, key=_median_requests_s, default={})
    return paired(of_all.get(name, {}), best, of(requests_s))


def _median_requests_s(samples: Samples) -> float:
    return middle(samples, requests_s)


TARGETS = (
    Target(
        "JSON requests/s against the best HTTP peer (stretch: 10)", 4, 4, partial(_against, REPLAYED), is_floor=True
    ),
    Target("streams/s against the best HTTP peer", 3, 3, partial(_against, REPLAYED_STREAMS), is_floor=True),
)


def targets(played: Played) -> list[Row]:
    """Give the table of targets."""
    return [
        {
            "figure, one worker": target.title,
            "telemetry off, no ledger": target.cell(target.measured(played.found, SILENT), target.forwarding),
            "telemetry and ledger on": target.cell(target.measured(played.found, AS_IT_IS), target.everything),
        }
        for target in TARGETS
    ]
