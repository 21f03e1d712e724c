from __future__ import annotations

from threading import Event, Semaphore, current_thread

from msgspec import structs

from support.reports import COST, a_correction, a_run, an_exchange
from support.telemetry import Lines
from wiretape.runs.report import Correction, ExchangeReport, RunReport, Sink
from wiretape.telemetry.fanout import Fanout
from wiretape.telemetry.options import TelemetryOptions
from wiretape.testing import CollectingSink

LONG_S = 30.0


class Collecting:
    """Keeps what it is given; may wait for a gate, or raise."""

    def __init__(self, name: str = "kept", *, gate: Event | None = None, error: Exception | None = None) -> None:
        self.name = name
        self.seen: list[str] = []
        self.entered = Event()
        self.taken = Semaphore(0)
        self.closed_with: float | None = None
        self._gate = gate
        self._error = error

    def exchange(self, report: ExchangeReport | RunReport) -> None:
        self._take("exchange")

    def run(self, report: ExchangeReport | RunReport) -> None:
        self._take("run")

    def correction(self, report: Correction) -> None:
        self._take("correction")

    def close(self, deadline_s: float) -> None:
        self.closed_with = deadline_s

    def _take(self, what: str) -> None:
        self.entered.set()
        if self._gate is not None:
            assert self._gate.wait(LONG_S)
        if self._error is not None:
            raise self._error
        self.seen.append(what)
        self.taken.release()


class BadAtRuns(Collecting):
    """Raises for runs alone, so that the exchange behind one tells that the run is done with."""

    def exchange(self, report: ExchangeReport | RunReport) -> None:
        self.taken.release()


class Gathering(Collecting):
    """Holds until it is flushed."""

    def __init__(self, *, gate: Event | None = None, failing: bool = False) -> None:
        super().__init__("gathering", gate=gate)
        self.batches: list[int] = []
        self._held = 0
        self._failing = failing

    @property
    def gathered(self) -> int:
        return self._held

    def run(self, report: ExchangeReport | RunReport) -> None:
        super().run(report)
        self._held += 1

    def flush(self) -> None:
        self.batches.append(self._held)
        self._held = 0
        if self._failing:
            raise OSError("disk full")


