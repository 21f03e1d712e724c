"""Peers from package indexes, each in an environment of its own under .venv, made when first wanted.

A benchmark that may not install (`make bench-quick`) takes those that an earlier one made.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import machine
from processes import SOURCES, Missing, answers, located, process, until, unused_port

ROOT = SOURCES.parent.parent
INSTALL_S = 600.0
QUIETLY = ("--quiet", "--disable-pip-version-check")
NPM_QUIETLY = ("--no-audit", "--no-fund", "--loglevel", "error")
NODE_PINS = {"mountebank": "2.9.1"}
LITELLM_PATH = "/bench"
LITELLM_CONFIG = """\
general_settings:
  pass_through_endpoints:
    - {{path: {path}, target: "{url}", include_subpath: true, forward_headers: true}}
"""
LITELLM_ENVIRON = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # otherwise it asks the network for prices when it starts
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # otherwise it would have to check keys
}

Peer = Callable[[str, Path], AbstractContextManager[tuple[int, int]]]


def program(name: str, command: str) -> Path:
    """Find a peer's program; raises Missing where its environment was not made."""
    found = _environment(name) / "bin" / command
    if not found.exists():
        raise Missing(f"not installed: `make bench` makes .venv/bench-{name}")
    return found


def install(name: str) -> str | None:
    """Make a peer's environment where there is none; gives what went wrong."""
    folder = _environment(name)
    ready = folder / ".ready"
    if ready.exists():
        return None
    pins = str(ROOT / "requirements" / f"bench-{name}.txt")
    steps = (
        [sys.executable, str(ROOT / ".ci" / "environment.py"), str(folder)],
        [str(folder / "bin/python"), "-m", "pip", "install", *QUIETLY, "--require-hashes", "--requirement", pins],
    )
    problem = _done(name, steps)
    if problem is None:
        ready.touch()
    return problem


def _done(name: str, steps: Sequence[Sequence[str]]) -> str | None:
    try:
        for words in steps:
            subprocess.run(words, check=True, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.CalledProcessError as error:
        return f"{name} does not install: {error.stderr.strip()[-300:]}"
    except subprocess.TimeoutExpired:
        return f"{name} does not install within {INSTALL_S:.0f} s"
    return None


def node_program(name: str, command: str) -> Path:
    """Find a peer's program of the other index; raises Missing where it was not installed."""
    found = _environment(name) / "node_modules" / ".bin" / command
    if not found.exists():
        raise Missing(f"not installed: `make bench` makes .venv/bench-{name}, where npm is")
    return found


def install_node(name: str) -> str | None:
    """Install a peer by npm where there is none; gives what went wrong."""
    folder, npm = _environment(name), located("npm")
    if (folder / "node_modules").exists():
        return None
    if npm is None:
        return f"{name} does not install: no npm; on Debian, apt-get install npm"
    folder.mkdir(parents=True, exist_ok=True)
    return _done(name, ([npm, "install", "--prefix", str(folder), *NPM_QUIETLY, f"{name}@{NODE_PINS[name]}"],))


def _environment(name: str) -> Path:
    return ROOT / ".venv" / f"bench-{name}"


@contextmanager
def mitmproxy(url: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Run mitmproxy in reverse mode; gives its port and process id."""
    port = unused_port()
    words = [str(program("mitmproxy", "mitmdump")), "--mode", f"reverse:{url}", "--listen-host", "127.0.0.1"]
    words += ["--listen-port", str(port), "--quiet", "--scripts", str(SOURCES / "streaming.py")]
    words += ["--set", f"confdir={folder}"]
    with _listening(words, port, folder, {}) as pid:
        yield port, pid


@contextmanager
def litellm(url: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Run LiteLLM with a pass-through route; gives its port and process id."""
    port, file = unused_port(), folder / "litellm.yaml"
    file.write_text(LITELLM_CONFIG.format(path=LITELLM_PATH, url=url))
    words = [str(program("litellm", "litellm")), "--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
    with _listening(words, port, folder, LITELLM_ENVIRON) as pid:
        yield port, pid


@contextmanager
def _listening(words: list[str], port: int, folder: Path, environ: dict[str, str]) -> Iterator[int]:
    log = folder / "log"
    with process(words, core=machine.CONTENDER_CORE, log=log, environ=environ) as child:
        until(lambda: answers(port), Path(words[0]).name, child, log)
        yield child.pid
