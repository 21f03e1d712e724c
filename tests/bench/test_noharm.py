"""What the page of the benchmark says of sinks that fail."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture(scope="module")
def bench() -> SimpleNamespace:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        import noharm
        import relay
    return SimpleNamespace(noharm=noharm, relay=relay)


def samples(bench: SimpleNamespace, *rates: int, p99_us: float = 1000.0) -> dict[int, Any]:
    said = {"events": 10, "bytes": 0, "reopened": 0, "wall_s": 1.0, "cpu_s": 0.1, "errors": {}}
    said |= {"first_p50_us": 1.0, "first_p99_us": 1.0, "delay_p50_us": 100.0, "delay_p99_us": p99_us}
    loads = [bench.relay.Load(requests=rate, **said) for rate in rates]
    return {at: bench.relay.Sample(load, 0.5, 0.1, 0.0, 10, 12) for at, load in enumerate(loads)}


def measured(bench: SimpleNamespace, ours: tuple[int, ...], p99_us: float = 1000.0, **lost: int) -> Any:
    """One row beside two that are well, which differ by a tenth."""
    well, again = bench.noharm.WELL, bench.noharm.AGAIN
    of_json = {well: samples(bench, 100, 100, 100), again: samples(bench, 90, 105, 100), "ours": samples(bench, *ours)}
    paced = {name: samples(bench, 1, 1, 1) for name in ("direct", well, again)}
    paced["ours"] = samples(bench, 1, 1, 1, p99_us=p99_us)
    return bench.noharm.Measured(of_json, paced, {well: {}, again: {}, "ours": lost})


def test_what_lies_within_the_noise_is_not_worse(bench: SimpleNamespace) -> None:
    said = bench.noharm.verdict(measured(bench, (91, 89, 92)))
    assert said.startswith("No row is worse than the first beyond noise")
    assert said.endswith("1.00 (0.90 to 1.05), 1.00 (1.00 to 1.00).")


@pytest.mark.parametrize(("ours", "p99_us"), [((80, 81, 79), 1000.0), ((100, 100, 100), 1100.0)])
def test_a_row_that_is_worse_than_chance_is_named(bench: SimpleNamespace, ours: tuple[int, ...], p99_us: float) -> None:
    assert bench.noharm.verdict(measured(bench, ours, p99_us)).startswith("**Worse beyond noise**: ours;")


def test_a_row_tells_what_was_lost(bench: SimpleNamespace) -> None:
    first, _, ours = bench.noharm.table(measured(bench, (50, 50, 50), export=7022))
    assert (first["lost and counted"], ours["lost and counted"]) == ("nothing", "export 7,022")
    assert (str(ours["of the first row"]), ours["failed"]) == ("0.50 (0.50 to 0.50)", 0)


def test_what_a_collector_is_told_to_do_it_does(bench: SimpleNamespace) -> None:
    import urllib.error
    import urllib.request

    with bench.noharm.collector(lambda: 503) as url, pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(url, data=b"spans", timeout=30)  # noqa: S310  our own address
