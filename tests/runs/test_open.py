from __future__ import annotations

from collections import OrderedDict

from msgspec.structs import replace

from wiretape.dialects.events import AgentSeen, Asked, RunSeen
from wiretape.runs.open import OpenRuns
from wiretape.runs.options import RunOptions
from wiretape.runs.report import RunReport
from wiretape.runs.tracker import Leg, Origin

ORIGIN = Origin(at_ns=0, wall_ns=0, own=True, mode="forward", cassette=None, asked=Asked("asst_1"), span_id=1)
FOREIGN = replace(ORIGIN, own=False)


def opened(reports: list[RunReport], **options: int) -> OpenRuns:
    return OpenRuns(RunOptions(**options), reports.append)


def test_a_run_is_reported_once_and_then_not_opened_again() -> None:
    reports: list[RunReport] = []
    runs = opened(reports)
    run = runs.start(("u", "r"), ORIGIN)
    assert run is not None
    assert runs.start(("u", "r"), ORIGIN) is run
    runs.finish(run)
    runs.finish(run)
    assert [report.run_id for report in reports] == ["r"]
    assert (runs.start(("u", "r"), ORIGIN), runs.find(("u", "r")), len(runs)) == (None, None, 0)


def test_runs_of_two_upstreams_are_two() -> None:
    runs = opened([])
    assert runs.start(("u", "r"), ORIGIN) is not runs.start(("v", "r"), ORIGIN)


def test_the_oldest_gives_way_and_is_counted() -> None:
    reports: list[RunReport] = []
    runs = opened(reports, runs_open_max=2)
    for name in "abc":
        runs.start(("u", name), ORIGIN)
    assert [(report.run_id, report.outcome) for report in reports] == [("a", "abandoned")]
    assert (runs.evicted, len(runs)) == (1, 2)


def test_foreign_runs_give_way_first_and_push_out_none_of_ours() -> None:
    reports: list[RunReport] = []
    runs = opened(reports, runs_open_max=2)
    runs.start(("u", "own"), ORIGIN)
    runs.start(("u", "theirs"), FOREIGN)
    runs.start(("u", "own_2"), ORIGIN)
    assert [report.run_id for report in reports] == ["theirs"]
    assert runs.start(("u", "theirs_2"), FOREIGN) is None
    assert (runs.evicted, len(runs)) == (2, 2)


def test_a_run_that_proves_to_be_ours_does_not_give_way_as_a_foreign_one() -> None:
    reports: list[RunReport] = []
    runs = opened(reports, runs_open_max=2)
    for origin in (FOREIGN, ORIGIN):
        runs.start(("u", "own"), origin)
    for name in "ab":
        runs.start(("u", name), FOREIGN)
    assert [report.run_id for report in reports] == ["a"]


def test_a_run_that_gave_way_does_not_report_its_successor() -> None:
    reports: list[RunReport] = []
    runs = opened(reports, finished_runs_max=1)
    first = runs.start(("u", "r"), ORIGIN)
    assert first is not None
    runs.finish(first)
    other = runs.start(("u", "other"), ORIGIN)
    assert other is not None
    runs.finish(other)
    assert runs.start(("u", "r"), ORIGIN) is not None
    runs.finish(first)
    assert ([report.run_id for report in reports], len(runs)) == (["r", "other"], 1)


def test_forgetting_the_oldest_key_walks_over_nothing() -> None:
    """A dict would walk over all that was deleted before."""
    runs = opened([])
    tables = (runs._own, runs._foreign, runs._finished_keys, runs._late, runs._agents)
    assert {type(table) for table in tables} == {OrderedDict}


def test_finished_keys_are_bounded() -> None:
    reports: list[RunReport] = []
    runs = opened(reports, finished_runs_max=1)
    for name in "ab":
        run = runs.start(("u", name), ORIGIN)
        assert run is not None
        runs.finish(run)
    assert runs.start(("u", "b"), ORIGIN) is None
    assert runs.start(("u", "a"), ORIGIN) is not None


def test_the_newest_name_of_an_assistant_counts_and_names_are_bounded() -> None:
    reports: list[RunReport] = []
    runs = opened(reports, agents_max=2)
    for agent_id, name in (("asst_1", "Old"), ("asst_2", "Two"), ("asst_1", "Tide"), ("asst_3", None)):
        runs.name_agent("u", AgentSeen(agent_id, name, None))
    run = runs.start(("u", "r"), ORIGIN)
    assert run is not None
    run.see(RunSeen(run_id="r", status="completed"), 1, Leg(0, 0))
    runs.finish(run)
    assert reports[0].assistant_name == "Tide"
    assert [key[1] for key in runs._agents] == ["asst_1", "asst_3"]
