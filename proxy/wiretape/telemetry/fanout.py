"""Reports to every sink, each behind a bounded queue and a thread of its own, so that no sink can hurt traffic.

The event loop only appends to queues. A sink that raises loses that report; one that is slow or hangs fills its own
queue, and what no longer fits is dropped. Both are counted by sink and warned about once a minute.
What a gathering sink still holds after a write that failed is not lost: the write is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Protocol, runtime_checkable

from structlog.typing import FilteringBoundLogger

from wiretape.runs.report import Correction, ExchangeReport, RunReport, Sink
from wiretape.telemetry.options import TelemetryOptions

Report = ExchangeReport | RunReport | Correction
Clock = Callable[[], float]
Priced = Callable[[RunReport], RunReport]
"""Adds what a run cost; called on the sinks' threads, as a price may have to be looked up."""

_REST_S = 0.05
"""Seconds a sink's thread rests once nothing waits: woken by each report, it would cost more than it does itself.

What waits meanwhile counts against `queue_max`; a report that comes after a rest is delivered at once.
"""

_AGAIN_S = 0.5
"""Seconds after which a write that failed is tried again; what comes meanwhile is gathered."""


@runtime_checkable
class Gathering(Protocol):
    """A sink that gathers reports and is told when to write them: when no more wait, or `batch_max` are held."""

    @property
    def gathered(self) -> int:
        """Reports held; the bound is the sink's own."""
        ...

    def flush(self) -> None:
        """Write what is held; where it raises, what is held no longer is lost, and the rest will be tried again."""


@runtime_checkable
class Choosing(Protocol):
    """A sink that has no use for most exchanges: what it does not want is not even queued for it."""

    def wants(self, report: ExchangeReport) -> bool:
        """Whether `exchange` would do anything; called on the loop's thread, so it only looks."""
        ...


