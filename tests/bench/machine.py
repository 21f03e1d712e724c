"""What the kernel tells about processes and cores, and which core does what. Linux alone."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
LOAD_CORE = CORES[0]
"""Upstream and load share it, as they cost little beside any contender; the page says where that was not so."""
CONTENDER_CORE = CORES[min(1, len(CORES) - 1)]
SECOND_CORE = CORES[2] if len(CORES) > 2 else LOAD_CORE
"""Of the second of two processes; with two cores it shares one with the load."""
USED = sorted({LOAD_CORE, CONTENDER_CORE, SECOND_CORE})
_BUSY = (0, 1, 2, 7)
"""user, nice, system and steal of /proc/stat: what is not idle, waiting, or an interrupt on nobody's account."""


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Keep this process, and so what it starts meanwhile, on one core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


def raise_descriptors(wanted: int) -> int:
    """Raise RLIMIT_NOFILE as far as we may; gives what it is now, also for whatever is started afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for bound in (max(wanted, hard), hard):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, bound)), bound))
            break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def family(pid: int) -> list[int]:
    """Give a process and all below it."""
    found = [pid]
    for one in found:
        with suppress(FileNotFoundError):
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
    return found


def cpu_s(pids: Sequence[int]) -> float:
    """Read the CPU clocks of processes, all their threads in each, to the nanosecond (`clock_getcpuclockid`)."""
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def busy_s(cores: Sequence[int]) -> float:
    """Read how long cores worked, for whomever."""
    lines = dict(line.split(maxsplit=1) for line in Path("/proc/stat").read_text().splitlines())
    ticks = (lines[f"cpu{core}"].split() for core in cores)
    return sum(int(of_core[at]) for of_core in ticks for at in _BUSY) / os.sysconf("SC_CLK_TCK")


def rss_mib(pids: Sequence[int]) -> float:
    """Read how much memory processes have in RAM."""
    return _status_mib(pids, "VmRSS:")


def peak_mib(pids: Sequence[int]) -> float:
    """Read how much they had at most since `forget_peak`."""
    return _status_mib(pids, "VmHWM:")


def forget_peak(pids: Sequence[int]) -> None:
    """Begin anew with the peak (proc(5), clear_refs)."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status_mib(pids: Sequence[int], field: str) -> float:
    lines = (line.split() for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return sum(int(words[1]) for words in lines if words[0] == field) / 1024


def processor() -> str:
    """Name the CPU."""
    facts = Path("/proc/cpuinfo")
    for line in facts.read_text().splitlines() if facts.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
