"""What clients feel of sinks that fail: the same load through proxies whose sinks are well, dead, hanging, failing.

Each proxy has telemetry, a ledger and OTLP export on; one thing is wrong with each. They take turns within a round, and
are held against one whose sinks are well. How far two such proxies are apart by chance alone is measured in the same
rounds, by a second one that is well too: a row is worse where its median is below the worst of that.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import machine
from contenders import Contender, Place, Running, Starter, direct
from figures import Ratio, Samples, added, middle, paired, requests_s
from msgspec import Struct
from processes import process, until
from prometheus_client.parser import text_string_to_metric_families
from relay import Bench, Sample, Tell, rounds
from work import WARMING, Work

WELL, AGAIN = "every sink well", "every sink well, again"
NOTICED = 1.05
"""Less than a twentieth is no difference, however the rounds fell."""
PIPE_BYTES = 4096
HASTY = {"OTEL_BSP_SCHEDULE_DELAY": "500", "OTEL_METRIC_EXPORT_INTERVAL": "1000"}
"""So that exports happen within a round."""
_FREE = "127.0.0.1:0"


class Trouble(Struct, frozen=True):
    """What a proxy is started with that something is wrong with."""

    environ: dict[str, str]
    log: Path
    """Where its lines go."""
    beside: AbstractContextManager[object]
    """What is held while it runs."""


class Measured(Struct, frozen=True):
    """All rows."""

    json: dict[str, dict[int, Sample]]
    paced: dict[str, dict[int, Sample]]
    lost: dict[str, dict[str, int]]
    """By row and signal."""


class _Collector(BaseHTTPRequestHandler):
    """Takes all, hangs, or is out of order, as its server's `does` says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer an export."""
        self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.does()  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def collector(does: Callable[[], int]) -> Iterator[str]:
    """Run one on the load's core; gives its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    server.does = does  # type: ignore[attr-defined]
    with machine.on_core(machine.LOAD_CORE):  # threads stay where they were begun
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def measure(work: tuple[Work, Work], tell: Tell) -> Measured:
    """Measure all rows; raises Missing where the load cannot be compiled."""
    with ExitStack() as stack:
        over = threading.Event()
        stack.callback(over.set)
        collectors = {
            "well": stack.enter_context(collector(lambda: 200)),
            "hangs": stack.enter_context(collector(lambda: 200 if over.wait(3600) else 503)),
            "503": stack.enter_context(collector(lambda: 503)),
            "dead": "http://127.0.0.1:1",
        }
        admins: dict[str, str] = {}
        bench = Bench(stack, tell, frozenset(), (), WARMING[:2])
        up = bench.started(_contenders(collectors, admins), stack)
        of_json, paced = (rounds(bench, one, up) for one in work)
        return Measured(of_json, paced, {name: _lost(admin) for name, admin in admins.items()})


def _contenders(collectors: dict[str, str], admins: dict[str, str]) -> list[Contender]:
    troubles: dict[str, Callable[[Path], Trouble]] = {
        WELL: lambda folder: _exporting(folder, collectors["well"]),
        AGAIN: lambda folder: _exporting(folder, collectors["well"]),
        "collector dead": lambda folder: _exporting(folder, collectors["dead"]),
        "collector hangs": lambda folder: _exporting(folder, collectors["hangs"]),
        "collector answers 503": lambda folder: _exporting(folder, collectors["503"]),
        "ledger locked": lambda folder: _with(_exporting(folder, collectors["well"]), beside=_locked(folder)),
        "log unread": lambda folder: _with(_exporting(folder, collectors["well"]), log=folder / "pipe"),
    }
    ours = [Contender(name, "", _started(name, trouble, admins)) for name, trouble in troubles.items()]
    return [Contender("direct", "", direct), *ours]


def _exporting(folder: Path, url: str) -> Trouble:
    return Trouble({"OTEL_EXPORTER_OTLP_ENDPOINT": url, **HASTY}, folder / "log", nullcontext())


def _with(
    trouble: Trouble, *, beside: AbstractContextManager[object] | None = None, log: Path | None = None
) -> Trouble:
    if log is None:
        return Trouble(trouble.environ, trouble.log, beside or trouble.beside)
    return Trouble(trouble.environ, log, _unread(log))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    ledger = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    ledger.execute("PRAGMA journal_mode = WAL")
    ledger.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        ledger.close()


@contextmanager
def _unread(log: Path) -> Iterator[None]:
    """A pipe that is full at once, and held open by one who does not read it."""
    os.mkfifo(log)
    held = os.open(log, os.O_RDWR)
    fcntl.fcntl(held, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        yield
    finally:
        os.close(held)


def _started(name: str, trouble: Callable[[Path], Trouble], admins: dict[str, str]) -> Starter:
    @contextmanager
    def start(place: Place) -> Iterator[Running]:
        ready, told = place.folder / "ready.json", trouble(place.folder)
        ledger = f"sqlite:///{place.folder}/ledger.db"
        flags = ["--upstream", place.url, "--ledger", ledger, "--ready-file", str(ready)]
        words = [sys.executable, "-m", "wiretape", "serve", "--listen", _FREE, "--admin", _FREE, *flags]
        with told.beside, process(words, core=machine.CONTENDER_CORE, log=told.log, environ=told.environ) as child:
            until(ready.exists, name, child, told.log)
            at = json.loads(ready.read_text())
            admins[name] = at["admin"]
            yield Running(int(at["traffic"].rpartition(":")[2]), (child.pid,))

    return start


def _lost(admin: str) -> dict[str, int]:
    """Scrape what a proxy lost, by signal."""
    with urllib.request.urlopen(f"{admin}/metrics", timeout=10) as got:  # noqa: S310  our own address
        families = text_string_to_metric_families(got.read().decode())
    samples = [one for family in families for one in family.samples]
    lost = {
        one.labels["wiretape_signal"]: int(one.value)
        for one in samples
        if one.name == "wiretape_telemetry_dropped_total"
    }
    return {signal: count for signal, count in lost.items() if count}


def table(found: Measured) -> list[dict[str, Any]]:
    """Give a row for each proxy."""
    return [_row(found, name) for name in found.lost if found.json.get(name) and found.paced.get(name)]


def _row(found: Measured, name: str) -> dict[str, Any]:
    rate, delay = (_against(samples[name], samples, figure) for samples, figure in _figures(found))
    direct_way, paced = found.paced["direct"], found.paced[name]
    return {
        "sinks": name,
        "requests/s": f"{middle(found.json[name], requests_s):,.0f}",
        "of the first row": rate or "-",
        "added per event p50 µs": f"{added(paced, direct_way, lambda one: one.load.delay_p50_us):,.0f}",
        "p99 µs": f"{added(paced, direct_way, lambda one: one.load.delay_p99_us):,.0f}",
        "p99, first row's of it": delay or "-",
        "failed": sum(one.failed for samples in (found.json, found.paced) for one in samples[name].values()),
        "lost and counted": ", ".join(f"{signal} {count:,}" for signal, count in found.lost[name].items()) or "nothing",
    }


def _figures(found: Measured) -> tuple[tuple[dict[str, dict[int, Sample]], Callable[[Sample], float]], ...]:
    """What is compared; more is better."""
    return (found.json, requests_s), (found.paced, lambda one: 1 / one.load.delay_p99_us)


def _against(ours: Samples, all_of: dict[str, dict[int, Sample]], figure: Callable[[Sample], float]) -> Ratio | None:
    return paired(ours, all_of.get(WELL, {}), lambda one, well: figure(one) / figure(well))


def verdict(found: Measured) -> str:
    """Say whether any row is worse than chance makes one that is well."""
    worse = [name for name in found.lost if name not in {WELL, AGAIN} and _is_worse(found, name)]
    noise = ", ".join(str(_against(samples.get(AGAIN, {}), samples, figure)) for samples, figure in _figures(found))
    said = "No row is worse than the first beyond noise" if not worse else f"**Worse beyond noise**: {', '.join(worse)}"
    return f"{said}; the noise is what two proxies whose sinks are well differ by (requests/s, p99): {noise}."


def _is_worse(found: Measured, name: str) -> bool:
    return any(_beyond(samples, name, figure) for samples, figure in _figures(found))


def _beyond(samples: dict[str, dict[int, Sample]], name: str, figure: Callable[[Sample], float]) -> bool:
    """Whether the middle of its rounds is worse than the worst by chance, and by enough to be noticed."""
    ours, chance = (_against(samples.get(one, {}), samples, figure) for one in (name, AGAIN))
    least = 1.0 if chance is None else min(chance.least, 1.0)
    return ours is not None and ours.middle < least / NOTICED
