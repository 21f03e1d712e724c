"""The `audit` commands, as a user types them."""

from __future__ import annotations

import base64
import csv
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from msgspec import structs

from support.command import wiretape
from support.golden import FOLDER
from support.proxied import proxied
from support.reports import COST, START_NS, a_correction, a_run, an_exchange, at
from support.scenarios import SCENARIOS, asking, sandboxed
from wiretape.cassette.plan import Mode
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.reader import reading
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.report import RunReport, Usage
from wiretape.runs.sketch import Sketch

HOUR_MS = 3_600_000
REQUESTS = LedgerOptions(requests=True)


def written(path: Path, *runs: RunReport, exchanges: int = 1) -> str:
    """A ledger with these runs; its URL."""
    sink = LedgerSink(path, REQUESTS)
    for run in runs:
        sink.run(run)
    for number in range(exchanges):
        sink.exchange(an_exchange(trace=structs.replace(an_exchange().trace, server_span_id=number)))
    sink.close(1.0)
    return f"sqlite:///{path}"


@contextmanager
def asked(path: Path) -> Iterator[sqlite3.Connection]:
    with reading(path) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def rows(path: Path, query: str) -> list[dict[str, object]]:
    with asked(path) as connection:
        return [dict(row) for row in connection.execute(query)]


# What a cassette cannot know, and so what an import of it cannot give: the trace's ids, our own overhead, whose key it
# was, and when a head came and an exchange ended other than by its pieces.
UNKNOWN = {
    "run": {"trace_id", "overhead_us", "key_hash"},
    "request": {"trace_id", "span_id", "key_hash", "overhead_us", "passed_us", "head_us", "duration_us"},
}
TOLERANCE_US = 2_500
"""Times in a cassette are whole milliseconds, and a length is between two of them."""


@pytest.mark.parametrize("name", ["text-run", "tool-run", "polled-run", "failed-run", "cancelled-run", "parallel-run"])
async def test_an_imported_recording_gives_the_rows_of_the_live_run(tmp_path: Path, name: str) -> None:
    live, again = tmp_path / "live.db", tmp_path / "again.db"
    settings = {"mode": Mode.RECORD, "cassette": (str(tmp_path / "talk"),), "ledger": f"sqlite:///{live}"}
    async with sandboxed() as url, proxied(url, audit=REQUESTS, **settings) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await SCENARIOS[name](ask)
    (tmp_path / "wiretape.toml").write_text("[audit]\nrequests = true\n")
    ran = await wiretape("audit", "import", str(tmp_path / "talk"), "--ledger", f"sqlite:///{again}", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert same(live, again, "run", "SELECT * FROM corrected ORDER BY run_id") >= 1
    same(live, again, "step", "SELECT * FROM step ORDER BY step_id")
    assert same(live, again, "request", "SELECT * FROM request ORDER BY upstream_request_id") > 1


def same(one: Path, two: Path, table: str, query: str) -> int:
    """How many rows there are, which are equal but for what a cassette cannot know."""
    pairs = list(zip(rows(one, query), rows(two, query), strict=True))
    for live, again in pairs:
        for column in live.keys() - UNKNOWN.get(table, set()):
            assert alike(column, live[column], again[column]), (table, column, live[column], again[column])
    return len(pairs)


def alike(column: str, live: object, again: object) -> bool:
    if column == "tools" and live is not None and again is not None:
        told = [[{**tool, "duration_us": None} for tool in json.loads(str(one))] for one in (live, again)]
        return told[0] == told[1]
    if column == "gap_sketch" and isinstance(live, bytes) and isinstance(again, bytes):
        return Sketch.unpack(live).count == Sketch.unpack(again).count
    if column.endswith("_us") and isinstance(live, int) and isinstance(again, int):
        return abs(live - again) <= TOLERANCE_US
    return live == again


async def test_importing_twice_changes_nothing_and_prices_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "wiretape.toml").write_text('[[price]]\nmodel = "gpt-4o-mini"\ninput = 1\noutput = 2\n')
    shutil.copytree(FOLDER, tmp_path / "cassettes")
    words = ("audit", "import", "tool-run", "text-run", "--ledger", "sqlite:///new.db")
    first = await wiretape(*words, cwd=tmp_path)
    before = rows(tmp_path / "new.db", "SELECT * FROM run")
    again = await wiretape(*words, "--json", cwd=tmp_path)
    assert first.out == (
        "cassettes/tool-run.tape.jsonl: 5 exchanges, 1 runs\ncassettes/text-run.tape.jsonl: 7 exchanges, 1 runs\n"
    )
    assert [one["runs"] for one in json.loads(again.out)] == [1, 1]
    assert rows(tmp_path / "new.db", "SELECT * FROM run") == before
    assert all(row["cost_nano"] == 1_000 * row["input_tokens"] + 2_000 * row["output_tokens"] for row in before)  # type: ignore[operator]  # integers


