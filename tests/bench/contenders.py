"""The contenders: how each is started in front of the upstream, and what it was told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import machine
import peers
from msgspec import Struct
from processes import SOURCES, Missing, answers, located, process, until, unused_port

from wiretape.telemetry.options import TelemetryOptions

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr; worker_rlimit_nofile {descriptors};
events {{ worker_connections {descriptors}; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
client_max_body_size 0; keepalive_timeout 600s; keepalive_requests 100000000;
upstream up {{ server 127.0.0.1:{up}; keepalive 1024; keepalive_requests 100000000; }}
server {{ listen 127.0.0.1:{port} backlog=4096;
location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 300s; }} }} }}
"""
HAPROXY = """
global
  nbthread 1
  maxconn {descriptors}
  no strict-limits
defaults
  mode http
  timeout connect 10s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
  http-reuse always
  option http-no-delay
listen up
  bind 127.0.0.1:{port} backlog 4096
  server one 127.0.0.1:{up}
"""
CAN_BE_SILENT = hasattr(TelemetryOptions(), "enabled")
FORWARD, LEDGER, RECORD, REFERENCE = "wiretape", "wiretape, on", "wiretape, recording", "wiretape, reference"


class Running(Struct, frozen=True):
    """A contender that listens."""

    port: int
    pids: tuple[int, ...]
    """Its first processes; what they start belongs to it."""
    prefix: str = ""
    """What its paths begin with."""

    def family(self) -> list[int]:
        """Give all its processes."""
        return [pid for first in self.pids for pid in machine.family(first)]


class Place(Struct, frozen=True):
    """Where a contender is put."""

    upstream: tuple[int, int]
    """The port of the upstream and its process id."""
    folder: Path
    """For its files; one for each start."""
    descriptors: int

    @property
    def connections(self) -> int:
        """How many clients may stay connected; most of them idle, as each that asks has one upstream too."""
        return self.descriptors * 3 // 4

    @property
    def url(self) -> str:
        """The upstream's address."""
        return f"http://127.0.0.1:{self.upstream[0]}"


Starter = Callable[[Place], AbstractContextManager[Running]]


class Contender(Struct, frozen=True):
    """One row of the tables."""

    name: str
    is_told: str
    """How it is set up, for the page."""
    start: Starter
    is_slow: bool = False
    """Takes part in fewer rounds, stays up for all work, and is stopped while others are measured."""


@contextmanager
def direct(place: Place) -> Iterator[Running]:
    """Give the upstream itself."""
    yield Running(place.upstream[0], place.upstream[1:])


@contextmanager
def naive(place: Place) -> Iterator[Running]:
    """Run the proxy that one writes in an afternoon."""
    ready, log = place.folder / "ready", place.folder / "log"
    words = [sys.executable, str(SOURCES / "naive.py"), place.url, str(ready)]
    with process(words, core=machine.CONTENDER_CORE, log=log) as child:
        until(lambda: ready.exists() and ready.read_text() != "", "naive.py", child, log)
        yield Running(int(ready.read_text()), (child.pid,))


def configured(program: str, template: str, *flags: str) -> Starter:
    """Run a peer that is set up by a file; raises Missing where it is not installed."""

    @contextmanager
    def start(place: Place) -> Iterator[Running]:
        found = located(program)
        if found is None:
            raise Missing(f"not installed: on Debian, apt-get install {program}")
        port, file, log = unused_port(), place.folder / "conf", place.folder / "log"
        values = {"folder": place.folder, "up": place.upstream[0], "descriptors": place.descriptors}
        file.write_text(template.format(port=port, **values))
        words = [word.format(folder=place.folder) for word in (found, *flags)]
        with process([*words, str(file)], core=machine.CONTENDER_CORE, log=log) as child:
            until(lambda: answers(port), program, child, log)
            yield Running(port, (child.pid,))

    return start


def peer(start: peers.Peer, prefix: str = "") -> Starter:
    """Run a peer that lives in an environment of its own."""

    @contextmanager
    def started(place: Place) -> Iterator[Running]:
        with start(place.url, place.folder) as (port, pid):
            yield Running(port, (pid,), prefix)

    return started


def wiretape(*flags: str, silent: bool = False, ledger: bool = True, processes: int = 1) -> Starter:
    """Run Wiretape as users do, by its command; several processes share one port."""

    @contextmanager
    def start(place: Place) -> Iterator[Running]:
        audit = f"sqlite:///{place.folder}/ledger.db" if ledger else "none"
        words = ["--upstream", place.url, "--ledger", audit, "--cassette-dir", str(place.folder), *flags]
        file = place.folder / "wiretape.toml"
        file.write_text(
            f"[edge]\nconnections_max = {place.connections}\n"
            + ("[telemetry]\nenabled = false\n" if silent and CAN_BE_SILENT else "")
        )
        with ExitStack() as stack:
            port, pids = 0, []
            for core in (machine.CONTENDER_CORE, machine.SECOND_CORE)[:processes]:
                ready = place.folder / f"ready{core}.json"
                listen = ["--config", str(file), "--listen", f"127.0.0.1:{port}", "--ready-file", str(ready)]
                port, pid = stack.enter_context(_one(core, [*listen, *words], ready))
                pids.append(pid)
            yield Running(port, tuple(pids))

    return start


@contextmanager
def _one(core: int, flags: list[str], ready: Path) -> Iterator[tuple[int, int]]:
    log = ready.with_suffix(".log")
    words = [sys.executable, "-m", "wiretape", "serve", "--admin", "127.0.0.1:0", *flags]
    with process(words, core=core, log=log) as child:
        until(ready.exists, "wiretape", child, log)
        yield int(json.loads(ready.read_text())["traffic"].rpartition(":")[2]), child.pid


_SILENCE = "telemetry off" if CAN_BE_SILENT else "telemetry on (this build cannot switch it off)"
ALL = (
    Contender("direct", "no proxy", direct),
    Contender(
        "nginx",
        "one worker, unbuffered both ways, upstream keep-alive",
        configured("nginx", NGINX, "-p", "{folder}", "-c"),
    ),
    Contender("haproxy", "one thread, upstream connections shared", configured("haproxy", HAPROXY, "-db", "-f")),
    Contender("naive aiohttp", "`naive.py`: Application and ClientSession, request bodies read whole", naive),
    Contender(FORWARD, f"forward, {_SILENCE}, no ledger", wiretape(silent=True, ledger=False)),
    Contender(LEDGER, "forward, telemetry and ledger on", wiretape()),
    Contender(RECORD, "record, telemetry and ledger on", wiretape("--mode", "record", "--cassette", "bench")),
    Contender(
        REFERENCE,
        f"forward as above, with the `reference` engine (ClientSession), {_SILENCE}",
        wiretape("--engine", "reference", silent=True, ledger=False),
    ),
    Contender("mitmproxy", "reverse mode, all bodies streamed", peer(peers.mitmproxy), is_slow=True),
    Contender(
        "litellm", "pass-through route, no key, no database", peer(peers.litellm, peers.LITELLM_PATH), is_slow=True
    ),
)
PAIRS = (
    Contender("forward, one", "", wiretape("--reuse-port", silent=True, ledger=False)),
    Contender("forward, two", "", wiretape("--reuse-port", silent=True, ledger=False, processes=2)),
    Contender("on, one", "", wiretape("--reuse-port")),
    Contender("on, two", "", wiretape("--reuse-port", processes=2)),
)
