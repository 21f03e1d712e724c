"""Ledgers that are merged hold what one ledger would hold that had seen all."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.ledgers import Report, hand
from support.reports import COST, a_correction, a_run, an_exchange
from wiretape.ledger.join import join
from wiretape.ledger.merge import TABLES
from wiretape.ledger.open import open_ledger
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.reader import reading
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.report import Usage

OPTIONS = LedgerOptions(requests=True)

RUNS = st.builds(
    lambda number, foreign, ended, source, tokens, polls, cost: a_run(
        run_id=f"run_{number}",
        foreign=foreign,
        outcome="completed" if ended else "abandoned",
        duration_ns=None if foreign or not ended else 400_000_000,
        usage=None if source == "none" else Usage(tokens, 1),
        usage_source=source,
        polls=polls,
        cost=cost,
    ),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["run", "steps", "none"]),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([None, COST]),
)
CORRECTIONS = st.builds(
    lambda number, tokens: a_correction(run_id=f"run_{number}", usage=Usage(tokens, 1)),
    st.integers(0, 2),
    st.integers(0, 3),
)
EXCHANGES = st.builds(lambda ms: an_exchange(start_ns=ms * 10**6, run_key=None), st.integers(0, 5))
REPORTS = st.lists(st.tuples(st.booleans(), RUNS | CORRECTIONS | EXCHANGES), max_size=8)


def write(path: Path, reports: list[Report]) -> None:
    sink = LedgerSink(path, OPTIONS)
    sink.run(a_run(run_id="run_of_all"))
    hand(sink, reports)


def content(path: Path) -> list[list[tuple[object, ...]]]:
    with reading(path) as connection:
        names = [*(table.name for table in TABLES), "corrected"]
        return [sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in names]  # noqa: S608 - names are ours


def merge(path: Path, *others: Path) -> None:
    for other in others:
        with reading(other) as source, closing(open_ledger(path, OPTIONS)) as connection:
            for _ in join(connection, source):
                pass


@settings(max_examples=25, deadline=None)
@given(REPORTS, st.randoms())
def test_two_halves_make_the_whole(
    tmp_path_factory: pytest.TempPathFactory, reports: list[tuple[bool, Report]], chance: Random
) -> None:
    folder = tmp_path_factory.mktemp("ledgers")
    write(folder / "one", [report for here, report in reports if here])
    write(folder / "two", [report for here, report in reports if not here])
    everything = [report for _, report in reports]
    chance.shuffle(everything)
    write(folder / "whole", everything)
    merge(folder / "joined", folder / "one", folder / "two")
    merge(folder / "again", folder / "two", folder / "one", folder / "two", folder / "joined")
    assert content(folder / "joined") == content(folder / "again") == content(folder / "whole")


def test_more_rows_than_one_transaction_takes_all_come(tmp_path: Path) -> None:
    write(tmp_path / "one", [a_run(run_id=f"run_{number}") for number in range(1_203)])
    with reading(tmp_path / "one") as source, closing(open_ledger(tmp_path / "two", OPTIONS)) as connection:
        told = {one.table: (one.rows, one.new) for one in join(connection, source)}
    assert told == {
        "run": (1_204, 1_204),
        "step": (2_408, 2_408),
        "request": (0, 0),
        "price": (0, 0),
        "correction": (0, 0),
    }
