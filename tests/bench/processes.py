"""Start the processes of the benchmark, each on its core, and end them; compile the two that are written in C."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import machine

SOURCES = Path(__file__).parent
PROGRAMS = ("upstream", "load")
READY_S = 60.0
REST_STEP_S, REST_STEPS_MAX = 0.02, 50


class Missing(Exception):
    """Something that the benchmark wants is not on this machine; says what, and how to get it."""


def compiled(folder: Path) -> Path:
    """Compile upstream and load into a folder; raises Missing without a compiler, or one that knows no epoll."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Missing("no C compiler: on Debian, apt-get install gcc libc6-dev")
    for name in PROGRAMS:
        words = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(folder / name), str(SOURCES / f"{name}.c")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"{name}.c does not compile here (it needs Linux and glibc 2.35): {done.stderr[:500]}")
    return folder


def located(program: str) -> str | None:
    """Find a program, a server's too: Debian keeps those off a user's PATH."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


@contextmanager
def process(
    words: Sequence[str],
    *,
    core: int,
    log: Path,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[str] = subprocess.DEVNULL,
    environ: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run one on its core, what it says on standard error in `log`; it is killed at the end with all below it."""
    surroundings = {**os.environ, **(environ or {})}
    with log.open("w") as said, machine.on_core(core):
        child = subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=said, text=True, env=surroundings)
    try:
        yield child
    finally:
        for pid in reversed(machine.family(child.pid)):
            os.kill(pid, signal.SIGKILL)
        child.communicate()


@contextmanager
def upstream(programs: Path, folder: Path) -> Iterator[tuple[int, int]]:
    """Run the upstream; gives its port and process id."""
    words = [str(programs / "upstream")]
    pipe = subprocess.PIPE
    with process(words, core=machine.LOAD_CORE, log=folder / "upstream.log", stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        yield int(child.stdout.readline()), child.pid


def pause(seconds: float) -> None:
    """Let the other processes go on."""
    threading.Event().wait(seconds)


def at_rest(pids: Sequence[int]) -> None:
    """Wait until processes have done what they put off, within a bound."""
    for _ in range(REST_STEPS_MAX):
        before = machine.cpu_s(pids)
        pause(REST_STEP_S)
        if machine.cpu_s(pids) - before < REST_STEP_S / 10:
            return


def until(is_so: Callable[[], bool], what: str, child: subprocess.Popen[str], log: Path) -> None:
    """Wait until something is so; raises Missing when the process ends first, or the time."""
    given_up = time.monotonic() + READY_S
    while not is_so():
        if child.poll() is not None or time.monotonic() > given_up:
            raise Missing(f"{what} does not start: {log.read_text(errors='replace').strip()[-300:]}")
        pause(0.02)


def answers(port: int) -> bool:
    """Tell whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def unused_port() -> int:
    """Find a port for a contender that cannot tell which one it took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
