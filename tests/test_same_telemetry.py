"""What a recorded conversation is told of when it is replayed: the same as when it was live."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.talks import TALKS, THINKS_S
from support.twice import Told, exchange_facts, facts, holding, run_facts, told, trees
from wiretape.app import Proxy
from wiretape.cassette.plan import Mode
from wiretape.ledger.options import LedgerOptions
from wiretape.runs.prices import PriceOptions
from wiretape.sandbox.options import SandboxOptions

pytestmark = pytest.mark.filterwarnings(  # that the hosted service is gone is why we are here
    "ignore:The Assistants API is deprecated:DeprecationWarning", r"ignore:deprecated\Z:DeprecationWarning"
)
LIVELY = SandboxOptions(pace_s=0.004, queue_s=0.06)
PRICE = PriceOptions(model="gpt-4o-mini", input=Decimal("0.15"), output=Decimal("0.6"))
LEDGER = {"price": (PRICE,), "audit": LedgerOptions(requests=True)}
OFF_BY_S = 0.1
"""How far a replay's times at speed 1 may be from the recorded ones: what the machine's moods add, most of the time."""
LENGTHS = ("duration_ns", "first_event_ns", "first_token_ns", "queue_ns", "model_ns", "tool_wait_ns")
SEEN: dict[str, Callable[[Told], Any]] = {
    "runs": lambda one: [run_facts(run) for run in one.runs],
    "exchanges": lambda one: [exchange_facts(exchange) for exchange in one.exchanges],
    "trees": lambda one: trees(one.spans),
    "counts": lambda one: one.counts,
    "rows": lambda one: {table: [facts(row) for row in rows] for table, rows in one.rows.items()},
}
"""What must not differ; nothing in it is a time."""


class Both:
    """A live conversation, and its replays by speed."""

    def __init__(self, folder: Path, live: Told, replays: dict[float, Told]) -> None:
        self.folder = folder
        self.live = live
        self.replays = replays

    async def again(self, hold: Callable[[Proxy], Any], **how: Any) -> Told:
        """Replay once more in another way, at speed 0."""
        how = {"mode": Mode.REPLAY, "speed": 0.0, "cassette": (str(self.folder / "talks"),), **LEDGER, **how}
        return await told(hold, Path(how.pop("into")), **how)


@pytest.fixture(scope="module", params=["sync", "async"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return asyncio.run(_both(tmp_path_factory.mktemp("twice"), blocking=request.param == "sync"))


async def _both(folder: Path, *, blocking: bool) -> Both:
    hold = holding(list(TALKS.values()), blocking=blocking)
    how = {"cassette": (str(folder / "talks"),), **LEDGER}
    live = await told(hold, folder, mode=Mode.RECORD, sandbox=LIVELY, **how)
    replays = {speed: await told(hold, folder, mode=Mode.REPLAY, speed=speed, **how) for speed in (1.0, 0.0)}
    return Both(folder, live, replays)


def test_the_conversation_went_every_way_that_a_run_may_go(both: Both) -> None:
    outcomes = [run.outcome for run in both.live.runs]
    assert {one: outcomes.count(one) for one in set(outcomes)} == {
        "completed": 9, "cancelled": 2, "failed": 2, "incomplete": 2, "expired": 2,
    }  # fmt: skip
    assert not any(run.foreign for run in both.live.runs)
    assert {table: len(rows) > 0 for table, rows in both.live.rows.items()} == {
        "run": True, "step": True, "request": True, "price": True, "correction": False,
    }  # fmt: skip
    assert all(row["cost_nano"] for row in both.live.rows["run"] if row["input_tokens"])


@pytest.mark.parametrize("speed", [1.0, 0.0])
@pytest.mark.parametrize("what", SEEN)
def test_a_replay_tells_the_same(both: Both, speed: float, what: str) -> None:
    outcome = both.replays[speed].outcome
    assert (outcome.misses, outcome.unplayed) == ((), ())
    assert SEEN[what](both.replays[speed]) == SEEN[what](both.live)


def test_at_speed_1_the_times_are_the_recorded_ones(both: Both) -> None:
    runs = list(zip(both.live.runs, both.replays[1.0].runs, strict=True))
    for name in LENGTHS:
        pairs = [(getattr(live, name), getattr(replayed, name)) for live, replayed in runs]
        off_by_s = [abs(replayed - live) / 1e9 for live, replayed in pairs if live is not None]
        assert len(off_by_s) > 1
        assert statistics.median(off_by_s) < OFF_BY_S
    slowly = both.replays[1.0].runs[1]
    assert slowly.first_token_ns is not None
    assert slowly.first_token_ns / 1e9 > THINKS_S


def test_at_speed_0_nothing_waits(both: Both) -> None:
    duration_ns = both.replays[0.0].runs[1].duration_ns
    assert duration_ns is not None
    assert duration_ns / 1e9 < THINKS_S


async def test_each_of_several_sessions_at_once_is_told_whole(both: Both, tmp_path: Path) -> None:
    async def at_once(proxy: Proxy) -> None:
        holds = (holding(list(TALKS.values()), path=f"/s/{name}") for name in "abc")
        await asyncio.gather(*(hold(proxy) for hold in holds))

    replayed = await both.again(at_once, into=tmp_path)
    for name in "abc":
        runs = [run_facts(run) for run in replayed.runs if run.upstream == f"replay:{name}"]
        assert runs == SEEN["runs"](both.live)
    assert {key: count // 3 for key, count in replayed.counts.items()} == both.live.counts


async def test_a_session_that_is_reset_or_deleted_is_told_anew(both: Both, tmp_path: Path) -> None:
    hold = holding(list(TALKS.values())[:2], path="/s/test")

    async def three_times(proxy: Proxy) -> None:
        await hold(proxy)
        async with aiohttp.ClientSession(trust_env=False) as admin:
            where = f"{proxy.admin.url}/api/sessions/test"
            await admin.post(f"{where}/reset")
            await hold(proxy)
            await admin.delete(where)
            await hold(proxy)

    replayed = await both.again(three_times, into=tmp_path)
    assert [run.upstream for run in replayed.runs[::2]] == ["replay:test", "replay:test~2", "replay:test~3"]
    assert SEEN["runs"](replayed) == SEEN["runs"](both.live)[:2] * 3
    assert len(replayed.rows["run"]) == 6


async def test_fresh_ids_change_the_ids_alone(both: Both, tmp_path: Path) -> None:
    replayed = await both.again(holding(list(TALKS.values())), into=tmp_path, fresh_ids=True)
    live_ids, ids = ([run.run_id for run in one.runs] for one in (both.live, replayed))
    assert set(ids).isdisjoint(live_ids)
    assert replayed.counts == both.live.counts
    assert [run.usage for run in replayed.runs] == [run.usage for run in both.live.runs]
