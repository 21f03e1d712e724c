from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from support.reports import MS, a_run, at
from wiretape.audit.report import Group, Percentiles, Report, Tokens, report
from wiretape.audit.show import as_json, as_text
from wiretape.errors import LedgerError
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.report import RunReport

ALIGNED = """
assistant   runs  outcomes               in  cached  out  reasoning
Math Tutor     2  completed:1 failed:1  200      50   40         10
asst_2         1  completed:1           200      50   40         10
total          3  completed:2 failed:1  400     100   80         20

assistant          first event         first token             duration
Math Tutor  10.0 / 10.0 / 10.0  30.0 / 30.0 / 30.0  400 / 1,200 / 1,200
asst_2                       -                   -                    -
total       10.0 / 10.0 / 10.0  30.0 / 30.0 / 30.0  400 / 1,200 / 1,200
Times are p50 / p90 / p99 in ms, by nearest rank.
1 of 3 runs have no known tokens; the sums leave them out.
1 of 3 runs were created elsewhere; only what was seen in passing is known.
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wiretape.db"


def write(path: Path, *runs: RunReport) -> None:
    sink = LedgerSink(path, LedgerOptions())
    for run in runs:
        sink.run(run)
    sink.flush()
    sink.close(1.0)


def three_runs(path: Path) -> None:
    unseen = {"first_event_ns": None, "first_token_ns": None, "assistant_name": None}
    write(
        path,
        a_run(run_id="run_1"),
        a_run(run_id="run_2", duration_ns=1200 * MS, outcome="failed", usage=None, usage_source="none"),
        a_run(run_id="run_3", assistant_id="asst_2", model="o3", foreign=True, duration_ns=None, **unseen),
    )


def test_runs_are_grouped_by_assistant_most_first(path: Path) -> None:
    three_runs(path)
    found = report(path)
    assert (found.by, found.ledger) == ("assistant", str(path))
    assert [(group.key, group.name, group.runs) for group in found.groups] == [
        ("asst_1", "Math Tutor", 2),
        ("asst_2", None, 1),
    ]
    assert found.groups[0] == Group(
        key="asst_1",
        name="Math Tutor",
        runs=2,
        foreign=0,
        outcomes={"completed": 1, "failed": 1},
        tokens=Tokens(input=200, cached=50, output=40, reasoning=10, unknown_runs=1),
        first_event_ms=Percentiles(10.0, 10.0, 10.0, 2),
        first_token_ms=Percentiles(30.0, 30.0, 30.0, 2),
        duration_ms=Percentiles(400.0, 1200.0, 1200.0, 2),
    )
    assert found.groups[1].first_event_ms is None


def test_the_total_is_of_all_runs(path: Path) -> None:
    three_runs(path)
    total = report(path).total
    assert (total.key, total.name, total.runs, total.foreign) == ("total", None, 3, 1)
    assert total.tokens == Tokens(input=400, cached=100, output=80, reasoning=20, unknown_runs=1)
    assert total.duration_ms == Percentiles(400.0, 1200.0, 1200.0, 2)


def test_runs_are_grouped_by_model_answered_else_asked(path: Path) -> None:
    write(path, a_run(), a_run(run_id="run_2", model=None), a_run(run_id="run_3", model=None, model_requested=None))
    found = report(path, by="model")
    assert sorted(group.key for group in found.groups) == ["gpt-4o", "gpt-4o-2024", "unknown"]


def test_an_assistant_is_shown_by_its_newest_name(path: Path) -> None:
    write(path, a_run(assistant_name="New", start_ns=at(9)), a_run(run_id="run_2", assistant_name="Old"))
    assert [group.name for group in report(path).groups] == ["New"]


def test_an_empty_ledger_has_no_groups(path: Path) -> None:
    write(path)
    found = report(path)
    assert (found.groups, found.total.runs, found.total.duration_ms) == ((), 0, None)


def test_a_missing_ledger_is_an_error_with_a_hint(path: Path) -> None:
    with pytest.raises(LedgerError, match="run the proxy first"):
        report(path)


def test_an_empty_ledger_says_so(path: Path) -> None:
    write(path)
    assert as_text(report(path), terminal=False) == (
        f"The ledger {path} holds no runs yet: send some through the proxy.\n"
    )


def test_the_text_is_aligned(path: Path) -> None:
    three_runs(path)
    assert f"\n{as_text(report(path), terminal=False)}" == ALIGNED


def test_a_ledger_without_gaps_needs_no_notes(path: Path) -> None:
    write(path, a_run())
    assert as_text(report(path), terminal=False).splitlines()[-1] == "Times are p50 / p90 / p99 in ms, by nearest rank."


def test_a_terminal_of_eighty_columns_gets_tables_that_fit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    three_runs(path)
    text = as_text(report(path), terminal=True)
    assert "─" in text
    assert "completed:1 failed:1" in text
    assert "400 / 1,200 / 1,200" in text
    assert max(map(len, text.splitlines()[:-2])) <= 80


def test_assistants_of_one_name_are_told_apart_by_id(path: Path) -> None:
    write(path, a_run(), a_run(run_id="run_2", assistant_id="asst_2"))
    text = as_text(report(path), terminal=False)
    assert "Math Tutor (asst_2)" in text


def test_names_cannot_steer_the_terminal(path: Path) -> None:
    write(path, a_run(assistant_name="\x1b[2JTutor [bold]"))
    for terminal in (False, True):
        assert "\x1b[2J" not in as_text(report(path), terminal=terminal)


def test_json_has_the_reports_keys(path: Path) -> None:
    three_runs(path)
    found = report(path)
    text = as_json(found)
    assert msgspec.json.decode(text, type=Report) == found
    assert list(msgspec.json.decode(text)) == ["ledger", "by", "groups", "total"]
    assert list(msgspec.json.decode(text)["total"]) == [
        "key",
        "name",
        "runs",
        "foreign",
        "outcomes",
        "tokens",
        "first_event_ms",
        "first_token_ms",
        "duration_ms",
    ]
    assert text.endswith(b"}\n")
