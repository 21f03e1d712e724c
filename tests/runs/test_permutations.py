"""What a report says follows from what was seen, not from the order in which it was told, nor from how often."""

from __future__ import annotations

from random import Random

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from support.histories import HISTORIES, Seen, told
from wiretape.dialects.events import RunSeen, Tokens
from wiretape.runs.facts import RunFacts
from wiretape.runs.tracker import Leg, Run

CHANCE = st.randoms(use_true_random=False)


def shuffled(history: list[Seen], chance: Random) -> list[Seen]:
    """Any permutation, with some told again; but for what is a sum."""
    again = [seen for seen in history if not seen.is_sum and chance.random() < 0.5]
    mixed = [*history, *again]
    chance.shuffle(mixed)
    return mixed


def outlook(run: Run) -> tuple[bool, int, list[bool]]:
    """What is asked of a run while it is open."""
    return run.is_over, run.leg, [run.is_overdue(now_ns) for now_ns in range(0, 10**12, 10**11)]


@given(HISTORIES, CHANCE)
def test_whatever_is_told_in_any_order_and_however_often_gives_one_report(history: list[Seen], chance: Random) -> None:
    one, other = told(history), told(shuffled(history, chance))
    assert one.report("Tide") == other.report("Tide")
    assert outlook(one) == outlook(other)


@given(HISTORIES, CHANCE)
def test_a_report_can_be_made_at_any_time_and_changes_nothing(history: list[Seen], chance: Random) -> None:
    run = told([])
    for seen in shuffled(history, chance):
        seen.tell(run)
        run.report(None)
    assert run.report(None) == told(history).report(None)


@given(HISTORIES)
def test_nothing_in_a_report_runs_backwards(history: list[Seen]) -> None:
    report = told(history).report(None)
    assert report.end_ns >= report.start_ns
    for part in (*report.steps, *(tool for step in report.steps for tool in step.tools)):
        assert report.start_ns <= part.start_ns <= (report.end_ns if part.end_ns is None else part.end_ns)
        assert (part.end_ns or 0) <= report.end_ns
    for length_ns in (report.queue_ns, report.model_ns, report.tool_wait_ns, report.duration_ns):
        assert length_ns is None or length_ns >= 0


@given(HISTORIES)
def test_what_is_known_of_a_run_is_plain_data(history: list[Seen]) -> None:
    facts = told(history).facts
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=RunFacts) == facts


@example([])
@given(HISTORIES)
def test_the_first_end_stays(history: list[Seen]) -> None:
    """Whatever comes after it: a terminal status is never left, and its first tokens are the run's."""
    ends = Seen("see", (RunSeen(run_id="r", status="expired", tokens=Tokens(1, 2)), -1, Leg(0, 0)))
    report = told([*history, ends]).report(None)
    assert (report.status, report.outcome, report.usage_source) == ("expired", "expired", "run")
    assert report.usage is not None
    assert (report.usage.prompt, report.usage.completion) == (1, 2)