async def test_what_is_imported_stays_however_old_it_is_and_however_few_reports_may_wait(tmp_path: Path) -> None:
    (tmp_path / "wiretape.toml").write_text("[audit]\nretention_days = 0.0\nheld_max = 1\nrequests = true\n")
    shutil.copytree(FOLDER, tmp_path / "cassettes")
    ran = await wiretape("audit", "import", "tool-run", "--ledger", "sqlite:///new.db", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert rows(tmp_path / "new.db", "SELECT count(*) AS runs FROM run") == [{"runs": 1}]
    assert rows(tmp_path / "new.db", "SELECT count(*) AS requests FROM request") == [{"requests": 5}]


async def test_a_recording_without_a_date_is_asked_for_one(tmp_path: Path) -> None:
    text = (FOLDER / "text-run.tape.jsonl").read_text()
    head, _, rest = text.partition("\n")
    undated = json.dumps(json.loads(head) | {"recorded": ""})
    (tmp_path / "old.tape.jsonl").write_text(f"{undated}\n{rest}")
    words = ("audit", "import", "./old.tape.jsonl", "--ledger", "sqlite:///new.db")
    refused = await wiretape(*words, cwd=tmp_path)
    assert refused.code == 2
    assert "does not say when it was recorded: tell it by --recorded" in refused.err
    assert (await wiretape(*words, "--recorded", "2025-06-15T12:00", "--upstream", "far", cwd=tmp_path)).code == 0
    (row,) = rows(tmp_path / "new.db", "SELECT upstream, created_us FROM run")
    assert (row["upstream"], str(row["created_us"])[:4]) == ("far", "1749")


async def test_another_tools_recording_gives_its_runs(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "cassettes")
    export = ("cassette", "export", "tool-run", "--to", "talk.har", "--format", "har")
    assert (await wiretape(*export, cwd=tmp_path)).code == 0
    words = ("audit", "import", "talk.har", "--ledger", "sqlite:///new.db", "--recorded", "2026-01-01")
    ran = await wiretape(*words, cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "talk.har: 5 exchanges, 1 runs\n"), ran.err
    (row,) = rows(tmp_path / "new.db", "SELECT * FROM run")
    assert (row["outcome"], row["input_tokens"], row["output_tokens"], row["cassette"]) == (
        "completed",
        130,
        34,
        "talk.har",
    )
    refused = await wiretape(
        "audit", "import", "cassettes/tool-run.expected.json", "--recorded", "2026-01-01", cwd=tmp_path
    )
    assert (refused.code, "Traceback" in refused.err) == (2, False)


async def test_purge_counts_then_removes_and_the_file_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "wiretape.db"
    many = [a_run(run_id=f"run_{number}") for number in range(800)]
    kept = a_run(run_id="run_kept", start_ns=at(48 * HOUR_MS))
    ledger = written(path, *many, kept)
    words = ("audit", "purge", "--ledger", ledger, "--before", "2025-06-16")
    dry = await wiretape(*words, "--dry-run", cwd=tmp_path)
    assert dry.out == (
        "800 runs, 1600 steps, 1 requests, 0 corrections from before 2025-06-16 00:00 UTC would be removed\n"
    )
    done = json.loads((await wiretape(*words, "--json", cwd=tmp_path)).out)
    assert done["removed"] == {"runs": 800, "steps": 1600, "requests": 1, "corrections": 0}
    assert done["bytes_after"] < done["bytes_before"] / 3
    assert rows(path, "SELECT run_id FROM run") == [{"run_id": "run_kept"}]
    told = await wiretape("audit", "purge", "--ledger", ledger, "--older-than", "1d", cwd=tmp_path)
    assert told.out.startswith("1 runs, 2 steps, 0 requests, 0 corrections from before ")
    ages = await wiretape("audit", "purge", "--ledger", ledger, "--older-than", "999999w", "--dry-run", cwd=tmp_path)
    assert "0 corrections from before 1970-01-01 00:00 UTC would be removed" in ages.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what is old by one of --before and --older-than"),
        (("--before", "2025-06-16", "--older-than", "1d"), "say what is old by one of --before and --older-than"),
        (("--before", "yesterday"), "'yesterday' is no date: 2026-11-25 or 2026-11-25T13:00 was expected"),
        (("--before", "9999-12-31T23:59-23:00"), "'9999-12-31T23:59-23:00' is no date"),
        (("--older-than", "soon"), "'soon' is no length of time: a number with s, m, h, d or w was expected"),
    ],
)
async def test_purge_says_what_it_needs(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    ledger = written(tmp_path / "wiretape.db", a_run())
    ran = await wiretape("audit", "purge", "--ledger", ledger, *words, cwd=tmp_path)
    assert ran.code == 2
    assert said in ran.err


async def test_no_ledger_is_made_to_remove_nothing_from_it(tmp_path: Path) -> None:
    ran = await wiretape("audit", "purge", "--older-than", "1d", cwd=tmp_path)
    assert ran.code == 2
    assert "there is no ledger at wiretape.db" in ran.err
    assert list(tmp_path.iterdir()) == []


async def test_a_ledger_that_another_process_holds_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "wiretape.db"
    ledger = written(path, a_run())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ran = await wiretape("audit", "purge", "--ledger", ledger, "--older-than", "1d", cwd=tmp_path)
    assert ran.code == 2
    assert "could not be written: database is locked" in ran.err
    assert "Traceback" not in ran.err


async def test_merge_makes_one_ledger_of_two_replicas(tmp_path: Path) -> None:
    gave_up = a_run(
        outcome="abandoned", status="in_progress", duration_ns=None, usage=None, usage_source="none", cost=COST
    )
    seen = a_run(foreign=True, duration_ns=None, model=None, usage=Usage(7, 8), steps=())
    written(tmp_path / "a.db", gave_up, exchanges=2)
    written(tmp_path / "b.db", seen, a_run(run_id="run_2"), exchanges=1)
    for ledger, others in (("ab", ("a.db", "b.db")), ("ba", ("b.db", "a.db", "b.db"))):
        ran = await wiretape("audit", "merge", *others, "--ledger", f"sqlite:///{ledger}", cwd=tmp_path)
        assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [
        "b.db: 2 of run (2 new), 2 of step (2 new), 1 of request (1 new)",
        "a.db: 1 of run (0 new), 2 of step (2 new), 2 of request (1 new), 1 of price (1 new)",
        "b.db: 2 of run (0 new), 2 of step (0 new), 1 of request (0 new)",
    ]
    for table in ("run", "step", "request", "price"):
        both = [rows(tmp_path / ledger, f"SELECT * FROM {table}") for ledger in ("ab", "ba")]  # noqa: S608 - names are ours
        assert both[0] == both[1]
    (row,) = rows(tmp_path / "ab", "SELECT * FROM run WHERE run_id = 'run_1'")
    assert (row["outcome"], row["input_tokens"], row["model"], row["is_foreign"]) == ("completed", 7, "gpt-4o-2024", 0)


async def test_a_ledger_is_not_merged_into_itself(tmp_path: Path) -> None:
    ledger = written(tmp_path / "a.db", a_run())
    ran = await wiretape("audit", "merge", "a.db", "--ledger", ledger, cwd=tmp_path)
    assert ran.code == 2
    assert "a.db is the ledger that it would be merged into" in ran.err


async def test_merge_says_what_it_did_to_programs(tmp_path: Path) -> None:
    written(tmp_path / "a.db", a_run())
    ran = await wiretape("audit", "merge", "a.db", "--ledger", "sqlite:///all.db", "--json", cwd=tmp_path)
    assert json.loads(ran.out)["merged"][0]["tables"][0] == {"table": "run", "rows": 1, "new": 1}


def two_hours(path: Path) -> str:
    sink = LedgerSink(path, REQUESTS)
    for hour in (0, 1):
        sink.run(a_run(run_id=f"run_{hour}", start_ns=at(hour * HOUR_MS), cost=COST))
    sink.correction(a_correction(run_id="run_0"))
    sink.run(a_run(run_id="run_now", start_ns=9_999_999_999_000_000_000))
    sink.exchange(an_exchange())
    sink.close(1.0)
    return f"sqlite:///{path}"


async def test_export_writes_a_parquet_file_for_each_table_and_closed_hour(tmp_path: Path) -> None:
    import duckdb

    ledger = two_hours(tmp_path / "wiretape.db")
    words = ("audit", "export", "--ledger", ledger, "--into", "lake's", "--json")
    first = json.loads((await wiretape(*words, cwd=tmp_path)).out)
    lake = tmp_path / "lake's"
    files = {str(file.relative_to(lake)): file.read_bytes() for file in lake.rglob("*") if file.is_file()}
    assert sorted(files) == [
        "correction/2025-06-15T15Z.parquet",
        "price.parquet",
        "request/2025-06-15T15Z.parquet",
        "run/2025-06-15T15Z.parquet",
        "run/2025-06-15T16Z.parquet",
        "step/2025-06-15T15Z.parquet",
    ]
    assert {file.stat().st_mode & 0o777 for file in lake.rglob("*.parquet")} == {0o600}
    assert json.loads((await wiretape(*words, cwd=tmp_path)).out) == first
    assert {str(file.relative_to(lake)): file.read_bytes() for file in lake.rglob("*.parquet")} == files
    with duckdb.connect() as connection:
        runs = f"{lake}/run/*.parquet".replace("'", "''")
        found = connection.sql(f"SELECT * FROM '{runs}' ORDER BY run_id")  # noqa: S608 - quoted
        read = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
        types = dict(zip(found.columns, map(str, found.types), strict=True))
    assert read == rows(tmp_path / "wiretape.db", "SELECT * FROM corrected WHERE run_id <> 'run_now' ORDER BY run_id")
    assert [row["input_tokens"] for row in read] == [210, 200]
    assert (types["created_us"], types["gap_sketch"], types["error"]) == ("BIGINT", "BLOB", "VARCHAR")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_export_needs_nothing_for_plain_text(tmp_path: Path, kind: str) -> None:
    ledger = two_hours(tmp_path / "wiretape.db")
    since = ("--since", "2025-06-15T16:00")
    ran = await wiretape("audit", "export", "--ledger", ledger, "--format", kind, "--into", "out", *since, cwd=tmp_path)
    assert ran.out == f"out/run/2025-06-15T16Z.{kind}: 1 rows\nout/price.{kind}: 1 rows\n"
    text = (tmp_path / "out" / "run" / f"2025-06-15T16Z.{kind}").read_text()
    (row,) = csv.DictReader(text.splitlines()) if kind == "csv" else map(json.loads, text.splitlines())
    assert (row["run_id"], int(row["input_tokens"]), row["error"]) == ("run_1", 200, "" if kind == "csv" else None)
    assert Sketch.unpack(base64.b64decode(row["gap_sketch"])).quantile(50) == pytest.approx(2_000_000, rel=0.01)


async def test_an_hour_that_has_just_ended_waits(tmp_path: Path) -> None:
    ledger = two_hours(tmp_path / "wiretape.db")
    words = ("audit", "export", "--ledger", ledger, "--into", "out", "--format", "csv", "--settle", "999999w")
    assert (await wiretape(*words, cwd=tmp_path)).out == "out/price.csv: 1 rows\n"


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    ledger = two_hours(tmp_path / "wiretape.db")
    (tmp_path / "out").write_text("")
    (tmp_path / "link").symlink_to("out/below")
    ran = await wiretape("audit", "export", "--ledger", ledger, "--into", "link", "--format", "csv", cwd=tmp_path)
    assert ran.code == 2
    assert "cannot be written: " in ran.err


def test_the_scene_is_in_june() -> None:
    """What the file names above rest on."""
    assert START_NS == 1_750_000_000 * 10**9
