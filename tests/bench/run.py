"""Run all benchmarks (`make bench`, `make bench-quick`).

    python tests/bench/run.py [--quick] [--output FILE]

The whole writes RESULTS.md beside this file; the quick form only prints, unless it is told where to write.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import cassettes
import decoder
import machine
import noharm
import pace
import peers
import relay
import replay
import tables
import targets
from processes import Missing, located
from work import DELTAS, FULL, QUICK, Plan

import sandbox

BEGUN = time.monotonic()
TARGET = Path(__file__).with_name("RESULTS.md")
PARTS = ("wiretape", "aiohttp", "httptools", "uvloop", "msgspec", "opentelemetry-sdk", "openai", "vcrpy")
PROGRAMS = {
    "gcc": ["gcc", "--version"],
    "nginx": ["nginx", "-v"],
    "HAProxy": ["haproxy", "-v"],
    "mitmproxy": [".venv/bench-mitmproxy/bin/mitmdump", "--version"],
    "mountebank": [".venv/bench-mountebank/node_modules/.bin/mb", "--version"],
    "LiteLLM": [".venv/bench-litellm/bin/python", "-c", "import importlib.metadata as m; print(m.version('litellm'))"],
}
PAGE = """\
# Results

Written by `{command}` on {day}, in {minutes:.1f} minutes. README.md beside this file says how to read it.

{processor}, {cores} cores; {kernel}; Python {python}, {parts}; {programs}.
Upstream and load on core {load_core}, contenders on core {contender_core}. Read rows against each other, not against
another day's: a hop of a virtual machine that was asleep takes some 100 µs to wake.

{relaying}
## Sinks that fail

{harming}

## Decoder

{events} events of a text run, one read for each event; CPU time, the best of the rounds. The last two rows are what an
application of the official SDK spends on the same bytes; its HTTP client is left out, as our sockets are.

{decoding}

{decoder_targets}

## Sandbox

{sandbox_streams} streams at once of {sandbox_deltas} deltas each, rounds: {sandbox_rounds}, medians; the server is
pinned to one core, the load to another. The relay above has an upstream of its own: there an event is
a copy of bytes.

{sandboxing}

{replaying}
## Cassettes

CPU time and the growth of resident memory, each row in a process of its own.

{cassettes}

## Pace

Replay at speed 1, a chunk each 20 ms or so: how late each is, from when its client had the head. The first row is what
the machine's own sleeps are late by.

{pacing}
"""
NO_HARM = """\
Each proxy has telemetry, a ledger and OTLP export on, and one thing wrong. {json}; {paced}.
Interleaved rounds, ratios paired within them against the first row: above 1 is better than it. What was lost is scraped
from `/metrics` at the end; what waits is not lost.

{rows}

{verdict}"""
REPLAY = """\
## Replay

One JSON answer of 1.2 KB over 32 connections, and one stream of {deltas} deltas, 16 at once, both asked for again and
again by GET. The load is the relay's, which counts and measures every answer; all play the same bytes. Medians over
interleaved rounds. Of the first target there is a stretch: ten times.

{targets}

{contenders}

{rows}
"""
RELAY = """\
## Targets

Medians of ratios paired within a round (least to most). {quiet}

{targets}

## Contenders

{contenders}

## Relay

Medians over interleaved rounds whose order turns. Every answer was counted and measured byte by byte; `failed` are
those that were not whole. CPU is that of the contender's processes; `core` is their share of one. Times of a paced
stream are what a contender adds to the direct way, whose own are in brackets.

{sections}
### Idle connections

Each asked once and stayed open. Wanted: {idle:,}; descriptors: {descriptors:,}.

{idles}

### One process and two, `--reuse-port`

{pairs_title}. The second process runs on core {second_core}{shared}.

