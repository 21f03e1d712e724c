from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.ledgers import Report, hand
from support.reports import COST, MS, PRICE, START_NS, a_correction, a_get, a_run, a_submit, an_exchange, at
from wiretape.exchange import Trace
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.reader import find, reading
from wiretape.ledger.rows import RunRow
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.cost import Cost, Price
from wiretape.runs.report import Correction, Usage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wiretape.db"


def write(path: Path, *reports: Report, each: bool = False, **options: object) -> None:
    hand(LedgerSink(path, LedgerOptions(**options)), reports, each=each)  # type: ignore[arg-type]  # the test's own words


def asked(path: Path, query: str) -> list[dict[str, object]]:
    with reading(path) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def the_run(path: Path) -> RunRow:
    with reading(path) as connection:
        row = find(connection, "default", "run_1")
    assert row is not None
    return row


def test_a_step_is_a_row_with_the_names_of_its_tools(path: Path) -> None:
    write(path, a_run())
    one, two = asked(path, "SELECT * FROM step ORDER BY created_us")
    tools = json.loads(str(one.pop("tools")))
    assert one == {
        "upstream": "default",
        "run_id": "run_1",
        "step_id": "step_1",
        "type": "tool_calls",
        "status": "completed",
        "created_us": at(20) // 1000,
        "duration_us": 280_000,
        "error": None,
        "input_tokens": 100,
        "cached_tokens": 0,
        "output_tokens": 20,
        "reasoning_tokens": 0,
    }
    assert [tool["name"] for tool in tools] == ["code_interpreter", "get_weather"]
    assert tools[1] == {"type": "function", "name": "get_weather", "by_client": True, "duration_us": 210_000}
    assert (two["step_id"], two["tools"], two["input_tokens"]) == ("step_2", None, None)


def test_an_exchange_is_a_row_where_that_is_asked_for(path: Path) -> None:
    far = Trace(trace_id=0xA1, server_span_id=(1 << 64) - 1, client_span_id=1)
    write(path, an_exchange(key_hash="5e1f"), a_get(trace=far, upstream_start_ns=None), requests=True)
    one, two = asked(path, "SELECT * FROM request ORDER BY span_id DESC")
    assert one == {
        "start_us": START_NS // 1000,
        "span_id": 0xB1,
        "trace_id": f"{0xA1:032x}",
        "upstream": "default",
        "run_id": "run_1",
        "session": "default",
        "mode": "forward",
        "cassette": None,
        "played": None,
        "method": "POST",
        "route": "/v1/threads/{thread_id}/runs",
        "status": 200,
        "how": "complete",
        "code": None,
        "streamed": 1,
        "passed_us": 1_000,
        "head_us": 10_000,
        "first_chunk_us": 11_000,
        "duration_us": 100_000,
        "overhead_us": 1_050,
        "bytes_in": 120,
        "bytes_out": 4096,
        "chunks": 9,
        "events": 20,
        "upstream_request_id": None,
        "upstream_processing_ms": None,
        "key_hash": "5e1f",
    }
    assert (two["span_id"], two["run_id"], two["passed_us"]) == (-1, None, None)


def test_without_it_an_exchange_leaves_none(path: Path) -> None:
    write(path, an_exchange(), a_run())
    assert asked(path, "SELECT * FROM request") == []


@pytest.mark.parametrize("each", [False, True], ids=["one batch", "one by one"])
def test_a_runs_overhead_is_that_of_all_its_exchanges(path: Path, *, each: bool) -> None:
    """Also of those that are told of after the run: the one that brought its end is the last to end."""
    write(path, an_exchange(), a_run(), a_submit(), a_get(), each=each)
    assert the_run(path).overhead_us == 2 * 1_050


def test_exchanges_of_a_run_that_is_not_written_yet_write_nothing(path: Path) -> None:
    sink = LedgerSink(path, LedgerOptions())
    sink.exchange(an_exchange())
    assert sink.gathered == 0
    sink.close(1.0)
    assert not path.exists()


def test_the_oldest_runs_overhead_is_forgotten_first(path: Path) -> None:
    first, last = an_exchange(run_key=("default", "run_0")), an_exchange()
    write(path, first, last, a_run(run_id="run_0"), a_run(), first, runs_remembered_max=1)
    found = asked(path, "SELECT run_id, overhead_us FROM run ORDER BY 1")
    assert [tuple(row.values()) for row in found] == [("run_0", 1_050), ("run_1", None)]


def test_runs_written_long_ago_are_not_updated(path: Path) -> None:
    first = an_exchange(run_key=("default", "run_0"))
    write(path, a_run(run_id="run_0"), a_run(), first, each=True, runs_remembered_max=1)
    assert [row["overhead_us"] for row in asked(path, "SELECT overhead_us FROM run ORDER BY run_id")] == [None, None]


def test_a_priced_run_has_its_cost_and_the_price_is_kept_once(path: Path) -> None:
    write(path, a_run(cost=COST), a_run(run_id="run_2", cost=COST))
    row = the_run(path)
    assert (row.cost_nano, row.price_version) == (150 * 2_500 + 50 * 1_250 + 40 * 10_000, PRICE.version)
    assert asked(path, "SELECT * FROM price") == [
        {
            "version": PRICE.version,
            "model": "gpt-4o",
            "provider": None,
            "upstream": None,
            "since": None,
            "input_pico": 2_500_000,
            "cached_pico": 1_250_000,
            "output_pico": 10_000_000,
            "source": "config",
        }
    ]