class Keeping(Gathering):
    """Fails as often as it is told to, and keeps what it holds."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.failed = Semaphore(0)
        self.written = Event()

    def flush(self) -> None:
        if self.failures > 0:
            self.failures -= 1
            self.failed.release()
            raise OSError("locked")
        super().flush()
        self.written.set()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def a_fanout(*sinks: Sink, lines: Lines | None = None, **options: int) -> Fanout:
    return Fanout(sinks, TelemetryOptions(**options), (lines or Lines()).logger)


def test_every_sink_gets_every_report_in_order() -> None:
    one, two = Collecting("one"), Collecting("two")
    fanout = a_fanout(one, two)
    fanout.exchange(an_exchange())
    fanout.run(a_run())
    fanout.correction(a_correction())
    assert fanout.close(LONG_S) == []
    assert one.seen == two.seen == ["exchange", "run", "correction"]
    assert fanout.dropped == {"one": 0, "two": 0}


class Choosing(Collecting):
    """Has no use for exchanges of one kind."""

    def wants(self, report: ExchangeReport) -> bool:
        return report.method != "GET"


def test_what_a_sink_does_not_want_is_not_queued_for_it_and_is_no_loss() -> None:
    choosing, other = Choosing("choosing"), Collecting("other")
    fanout = a_fanout(choosing, other, queue_max=2)
    for method in ("GET", "GET", "GET", "POST"):
        fanout.exchange(structs.replace(an_exchange(), method=method))
        assert other.taken.acquire(timeout=LONG_S)
    fanout.run(a_run())
    assert fanout.close(LONG_S) == []
    assert choosing.seen == ["exchange", "run"]
    assert other.seen == ["exchange"] * 4 + ["run"]
    assert fanout.dropped == {"choosing": 0, "other": 0}


def test_runs_are_priced_before_a_sink_has_them_and_not_on_the_callers_thread() -> None:
    priced_by, kept = [], CollectingSink()

    def priced(report: RunReport) -> RunReport:
        priced_by.append(current_thread().name)
        return structs.replace(report, cost=COST)

    fanout = Fanout([kept], TelemetryOptions(), Lines().logger, priced=priced)
    fanout.run(a_run())
    assert fanout.close(LONG_S) == []
    assert [run.cost for run in kept.runs] == [COST]
    assert priced_by == [f"wiretape-sink-{kept.name}"]


def test_a_full_queue_drops_and_counts() -> None:
    gate = Event()
    sink = Collecting(gate=gate)
    fanout = a_fanout(sink, queue_max=2)
    fanout.exchange(an_exchange())
    assert sink.entered.wait(LONG_S)
    for _ in range(5):
        fanout.exchange(an_exchange())
    assert (fanout.depth, fanout.dropped) == (2, {"kept": 3})
    gate.set()
    assert fanout.close(LONG_S) == []
    assert len(sink.seen) == 3
    assert fanout.depth == 0


def test_a_sink_that_raises_is_counted_and_lives_on() -> None:
    lines = Lines()
    bad, good = Collecting("bad", error=ValueError("no")), Collecting("good")
    fanout = a_fanout(bad, good, lines=lines)
    for _ in range(3):
        fanout.run(a_run())
    fanout.close(LONG_S)
    assert fanout.dropped == {"bad": 3, "good": 0}
    assert good.seen == ["run"] * 3
    assert bad.closed_with is not None


def test_one_warning_a_minute_for_each_sink() -> None:
    lines, clock = Lines(), Clock()
    sink = BadAtRuns("bad", error=ValueError("no"))
    fanout = Fanout([sink], TelemetryOptions(warn_every_s=60), lines.logger, clock)
    for now in (0.0, 59.0, 60.0):
        clock.now = now
        fanout.run(a_run())
        fanout.exchange(an_exchange())
        assert sink.taken.acquire(timeout=LONG_S)
    fanout.close(LONG_S)
    told = [(line["event"], line["sink"], line["error"], line["detail"], line["dropped"]) for line in lines.all]
    assert told == [("sink.failed", "bad", "ValueError", "no", 1), ("sink.failed", "bad", "ValueError", "no", 3)]


def test_refused_reports_are_warned_about_while_the_sink_hangs() -> None:
    lines, gate = Lines(), Event()
    sink = Collecting(gate=gate)
    fanout = a_fanout(sink, lines=lines, queue_max=1)
    fanout.exchange(an_exchange())
    assert sink.entered.wait(LONG_S)
    fanout.exchange(an_exchange())
    fanout.exchange(an_exchange())
    assert [(line["error"], line["dropped"]) for line in lines.all] == [("QueueFull", 1)]
    fanout.exchange(an_exchange())
    gate.set()
    fanout.close(LONG_S)
    told = [(line["event"], line["dropped"]) for line in lines.all]
    assert told == [("sink.failed", 1), ("sink.ended", 2)]


def test_a_hanging_sink_holds_up_nobody() -> None:
    gate = Event()
    hanging, good = Collecting("hanging", gate=gate), Collecting("good")
    fanout = a_fanout(hanging, good)
    fanout.run(a_run())
    assert hanging.entered.wait(LONG_S)
    assert fanout.close(0.05) == ["hanging"]
    assert good.seen == ["run"]
    assert good.closed_with is not None
    gate.set()


def test_the_deadline_holds_for_all_sinks_together() -> None:
    gate, clock = Event(), Clock()
    sinks = [Collecting(f"hanging-{number}", gate=gate) for number in range(3)]
    fanout = Fanout(sinks, TelemetryOptions(), Lines().logger, clock)
    fanout.run(a_run())
    for sink in sinks:
        assert sink.entered.wait(LONG_S)
    clock.now = 100.0
    assert fanout.close(0.0) == [sink.name for sink in sinks]
    gate.set()


def test_after_closing_reports_are_dropped() -> None:
    sink = Collecting()
    fanout = a_fanout(sink)
    fanout.close(LONG_S)
    fanout.exchange(an_exchange())
    assert fanout.dropped == {"kept": 1}


def test_what_a_sink_gathered_is_written_at_once_when_no_more_waits() -> None:
    gate = Event()
    sink = Gathering(gate=gate)
    fanout = a_fanout(sink)
    for _ in range(4):
        fanout.run(a_run())
    assert sink.entered.wait(LONG_S)
    gate.set()
    fanout.close(LONG_S)
    assert sum(sink.batches) == 4
    assert len(sink.batches) <= 2


def test_no_batch_is_larger_than_allowed() -> None:
    gate = Event()
    sink = Gathering(gate=gate)
    fanout = a_fanout(sink, batch_max=2)
    for _ in range(5):
        fanout.run(a_run())
    gate.set()
    fanout.close(LONG_S)
    assert max(sink.batches) <= 2
    assert sum(sink.batches) == 5


def test_a_batch_that_cannot_be_written_is_counted_whole() -> None:
    gate = Event()
    sink = Gathering(gate=gate, failing=True)
    fanout = a_fanout(sink, batch_max=100)
    for _ in range(7):
        fanout.run(a_run())
    gate.set()
    fanout.close(LONG_S)
    assert fanout.dropped == {"gathering": 7}


def test_an_exchange_a_gathering_sink_does_not_hold_causes_no_flush() -> None:
    sink = Gathering()
    fanout = a_fanout(sink)
    fanout.exchange(an_exchange())
    fanout.close(LONG_S)
    assert sink.batches == []


def test_what_a_sink_still_holds_is_tried_again_without_a_further_report() -> None:
    sink = Keeping(failures=2)
    fanout = a_fanout(sink)
    for _ in range(3):
        fanout.run(a_run())
    assert sink.written.wait(LONG_S)
    assert fanout.close(LONG_S) == []
    assert (sum(sink.batches), fanout.dropped) == (3, {"gathering": 0})


def test_a_sink_that_fails_is_not_asked_again_for_each_report() -> None:
    sink, clock = Keeping(failures=99), Clock()
    fanout = Fanout([sink], TelemetryOptions(batch_max=1), Lines().logger, clock)
    fanout.run(a_run())
    assert sink.failed.acquire(timeout=LONG_S)
    for _ in range(20):
        fanout.run(a_run())
    for _ in range(21):
        assert sink.taken.acquire(timeout=LONG_S)
    assert sink.failures == 98
    sink.failures, clock.now = 0, 1.0
    fanout.run(a_run())
    assert sink.written.wait(LONG_S)
    fanout.close(LONG_S)
    assert (sum(sink.batches), fanout.dropped) == (22, {"gathering": 0})


def test_what_is_held_at_the_end_is_counted_and_told() -> None:
    lines, sink = Lines(), Keeping(failures=99)
    fanout = a_fanout(sink, lines=lines)
    for _ in range(3):
        fanout.run(a_run())
    fanout.close(LONG_S)
    assert fanout.dropped == {"gathering": 3}
    last = lines.all[-1]
    assert (last["event"], last["sink"], last["late"], last["dropped"]) == ("sink.ended", "gathering", False, 3)


class LosingAtTheEnd(Keeping):
    """Can neither write nor keep what it holds when it is closed."""

    def close(self, deadline_s: float) -> None:
        super().close(deadline_s)
        self._held = 0
        raise OSError("no ledger")


def test_what_is_lost_by_closing_is_counted() -> None:
    sink = LosingAtTheEnd(failures=99)
    fanout = a_fanout(sink)
    for _ in range(3):
        fanout.run(a_run())
    fanout.close(LONG_S)
    assert fanout.dropped == {"gathering": 3}


def test_what_a_hanging_sink_leaves_at_the_end_is_told() -> None:
    lines, gate = Lines(), Event()
    sink = Collecting(gate=gate)
    fanout = a_fanout(sink, lines=lines)
    for _ in range(3):
        fanout.run(a_run())
    assert sink.entered.wait(LONG_S)
    fanout.close(0.01)
    told = [(line["event"], line["late"], line["dropped"]) for line in lines.all]
    assert told == [("sink.ended", True, 3)]
    gate.set()


def test_another_kind_of_error_is_told_within_the_minute() -> None:
    lines = Lines()
    sink = BadAtRuns("bad")
    fanout = a_fanout(sink, lines=lines)
    for error in (ValueError("no"), OSError("other"), ValueError("again")):
        sink._error = error
        fanout.run(a_run())
        fanout.exchange(an_exchange())
        assert sink.taken.acquire(timeout=LONG_S)
    fanout.close(LONG_S)
    told = [(line["event"], line.get("error"), line["dropped"]) for line in lines.all]
    assert told == [("sink.failed", "ValueError", 1), ("sink.failed", "OSError", 2), ("sink.ended", None, 3)]