{pairs}
"""


def say(text: str) -> None:
    """Speak to the caller, at once."""
    sys.stderr.write(f"{time.monotonic() - BEGUN:5.0f} s  {text}\n")
    sys.stderr.flush()


def versions() -> Iterator[str]:
    """Ask the programs for theirs."""
    for name, words in PROGRAMS.items():
        command = peers.ROOT / words[0] if "/" in words[0] else located(words[0])
        if command is None or not Path(command).exists():
            yield f"{name} not installed"
            continue
        done = subprocess.run([str(command), *words[1:]], capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+[\w.-]*", re.sub(r"\(.*?\)", "", done.stdout + done.stderr))
        yield f"{name} {found[0] if found else '?'}"


def relayed(plan: Plan) -> str:
    """Measure the relay; what cannot be measured here is said in its place."""
    if plan.installs:
        for problem in filter(None, map(peers.install, ("mitmproxy", "litellm"))):
            say(f"SKIPPED {problem}")
    try:
        found = relay.measure(plan, say)
    except Missing as error:
        say(f"SKIPPED the relay: {error}")
        return f"## Relay\n\n**Not measured**: {error}\n"
    return RELAY.format(
        quiet=tables.quiet(found),
        targets="\n".join(tables.table(list(targets.rows(found)))),
        contenders="\n".join(tables.table(tables.contenders(found))),
        sections="\n".join(tables.sections(plan, found)),
        idle=plan.idle,
        descriptors=found.descriptors,
        idles="\n".join(tables.table(tables.idles(found))),
        pairs_title=plan.pairs.title,
        second_core=machine.SECOND_CORE,
        shared=", which it shares with upstream and load" if machine.SECOND_CORE == machine.LOAD_CORE else "",
        pairs="\n".join(tables.table(tables.pairs(found))),
    )


def replayed(plan: Plan) -> str:
    """Measure those that play back; what cannot be measured here is said in its place."""
    problem = peers.install_node("mountebank") if plan.installs else None
    if problem:
        say(f"SKIPPED {problem}")
    try:
        played = replay.measure(plan, say)
    except Missing as error:
        say(f"SKIPPED replay: {error}")
        return f"## Replay\n\n**Not measured**: {error}\n"
    return REPLAY.format(
        deltas=DELTAS,
        targets="\n".join(tables.table(replay.targets(played))),
        contenders="\n".join(tables.table(replay.contenders(played))),
        rows="\n".join(tables.table(replay.table(played))),
    )


def unharmed(plan: Plan) -> str:
    """Measure proxies whose sinks fail; what is not measured is said in its place."""
    if plan.no_harm is None:
        return "**Not measured** in the quick form."
    say("sinks that fail")
    try:
        found = noharm.measure(plan.no_harm, say)
    except Missing as error:
        say(f"SKIPPED sinks that fail: {error}")
        return f"**Not measured**: {error}"
    of_json, paced = (work.title for work in plan.no_harm)
    rows = "\n".join(tables.table(noharm.table(found)))
    return NO_HARM.format(json=of_json, paced=paced, rows=rows, verdict=noharm.verdict(found))


def page(plan: Plan, command: str) -> str:
    """Measure all and write the page."""
    relaying = relayed(plan)
    harming = unharmed(plan)
    say("decoder")
    decoding = decoder.measure(plan.decoder_rounds)
    say("sandbox")
    sandboxing = asyncio.run(sandbox.measure(plan.sandbox_rounds))
    say("replay")
    replaying = replayed(plan)
    say("cassettes")
    opened = cassettes.rows(plan.cassettes, plan.recorded_events)
    say("pace")
    pacing = pace.rows(plan.paced)
    return PAGE.format(
        command=command,
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        minutes=(time.monotonic() - BEGUN) / 60,
        processor=machine.processor(),
        cores=len(machine.CORES),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        parts=", ".join(f"{name} {version(name)}" for name in PARTS),
        programs=", ".join(versions()),
        load_core=machine.LOAD_CORE,
        contender_core=machine.CONTENDER_CORE,
        relaying=relaying,
        harming=harming,
        events=len(decoder.stream()),
        decoding="\n".join(tables.table(decoding.rows())),
        decoder_targets="\n".join(tables.table(decoding.targets())),
        sandbox_streams=sandbox.STREAMS,
        sandbox_deltas=sandbox.DELTAS,
        sandbox_rounds=plan.sandbox_rounds,
        sandboxing="\n".join(tables.table(sandboxing)),
        replaying=replaying,
        cassettes="\n".join(tables.table(opened)),
        pacing="\n".join(tables.table(pacing)),
    )


def main() -> None:
    """Read the flags, run, write, print."""
    flags = argparse.ArgumentParser()
    flags.add_argument("--quick", action="store_true", help="fewer and shorter rounds; prints alone")
    flags.add_argument("--output", type=Path, help="the file to write")
    given = flags.parse_args()
    command = "make bench-quick" if given.quick else "make bench"
    text = page(QUICK if given.quick else FULL, command)
    output = given.output or (None if given.quick else TARGET)
    if output is not None:
        output.write_text(text, "utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
