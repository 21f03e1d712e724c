"""What the page of the benchmark makes of samples."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture(scope="module")
def bench() -> SimpleNamespace:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        import figures
        import relay
        import replay
        import targets
    return SimpleNamespace(figures=figures, relay=relay, replay=replay, targets=targets)


def samples(bench: SimpleNamespace, *cpu_s: float, disturbed: tuple[int, ...] = (), **load: Any) -> dict[int, Any]:
    lengths = dict.fromkeys(("first_p50_us", "first_p99_us", "delay_p50_us", "delay_p99_us"), 100.0)
    counts = {"requests": 1000, "events": 10_000, "bytes": 0, "reopened": 0, "wall_s": 1.0, "cpu_s": 0.1, "errors": {}}
    said = bench.relay.Load(**(counts | lengths | load))
    return {at: bench.relay.Sample(said, one, 0.1, 0.5 * (at in disturbed), 10, 12) for at, one in enumerate(cpu_s)}


def test_a_ratio_is_taken_within_each_round(bench: SimpleNamespace) -> None:
    ours, theirs = samples(bench, 2, 40, 9), samples(bench, 1, 10, 3)
    ratio = bench.figures.paired(ours, theirs, bench.figures.of(bench.figures.cpu_us_request))
    assert (ratio.middle, ratio.least, ratio.most) == pytest.approx((3, 2, 4))


def test_disturbed_rounds_are_left_out_where_three_others_remain(bench: SimpleNamespace) -> None:
    five = samples(bench, 1, 2, 3, 100, 200, disturbed=(3, 4))
    assert set(bench.figures.used(five)) == {0, 1, 2}
    assert bench.figures.middle(five, bench.figures.cpu_us_request) == 2000
    most = samples(bench, 1, 2, 3, disturbed=(0, 1))
    assert bench.figures.used(most) == most


def test_a_pair_with_no_undisturbed_round_in_common_is_still_compared(bench: SimpleNamespace) -> None:
    ours, theirs = samples(bench, 2, disturbed=(0,)), samples(bench, 1)
    assert bench.figures.paired(ours, theirs, bench.figures.of(bench.figures.cpu_us_event)).middle == 2


def test_a_round_that_failed_makes_no_ratio(bench: SimpleNamespace) -> None:
    theirs = samples(bench, 1) | {1: samples(bench, 0, 9, errors={"torn": 1})[1]}
    ratio = bench.figures.paired(samples(bench, 2, 2), theirs, bench.figures.of(bench.figures.cpu_us_request))
    assert (ratio.least, ratio.most) == pytest.approx((2, 2))


def test_a_peer_that_is_not_there_makes_no_ratio(bench: SimpleNamespace) -> None:
    assert bench.figures.paired(samples(bench, 1), {}, bench.figures.of(bench.figures.requests_s)) is None


@pytest.mark.parametrize(("cost", "word"), [(4, "met"), (5, "**missed**")])
def test_a_target_is_met_or_missed(bench: SimpleNamespace, cost: float, word: str) -> None:
    rows = {"nginx": samples(bench, 1, 1, 1), "wiretape": samples(bench, cost, cost, cost)}
    found = SimpleNamespace(samples={"json": rows})
    row = bench.targets.TARGETS[0].row(found, "wiretape", "wiretape, recording")
    assert row["forwarding"].endswith(word)
    assert row["telemetry, ledger and recording on"].endswith("not measured")


def test_streams_that_failed_tell_no_delay(bench: SimpleNamespace) -> None:
    rows = {"wiretape": samples(bench, 1, errors={"torn": 1})}
    assert bench.targets.delay_p99(SimpleNamespace(samples={"paced 500": rows}), "wiretape") is None


def test_added_time_is_compared_with_what_nginx_adds(bench: SimpleNamespace) -> None:
    first = {"direct": 100.0, "nginx": 200.0, "wiretape": 350.0}
    rows = {name: samples(bench, 1, first_p50_us=taken) for name, taken in first.items()}
    assert bench.targets.added_first(SimpleNamespace(samples={"paced 500": rows}), "wiretape").middle == 2.5


def test_replay_is_held_against_the_faster_peer(bench: SimpleNamespace) -> None:
    speeds = {"wiretape": 9000, "mitmproxy": 400, "mountebank": 3000}
    rows = {name: samples(bench, 1, 1, requests=speed) for name, speed in speeds.items()}
    played = SimpleNamespace(found=SimpleNamespace(samples={"replayed": rows, "replayed streams": rows}))
    answers, streams = bench.replay.targets(played)
    assert answers["telemetry off, no ledger"].endswith(": 3.00 (3.00 to 3.00), **missed**")
    assert streams["telemetry off, no ledger"].endswith(": 3.00 (3.00 to 3.00), met")
    assert answers["telemetry and ledger on"].endswith("not measured")
    del rows["mitmproxy"], rows["mountebank"]
    assert bench.replay.targets(played)[0]["telemetry off, no ledger"].endswith("not measured")
