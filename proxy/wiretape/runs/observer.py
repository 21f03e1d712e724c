"""Follows the runs that the exchanges carry: requests in, one RunReport for each run out, and what corrects it.

`Runs` is what the application holds; it gives each exchange its observer, a `Watch`.

A run is reported when its terminal status was seen and the exchanges that carry it, and the one that brought
that status, have ended, so that they are all in the report; then its key is finished and no later read of it
counts, but one that tells better figures makes a Correction. A run that was not created here is foreign: no
length of time is known of it.
Polls are the reads of one run; the exchanges that carry it are those that start, feed, change or cancel it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from wiretape import dialects
from wiretape.exchange import Request, Trace
from wiretape.runs.changes import Changes
from wiretape.runs.open import OpenRuns
from wiretape.runs.options import RunOptions
from wiretape.runs.report import Correction, RunReport
from wiretape.runs.seen import Context, Seen
from wiretape.runs.snapshot import Snapshot, restored
from wiretape.runs.tracker import Key
from wiretape.runs.watch import Watch

__all__ = ["Joined", "RunOptions", "Runs", "Seen", "Watch"]


class Joined(Struct, frozen=True):
    """The open run that a request names: the trace of its creating exchange, and its span."""

    trace: Trace
    span_id: int


class Runs:
    """All runs of this process. `finished` gets each report and `corrected` each correction; neither may block."""

    def __init__(
        self,
        options: RunOptions,
        finished: Callable[[RunReport], None],
        new_span_id: Callable[[], int],
        corrected: Callable[[Correction], None] = lambda _: None,
    ) -> None:
        self._options = options
        self._open = OpenRuns(options, finished, corrected)
        self._new_span_id = new_span_id
        self._changes = Changes(self._open.all)

    @property
    def open(self) -> int:
        """How many runs are open."""
        return len(self._open)

    @property
    def evicted(self) -> int:
        """How many runs were abandoned, or foreign ones not followed, because too many were open."""
        return self._open.evicted

    def joined(self, request: Request) -> Joined | None:
        """The open run that the path names, known before the body; None where its trace is not known here."""
        found = dialects.route(request.method, request.path)
        run = self._open.find((request.upstream, found[1].run_id)) if found and found[1].run_id else None
        trace = run.origin.trace if run and run.origin.own else None
        return Joined(trace, run.origin.span_id) if run and trace else None

    def watch(self, request: Request, *, mode: str, cassette: str | None) -> Watch:
        """An observer for one exchange."""
        return Watch(self._open, request, self._options, Context(mode, cassette, self._new_span_id))

    def sweep(self, now_ns: int) -> None:
        """Report as abandoned what is overdue; `now_ns` is monotonic. Call it every few seconds."""
        self._open.sweep(now_ns)

    def changed(self, looks: int) -> Iterator[Snapshot]:
        """Of so many open runs at most, in turns, those that have changed since they were given here last."""
        return map(self._open.taken, self._changes.some(self._open.find, looks))

    def unsaved(self, key: Key) -> None:
        """What `changed` gave could not be saved: it is to be given again."""
        run = self._open.find(key)
        if run is not None:
            run.mark = None

    def all_open(self) -> list[Snapshot]:
        """Every open run, for the process ends."""
        return [self._open.taken(run) for run in self._open.all()]

    def restore(self, snapshot: Snapshot, now_ns: int, wall_ns: int) -> None:
        """Go on with a run of another process, now that our clocks tell these times; see `runs.snapshot`."""
        self._open.restore(restored(snapshot, self._options, now_ns, wall_ns), snapshot.assistant_name)

    def abandon(self, keys: Iterable[Key], now_ns: int) -> None:
        """Report these, where they are open; they were watched until now."""
        for run in filter(None, map(self._open.find, keys)):
            run.watched_until(now_ns)
            self._open.finish(run)

    def close(self, now_ns: int) -> None:
        """The process ends: report what is open, as abandoned where no terminal status was seen."""
        self._open.close(now_ns)
