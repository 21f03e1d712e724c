"""Rows of one thing become one row, in whatever order and grouping they meet: the least upper bound of an order."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wiretape.ledger import schema
from wiretape.ledger.merge import CORRECTION, PRICE, REQUEST, RUN, STEP, TABLES, Table

Row = tuple[object, ...]


def empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection, 0)
    return connection


LEDGER = empty()
DECLARED = {
    table.name: {
        name: (kind, required) for _, name, kind, required, *_ in LEDGER.execute(f"PRAGMA table_info({table.name})")
    }
    for table in TABLES
}
SPECIAL = {
    "usage_source": st.sampled_from(["run", "steps", "none"]),
    "outcome": st.sampled_from(["completed", "failed", "abandoned"]),
    "is_foreign": st.booleans(),
}


def values(table: Table, name: str) -> st.SearchStrategy[object]:
    """Few values, so that rows often agree in a part; None where the column allows it."""
    if name in table.key:
        return st.just("one" if DECLARED[table.name][name][0] == "TEXT" else 1)
    if name in SPECIAL:
        return SPECIAL[name]
    kind, required = DECLARED[table.name][name]
    some: st.SearchStrategy[object] = {
        "TEXT": st.sampled_from(["", "a", "b"]),
        "INTEGER": st.integers(0, 2),
        "BLOB": st.sampled_from([b"", b"a", b"b"]),
    }[kind]
    return some if required else st.none() | some


def rows(table: Table) -> st.SearchStrategy[Row]:
    return st.tuples(*(values(table, name) for name in table.columns))


def merged(table: Table, some: Sequence[Row]) -> Row:
    LEDGER.execute(f"DELETE FROM {table.name}")  # noqa: S608 - names are ours
    LEDGER.executemany(table.upsert(), some)
    (row,) = LEDGER.execute(f"SELECT {', '.join(table.columns)} FROM {table.name}").fetchall()  # noqa: S608 - names are ours
    return tuple(row)


@pytest.mark.parametrize("table", [RUN, STEP], ids=lambda table: table.name)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_merging_is_commutative_associative_and_idempotent(table: Table, data: st.DataObject) -> None:
    one, two, three = (data.draw(rows(table)) for _ in range(3))
    assert merged(table, [one, two]) == merged(table, [two, one])
    assert merged(table, [one, one]) == merged(table, [one])
    assert merged(table, [merged(table, [one, two]), three]) == merged(table, [one, merged(table, [two, three])])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_is_in_its_table_and_has_a_rule(table: Table) -> None:
    assert list(table.columns) == list(DECLARED[table.name])
    ruled = [*table.key, *table.greatest, *(name for group in table.groups for name in group.columns)]
    if table.groups:
        assert sorted(ruled) == sorted(table.columns)


@pytest.mark.parametrize("table", [REQUEST, PRICE, CORRECTION], ids=lambda table: table.name)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_what_has_its_content_for_a_key_is_kept_once(table: Table, data: st.DataObject) -> None:
    row = data.draw(rows(table))
    assert merged(table, [row, row]) == row


def test_usage_and_cost_come_from_one_row() -> None:
    known = dict.fromkeys(RUN.columns, None) | {
        **dict.fromkeys(("upstream", "run_id", "mode", "status", "outcome"), "x"),
        **dict.fromkeys(("is_foreign", "streamed", "created_us", *RUN.greatest[6:11]), 0),
    }
    dear = known | {"usage_source": "steps", "input_tokens": 9, "cost_nano": 900, "price_version": "v"}
    whole = known | {"usage_source": "run", "input_tokens": 5, "output_tokens": 1}
    row = dict(zip(RUN.columns, merged(RUN, [tuple(dear.values()), tuple(whole.values())]), strict=True))
    assert (row["input_tokens"], row["output_tokens"], row["cost_nano"], row["price_version"]) == (5, 1, None, None)


def test_a_replay_does_not_take_the_place_of_the_run_that_was_recorded() -> None:
    """Nor a rehearsal that of the replay: the same ids, and the earlier is the one."""
    known = dict.fromkeys(RUN.columns, 0) | {"upstream": "x", "run_id": "x", "usage_source": "run"}
    first = known | {"mode": "replay", "created_us": 1}
    again = known | {"mode": "forward", "created_us": 2}
    row = dict(zip(RUN.columns, merged(RUN, [tuple(again.values()), tuple(first.values())]), strict=True))
    assert (row["mode"], row["created_us"]) == ("replay", 1)
