"""Measure the contenders side by side: every round each of them, in an order that turns.

Upstream and load are C programs on one core, the contender is alone on another. In the long form each work has its
contenders started anew, so that memory is that of the work; slow peers start once and are stopped (SIGSTOP) while
others are measured.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import machine
import msgspec
from contenders import ALL, PAIRS, Contender, Place, Running
from msgspec import Struct
from processes import Missing, at_rest, compiled, process, upstream
from work import WARMING, Plan, Work

DESCRIPTORS = 40_000
FAST = [one for one in ALL if not one.is_slow]
DISTURBED = 0.15
"""Share of a core that others took while a sample was taken; beyond it the sample is not used where others are."""
GRACE_S = 20.0


class Load(Struct, frozen=True):
    """What `load` says."""

    requests: int
    events: int
    bytes: int
    reopened: int
    wall_s: float
    cpu_s: float
    first_p50_us: float
    first_p99_us: float
    delay_p50_us: float
    delay_p99_us: float
    errors: dict[str, int]


class Sample(Struct, frozen=True):
    """One contender at one work in one round."""

    load: Load
    cpu_s: float
    """Of the contender."""
    upstream_cpu_s: float
    others: float
    """Share of one core that processes which are none of ours took meanwhile."""
    before_mib: float
    peak_mib: float

    @property
    def failed(self) -> int:
        """How many requests went wrong."""
        return sum(self.load.errors.values())

    @property
    def load_share(self) -> float:
        """Share of their core that upstream and load took."""
        return (self.load.cpu_s + self.upstream_cpu_s) / self.load.wall_s


class Idle(Struct, frozen=True):
    """A contender that holds idle connections."""

    held: int
    before_mib: float
    after_mib: float
    failed: int


class Found(Struct):
    """All that was measured."""

    samples: dict[str, dict[str, dict[int, Sample]]]
    """By work, contender and round."""
    pairs: dict[str, dict[int, Sample]]
    idle: dict[str, Idle]
    missing: dict[str, str]
    """Why a contender has no row."""
    descriptors: int


Tell = Callable[[str], None]


class Bench:
    """The programs, the upstream, and the peers that stay up."""

    def __init__(
        self,
        stack: ExitStack,
        tell: Tell,
        without: frozenset[str],
        contenders: Sequence[Contender] = ALL,
        warming: Sequence[Work] = WARMING,
    ) -> None:
        self.tell = tell
        self.without = without
        self.warming = warming
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.programs = compiled(self.folder)
        self.descriptors = machine.raise_descriptors(DESCRIPTORS)
        self.upstream = stack.enter_context(upstream(self.programs, self.folder))
        self.missing: dict[str, str] = {}
        slow = [one for one in contenders if one.is_slow]
        self.slow = self.started(slow, stack)
        for running in self.slow.values():
            _signal(running, signal.SIGSTOP)

    def started(self, contenders: Sequence[Contender], stack: ExitStack) -> dict[str, Running]:
        """Start and warm those that are there; the others are told of once."""
        up = {}
        for one in contenders:
            if one.name in self.missing or one.name in self.without:
                continue
            place = Place(self.upstream, Path(tempfile.mkdtemp(dir=self.folder)), self.descriptors)
            try:
                up[one.name] = stack.enter_context(one.start(place))
                for work in self.warming:
                    self.load(up[one.name], work)
            except Missing as error:
                self.missing[one.name] = str(error)
                self.tell(f"SKIPPED {one.name}: {error}")
        return up

    def sample(self, running: Running, work: Work) -> Sample:
        """Take one."""
        pids, up = running.family(), [self.upstream[1]]
        machine.forget_peak(pids)
        before_mib, busy, begun = machine.rss_mib(pids), machine.busy_s(machine.USED), time.monotonic()
        cpu, upstream_cpu = machine.cpu_s(pids), machine.cpu_s(up)
        load = self.load(running, work)
        at_rest(pids)  # what was put off is part of the cost
        cpu, upstream_cpu = machine.cpu_s(pids) - cpu, machine.cpu_s(up) - upstream_cpu
        ours = load.cpu_s + upstream_cpu + (cpu if pids != up else 0)
        others = (machine.busy_s(machine.USED) - busy - ours) / (time.monotonic() - begun)
        return Sample(load, cpu, upstream_cpu, max(others, 0), before_mib, machine.peak_mib(pids))

    def words(self, running: Running) -> list[str]:
        """Give what the load is started with for a contender, but for its work."""
        return [str(self.programs / "load"), str(running.port)]

    def load(self, running: Running, work: Work) -> Load:
        """Run the load on its core, to its end."""
        command, *rest = self.words(running)
        words = [command, *rest, *work.words(), f"prefix={running.prefix}"]
        with machine.on_core(machine.LOAD_CORE):
            said = subprocess.run(words, capture_output=True, check=True, timeout=work.deadline_s + GRACE_S)
        return msgspec.json.decode(said.stdout, type=Load)

    def idle(self, running: Running, connections: int, deadline_s: float) -> Idle:
        """Open connections that each ask once and stay; tells what they cost."""
        pids = running.family()
        before = machine.rss_mib(pids)
        words = [*self.words(running), "idle", str(connections), f"deadline_s={deadline_s}"]
        words.append(f"prefix={running.prefix}")
        pipe, log = subprocess.PIPE, self.folder / "load.log"
        with process(words, core=machine.LOAD_CORE, log=log, stdin=pipe, stdout=pipe) as child:
            assert child.stdout is not None
            said = msgspec.json.decode(child.stdout.readline(), type=Load)
            return Idle(said.requests, before, machine.rss_mib(pids), sum(said.errors.values()))


def measure(plan: Plan, tell: Tell) -> Found:
    """Measure all; raises Missing where the load cannot be compiled."""
    with ExitStack() as stack:
        bench = Bench(stack, tell, plan.without)
        kept = {} if plan.restarts else bench.started(FAST, stack)
        samples = {}
        for work in plan.work:
            tell(work.title)
            with ExitStack() as for_work:
                samples[work.name] = rounds(bench, work, kept or bench.started(FAST, for_work))
        tell("idle connections")
        idle = dict(_idles(bench, plan, kept))
        tell("one process against two")
        pairs = rounds(bench, plan.pairs, bench.started(PAIRS, stack))
        return Found(samples, pairs, idle, bench.missing, bench.descriptors)


def rounds(bench: Bench, work: Work, up: dict[str, Running]) -> dict[str, dict[int, Sample]]:
    up, slow = up | bench.slow, {*bench.slow, *work.slow}
    found: dict[str, dict[int, Sample]] = {name: {} for name in up}
    for at in range(work.rounds):
        for name in _turned([name for name in up if name not in slow or at < work.slow_rounds], at):
            try:
                with _awake(bench, name):
                    found[name][at] = bench.sample(up[name], work)
            except (OSError, subprocess.SubprocessError) as error:  # a row is lost, not the page
                bench.tell(f"LOST {name}, round {at}: {error}")
    return found


def _turned(names: list[str], at: int) -> list[str]:
    """Begin with another one each round, so that none always follows the same."""
    by = at * (len(names) // 2 + 1) % len(names)
    return names[by:] + names[:by]


@contextmanager
def _awake(bench: Bench, name: str) -> Iterator[None]:
    """Let a slow peer run while it is measured, and only then: at rest it works too."""
    running = bench.slow.get(name)
    if running is None:
        yield
        return
    _signal(running, signal.SIGCONT)
    try:
        yield
    finally:
        _signal(running, signal.SIGSTOP)


def _idles(bench: Bench, plan: Plan, kept: dict[str, Running]) -> Iterator[tuple[str, Idle]]:
    connections = min(plan.idle, bench.descriptors * 2 // 3)  # so that no bound of a contender is reached
    for one in FAST[1:]:
        with ExitStack() as stack:
            running = kept.get(one.name) or bench.started([one], stack).get(one.name)
            if running is not None:
                yield one.name, bench.idle(running, connections, plan.idle_deadline_s)


def _signal(running: Running, number: signal.Signals) -> None:
    for pid in running.family():
        os.kill(pid, number)