@pytest.mark.parametrize("text", ["\ud800", "Zoë"])
def test_one_name_that_cannot_be_stored_does_not_cost_its_batch(path: Path, text: str) -> None:
    write(path, a_run(assistant_name=text, usage=Usage(1 << 70, 1)), a_run(run_id="run_2"))
    assert the_run(path).assistant_name in {"?", "Zoë"}
    assert the_run(path).input_tokens == (1 << 63) - 1
    assert len(asked(path, "SELECT * FROM run")) == 2


def test_a_known_key_has_its_alias(path: Path) -> None:
    sink = LedgerSink(path, LedgerOptions(), aliases={"5e1f": "web"})
    for number, key_hash in enumerate(("5e1f", "ab1e", None)):
        sink.run(a_run(run_id=f"run_{number}", key_hash=key_hash))
    sink.close(1.0)
    found = asked(path, "SELECT key_hash, key_alias FROM run ORDER BY run_id")
    assert [tuple(row.values()) for row in found] == [("5e1f", "web"), ("ab1e", None), (None, None)]


def test_figures_are_those_of_the_correction(path: Path) -> None:
    write(path, a_run(cost=COST), a_correction())
    row = the_run(path)
    assert (row.input_tokens, row.cached_tokens, row.output_tokens, row.reasoning_tokens) == (210, 50, 41, 10)
    assert row.cost_nano == PRICE.nano_usd(210, 50, 41)
    assert asked(path, "SELECT input_tokens FROM run") == [{"input_tokens": 200}]


def test_a_run_that_was_given_up_ends_as_its_correction_says(path: Path) -> None:
    gave_up = a_run(
        outcome="abandoned", status="in_progress", usage=None, usage_source="none", cost=Cost(None, PRICE, COST.version)
    )
    write(path, gave_up, a_correction(status="failed", outcome="failed", error="server_error"))
    row = the_run(path)
    assert (row.status, row.outcome, row.error) == ("failed", "failed", "server_error")
    assert (row.usage_source, row.cost_nano) == ("run", PRICE.nano_usd(210, 50, 41))


def test_a_correction_without_a_price_has_no_cost(path: Path) -> None:
    write(path, a_run(usage=None, usage_source="none"), a_correction())
    assert (the_run(path).input_tokens, the_run(path).cost_nano) == (210, None)


def test_a_correction_of_a_worse_source_or_without_tokens_changes_nothing(path: Path) -> None:
    write(path, a_run(cost=COST))
    before = the_run(path)
    write(path, a_correction(usage_source="steps"), a_correction(usage=None, usage_source="none", at_ns=at(950)))
    assert the_run(path) == before


def test_a_correction_changes_its_own_run_alone(path: Path) -> None:
    write(path, a_run(), a_correction(run_id="run_2"), a_correction(upstream="other"))
    assert the_run(path).input_tokens == 200


CORRECTIONS = st.lists(
    st.builds(
        lambda ms, source, tokens, outcome: a_correction(
            at_ns=at(ms), usage_source=source, usage=None if source == "none" else Usage(tokens, 1), outcome=outcome
        ),
        st.integers(0, 3),
        st.sampled_from(["run", "steps", "none"]),
        st.integers(0, 3),
        st.sampled_from(["completed", "failed", "abandoned"]),
    ),
    max_size=4,
)


@settings(max_examples=30, deadline=None)
@given(CORRECTIONS, st.randoms())
def test_the_order_of_corrections_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, corrections: list[Correction], chance: object
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    gave_up = a_run(outcome="abandoned", usage=Usage(2, 2), usage_source="steps")
    shuffled: list[Report] = [gave_up, *corrections, *corrections]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random
    write(folder / "a.db", gave_up, *corrections)
    write(folder / "b.db", *shuffled)
    assert the_run(folder / "a.db") == the_run(folder / "b.db")
    assert len(asked(folder / "a.db", "SELECT * FROM corrected")) == 1


def test_the_cost_in_sql_is_the_cost_in_python(path: Path) -> None:
    odd = Price(model="m", input_pico=37_501, cached_pico=12_503, output_pico=1, source="config")
    spent = [Usage(prompt, completion, cached) for prompt, completion, cached in [(1, 1, 0), (7, 3, 9), (999, 0, 998)]]
    for number, usage in enumerate(spent):
        run = a_run(run_id=f"run_{number}", usage=None, usage_source="none", cost=Cost(None, odd, odd.version))
        write(path, run, a_correction(run_id=f"run_{number}", usage=usage))
    found = [row["cost_nano"] for row in asked(path, "SELECT cost_nano FROM corrected ORDER BY run_id")]
    assert found == [odd.nano_usd(usage.prompt, usage.cached, usage.completion) for usage in spent]


def test_nothing_that_a_client_wrote_is_in_the_file(path: Path) -> None:
    write(path, an_exchange(upstream_processing_ms=MS), a_run(cost=COST), a_correction(), requests=True)
    with closing(sqlite3.connect(path)) as connection:
        names = {
            row[1]
            for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            for row in connection.execute(f"PRAGMA table_info({table})")
        }
    assert not names & {"body", "headers", "query", "target", "content", "arguments", "output", "key"}
