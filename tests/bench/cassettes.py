"""What cassettes cost: opening them, recording a chunk, and the memory of both. Each row in a process of its own.

`rows()` gives the table; as a script this file is one measurement, and prints it as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.tapes import HEADER, JSON, STREAM, WALL_NS, request, taken
from wiretape.cassette.format import Interaction, header_line
from wiretape.cassette.match import Library
from wiretape.cassette.secrets import Secrets
from wiretape.edge.store import Recording, RecordOptions, journal_path, load, seal_journal, tape_path
from wiretape.exchange import Chunk, Ending, Head, How

SIZES = (10, 1_000, 100_000)
STREAMS, EVENTS = 4, 100_000
TARGET_OPEN_S, TARGET_CHUNK_US = 0.5, 3.0
ROUNDS = 5
_ASKED = b'{"assistant_id":"asst_abc123","instructions":"' + b"words and words " * 20 + b'","n":%d}'
_ANSWER = b'{"id":"run_%06dabc","object":"thread.run","status":"queued","instructions":"' + b"words " * 100 + b'"}'
_EVENT = (
    b'event: thread.message.delta\ndata: {"id":"msg_abc123","object":"thread.message.delta",'
    b'"delta":{"content":[{"index":0,"type":"text","text":{"value":" word"}}]}}\n\n'
)


def rows(sizes: Sequence[int] = SIZES, events: int = EVENTS) -> list[dict[str, Any]]:
    """Every row, measured now; some minutes, most of them to make the cassette of 100,000 interactions."""
    with tempfile.TemporaryDirectory() as folder:
        found = [_run(what, folder, str(count)) for count in sizes for what in ("make", "opening")]
        return [*found, _run("recording", folder), _run("streams", folder, str(events))]


def _run(*words: str) -> dict[str, Any]:
    told = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE)
    return json.loads(told.stdout)  # type: ignore[no-any-return]  # it is what this script prints


def make(folder: str, count: str) -> dict[str, Any]:
    """Seal a cassette of so many interactions, ten on each thread."""
    stem, secrets = Path(folder) / count, Secrets()
    with journal_path(stem).open("wb") as file:
        file.write(header_line(HEADER))
        for number in range(1, int(count) + 1):
            asked = request("POST", f"/v1/threads/thread_{number // 10:06d}abc/runs", JSON, number)
            answer = [_ANSWER % number]
            file.writelines(taken(asked, _ASKED % number, chunks=answer, index=number, secrets=secrets))
    return _row(f"seal {int(count):,} interactions", f"{_timed(lambda: seal_journal(stem)):.2f} s")


def opening(folder: str, count: str) -> dict[str, Any]:
    """Open it, and find the first and the last."""
    path, before = tape_path(Path(folder) / count), _rss_mib()
    opened_s = min(_timed(lambda: Library([load(path)])) for _ in range(ROUNDS))
    library = Library([load(path)])
    lookup_us = min(_lookups(library, 1, int(count))) * 1e6
    cost = f"{opened_s * 1000:.1f} ms, {_rss_mib() - before} MiB, first lookup {lookup_us:.0f} µs"
    what = f"open {int(count):,} interactions, {path.stat().st_size / 1e6:.1f} MB"
    target = _verdict(opened_s * 1000, TARGET_OPEN_S * 1000, "ms") if int(count) == SIZES[-1] else ""
    return _row(what, cost, target)


def _row(what: str, cost: str, target: str = "") -> dict[str, Any]:
    """CPU time of the process, and how much its resident memory grew."""
    return {"what": what, "CPU and memory": cost, "target": target}


def _verdict(cost: float, bound: float, unit: str) -> str:
    return f"≤ {bound:g} {unit}: {'met' if cost <= bound else '**missed**'}"


def _lookups(library: Library, first: int, last: int) -> Iterator[float]:
    for number in (first, last // 2, last):
        cursor = library.session("bench")
        asked = request("POST", f"/v1/threads/thread_{number // 10:06d}abc/runs", JSON)
        began_s = time.perf_counter()
        found = cursor.find(asked, _ASKED % number)
        yield time.perf_counter() - began_s
        assert isinstance(found, Interaction)


def recording(folder: str) -> dict[str, Any]:
    """What an observed chunk costs the event loop, with the writer's thread at work beside it."""
    recorded, count = _begun(folder), 2_000
    found = []
    for _ in range(ROUNDS):
        observer = recorded.observer(request("POST", "/v1/threads/runs"))
        observer.head(Head(200, STREAM, 0))
        chunk = Chunk(_EVENT, 0)
        began_s = time.thread_time()
        for _ in range(count):
            observer.chunk(chunk)
        found.append((time.thread_time() - began_s) / count)
        observer.end(Ending(How.COMPLETE, 0))
        _drained(recorded)
    recorded.seal()
    cost_us = min(found) * 1e6
    return _row("record a chunk, on the loop", f"{cost_us:.2f} µs", _verdict(cost_us, TARGET_CHUNK_US, "µs"))


def streams(folder: str, events: str) -> dict[str, Any]:
    """Record four streams of so many events at once, as fast as the writer takes them, and seal."""
    recorded = _begun(folder)
    observers = [recorded.observer(request("POST", f"/v1/{number}")) for number in range(STREAMS)]
    for observer in observers:
        observer.head(Head(200, STREAM, 0))
    before, peak = _rss_mib(), 0
    for number in range(int(events)):
        for observer in observers:
            observer.chunk(Chunk(_EVENT, number * 1_000_000))
        if number % 1_000 == 0:
            _drained(recorded)
            peak = max(peak, _rss_mib())
    for observer in observers:
        observer.end(Ending(How.COMPLETE, int(events) * 1_000_000))
    _drained(recorded)
    after, began_s = _rss_mib(), time.process_time()
    sealed = recorded.seal()
    assert (recorded.dropped, sealed.incomplete) == (0, 0)
    sealing_s = time.process_time() - began_s
    cost = f"{max(peak, after) - before} MiB; sealing {sealing_s:.1f} s, {_peak_mib() - before} MiB"
    return _row(f"record {STREAMS} streams of {int(events):,} events at once", cost, "flat")


def _begun(folder: str) -> Recording:
    options = RecordOptions(journal_queue_max=100_000)
    return Recording.open(Path(folder) / "recorded", "", "bench", WALL_NS, options)


def _drained(recorded: Recording) -> None:
    while recorded.waiting:
        os.sched_yield()


def _timed(call: Callable[[], object]) -> float:
    """Seconds of this process's own: others share the machine."""
    began_s = time.process_time()
    call()
    return time.process_time() - began_s


def _rss_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def _peak_mib() -> int:
    line = next(one for one in Path("/proc/self/status").read_text("ascii").splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) >> 10


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "make": make, "opening": opening, "recording": recording, "streams": streams,
}  # fmt: skip

if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(PARTS[sys.argv[1]](*sys.argv[2:])))  # noqa: T201  told to its caller
    else:
        for row in rows():
            print(row)  # noqa: T201  a script speaks to its caller
