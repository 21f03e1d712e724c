"""Exactly once, over ten thousand runs: streams cut, polls repeated, hand-ins, cancels, proxies stopped and killed."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.lives import KINDS, Life, World
from wiretape.audit.report import Tokens, report
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.report import RunReport

WORLDS, LIVES = 10, 1_000


def summed(lives: list[Life]) -> Counter[str]:
    total: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    for life in lives:
        total.update(life.known or {})
    return total


def check(world: World) -> None:
    """Metrics, ledger and model tell the same."""
    world.play()
    own = [life for life in world.lives if life.is_counted]
    told_home = [life for life in own if life.is_told_home and life.tells_tokens]
    assert world.counted == summed(told_home) + Counter(runs=len(own), missing=len(own) - len(told_home))
    seen = [life for life in world.lives if life.is_seen]
    told = [life for life in seen if life.is_told]
    total = report(world.path).total
    assert (total.runs, total.foreign) == (len(seen), len(seen) - len(own))
    assert written(total.tokens) == summed(told)
    assert total.tokens.unknown_runs == len(seen) - sum(life.tells_tokens for life in told)
    assert left(world.path) == 0


def written(tokens: Tokens) -> Counter[str]:
    figures = tokens.input, tokens.cached, tokens.output, tokens.reasoning
    return Counter(dict(zip(KINDS, figures, strict=True)))


def left(path: Path) -> int:
    """Runs that are saved though they were reported, once a successor has looked; nobody is left to be one here."""
    query = "SELECT count(*) FROM open_run WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.run_id = open_run.run_id)"
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(query).fetchone()[0])


@pytest.mark.parametrize("seed", range(WORLDS))
def test_each_of_a_thousand_runs_is_counted_once(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path / "wiretape.db", random.Random(seed), lives=LIVES, proxies=1 + seed % 2)  # noqa: S311  a seed
    check(world)
    assert world.restarts > 10


@settings(max_examples=150)
@given(st.randoms(use_true_random=False), st.integers(1, 4), st.integers(1, 2))
def test_each_of_a_few_runs_is_counted_once(chance: random.Random, lives: int, proxies: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(World(Path(folder) / "wiretape.db", chance, lives=lives, proxies=proxies))


def merged(path: Path, reports: list[RunReport]) -> list[tuple[object, ...]]:
    """The rows of a ledger that was told these, in this order."""
    sink = LedgerSink(path, LedgerOptions())
    for one in reports:
        sink.run(one)
    sink.flush()
    sink.close(1)
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM run ORDER BY upstream, run_id").fetchall()


@pytest.mark.parametrize("seed", range(3))
def test_two_ledgers_that_saw_halves_merge_to_the_same_rows_in_any_order(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  a seed
    world = World(tmp_path / "both.db", chance, lives=300)
    world.play()
    one, other = world.reports
    shuffled = chance.sample([*one, *other, *one], 2 * len(one) + len(other))
    orders = [[*one, *other], [*other, *one], shuffled]
    rows = [merged(tmp_path / f"{number}.db", order) for number, order in enumerate(orders)]
    assert rows[0] == rows[1] == rows[2]
    assert len(rows[0]) == sum(life.is_seen for life in world.lives)