class _Lane:
    """One sink, its queue and its thread."""

    def __init__(
        self, sink: Sink, options: TelemetryOptions, logger: FilteringBoundLogger, clock: Clock, priced: Priced
    ) -> None:
        self._sink = sink
        self._priced = priced
        self._gathering = sink if isinstance(sink, Gathering) else None
        self._choosing = sink if isinstance(sink, Choosing) else None
        self._options = options
        self._logger = logger
        self._clock = clock
        self._queue: SimpleQueue[Report | None] = SimpleQueue()
        self._closed = False
        self._stopping = Event()
        self._close_by = 0.0
        # Two counters, as each is written by one thread alone: the loop's, and the lane's.
        self._refused = 0
        self._failed = 0
        self._accepted = 0
        self._done = 0
        self._again_at = 0.0
        """When a write that failed is due again, by the clock."""
        self._warned_at: dict[str, float] = {}
        """By kind of error, so that a rare one is not hidden by a frequent one."""
        self._told = 0
        self._thread = Thread(target=self._work, name=f"wiretape-sink-{sink.name}", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        return self._queue.qsize()

    @property
    def dropped(self) -> int:
        return self._refused + self._failed

    @property
    def lost(self) -> int:
        """Reports that are lost if its thread goes no further."""
        waiting = self._accepted - self._done + self._gathered if self._thread.is_alive() else 0
        return self.dropped + waiting

    def offer_exchange(self, report: ExchangeReport) -> None:
        if self._choosing is None or self._choosing.wants(report):
            self.offer(report)

    def offer(self, report: Report) -> None:
        if self._closed or self._queue.qsize() >= self._options.queue_max:
            self._refused += 1
            self._warn_of_refused()
        else:
            self._accepted += 1
            self._queue.put(report)

    def stop(self, close_by: float) -> None:
        self._closed = True
        self._close_by = close_by
        self._queue.put(None)
        self._stopping.set()

    def join(self) -> bool:
        """Whether the thread ended in time."""
        self._thread.join(max(0.0, self._close_by - self._clock()))
        return not self._thread.is_alive()

    def tell_of_losses(self) -> None:
        """Say at the end what is lost, however lately there was a warning."""
        lost, is_late = self.lost, self._thread.is_alive()
        if is_late or lost > self._told:
            self._logger.warning("sink.ended", sink=self._sink.name, late=is_late, dropped=lost)

    def _work(self) -> None:
        while self._step():
            pass
        self._finish()

    def _step(self) -> bool:
        try:
            report = self._queue.get(timeout=_AGAIN_S if self._gathered else None)
        except Empty:
            self._flush()
            return True
        if report is None:
            return False
        self._take(report)
        return True

    def _take(self, report: Report) -> None:
        self._guarded(partial(self._deliver, report), 1)
        self._done += 1
        is_idle = self._queue.empty()
        if (is_idle or self._gathered >= self._options.batch_max) and self._clock() >= self._again_at:
            self._flush()
        if is_idle:
            self._stopping.wait(_REST_S)

    def _finish(self) -> None:
        """Write what is held, unless that has just failed, and close the sink; what it holds then is lost."""
        if self._clock() >= self._again_at:
            self._flush()
        held = self._gathered
        is_closed = self._guarded(lambda: self._sink.close(max(0.0, self._close_by - self._clock())), 0)
        self._failed += self._gathered if is_closed else held

    def _deliver(self, report: Report) -> None:
        if isinstance(report, RunReport):
            self._sink.run(self._priced(report))
        elif isinstance(report, ExchangeReport):
            self._sink.exchange(report)
        else:
            self._sink.correction(report)

    @property
    def _gathered(self) -> int:
        return 0 if self._gathering is None else self._gathering.gathered

    def _flush(self) -> None:
        held = self._gathered
        if self._gathering is not None and held and not self._guarded(self._gathering.flush, 0):
            self._failed += held - self._gathered
            self._again_at = self._clock() + _AGAIN_S

    def _guarded(self, call: Callable[[], None], lost: int) -> bool:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever a sink raises, its lane lives on
            self._failed += lost
            self._warn(error=type(error).__name__, detail=str(error))
            return False
        return True

    def _warn_of_refused(self) -> None:
        """Called by who offers, as a sink that hangs would never tell."""
        self._warn(error="QueueFull", detail=f"{self._options.queue_max} reports wait already (queue_max)")

    def _warn(self, *, error: str, detail: str) -> None:
        now = self._clock()
        if now - self._warned_at.get(error, -inf) < self._options.warn_every_s:
            return
        self._warned_at[error], self._told = now, self.dropped
        self._logger.warning("sink.failed", sink=self._sink.name, error=error, detail=detail, dropped=self.dropped)


class Fanout:
    """Hands each report to every sink. No call ever blocks or raises; all belong to one thread, the loop's."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        options: TelemetryOptions,
        logger: FilteringBoundLogger,
        clock: Clock = monotonic,
        priced: Priced = lambda report: report,
    ) -> None:
        """Start one daemon thread per sink. `clock` gives monotonic seconds; runs are `priced` on those threads."""
        self._clock = clock
        self._lanes = {sink.name: _Lane(sink, options, logger, clock, priced) for sink in sinks}

    @property
    def is_heard(self) -> bool:
        """Whether there is any sink."""
        return bool(self._lanes)

    def exchange(self, report: ExchangeReport) -> None:
        """Queue the report for every sink that wants it; dropped and counted where a queue is full or closed."""
        for lane in self._lanes.values():
            lane.offer_exchange(report)

    def run(self, report: RunReport) -> None:
        """As `exchange`, for a run."""
        self._offer(report)

    def correction(self, report: Correction) -> None:
        """As `exchange`, for better figures of a run."""
        self._offer(report)

    def _offer(self, report: Report) -> None:
        for lane in self._lanes.values():
            lane.offer(report)

    @property
    def depth(self) -> int:
        """Reports that wait, over all sinks."""
        return sum(lane.depth for lane in self._lanes.values())

    @property
    def dropped(self) -> dict[str, int]:
        """Reports lost so far, by sink name: refused by a full queue, or by a sink that raised."""
        return {name: lane.dropped for name, lane in self._lanes.items()}

    def close(self, deadline_s: float) -> list[str]:
        """Let every sink write what waits, and end; answers the names of those that did not within the deadline.

        The deadline holds for all together. A thread that hangs is left behind: it is a daemon. What is lost by then is
        logged by sink (`sink.ended`).
        """
        close_by = self._clock() + deadline_s
        for lane in self._lanes.values():
            lane.stop(close_by)
        late = [name for name, lane in self._lanes.items() if not lane.join()]
        for lane in self._lanes.values():
            lane.tell_of_losses()
        return late
