from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.reports import START_NS, a_run
from wiretape.runs import prices as module
from wiretape.runs.cost import Price
from wiretape.runs.prices import PriceOptions, Prices
from wiretape.runs.report import Usage

TOKENS = st.integers(0, 10**9)
PICO = st.integers(0, 10**11)
PRICES = st.builds(
    lambda p_in, p_cached, p_out: Price(
        model="m", input_pico=p_in, cached_pico=p_cached, output_pico=p_out, source="config"
    ),
    PICO, PICO, PICO,
)  # fmt: skip


def a_price(**changes: object) -> PriceOptions:
    facts: dict[str, object] = {"model": "gpt-4o", "input": Decimal("2.5"), "output": Decimal(10)}
    return PriceOptions(**(facts | changes))  # type: ignore[arg-type]  # the test's own words


def usd(found: Prices, **changes: object) -> int | None:
    """Nanodollars of one run."""
    cost = found.priced(a_run(model="gpt-4o", model_requested=None, **changes)).cost
    return None if cost is None else cost.nano_usd


@given(PRICES, TOKENS, TOKENS, TOKENS, TOKENS)
def test_cost_is_additive_and_never_negative(price: Price, one: int, two: int, three: int, four: int) -> None:
    apart = price.pico_usd(one, one // 3, two) + price.pico_usd(three, three // 3, four)
    cached = one // 3 + three // 3
    assert price.pico_usd(one + three, cached, two + four) == apart
    assert apart >= 0


@given(PRICES, TOKENS, TOKENS, TOKENS)
def test_nanodollars_are_the_nearest(price: Price, prompt: int, cached: int, completion: int) -> None:
    exact = price.pico_usd(prompt, cached, completion)
    assert price.nano_usd(prompt, cached, completion) >= 0
    assert abs(price.nano_usd(prompt, cached, completion) * 1000 - exact) <= 500


@given(TOKENS, TOKENS, st.integers(0, 10**9))
def test_reasoning_is_inside_the_output(prompt: int, completion: int, reasoning: int) -> None:
    found = Prices([a_price()])
    assert usd(found, usage=Usage(prompt, completion, 0, reasoning)) == usd(found, usage=Usage(prompt, completion))


def test_a_run_costs_what_its_tokens_cost() -> None:
    found = Prices([a_price(cached_input=Decimal("1.25"))])
    report = found.priced(a_run(model="gpt-4o"))
    assert report.cost is not None
    assert report.cost.nano_usd == (200 - 50) * 2_500 + 50 * 1_250 + 40 * 10_000
    assert report.cost.version == report.cost.price.version
    assert found.priced(a_run(model="gpt-4o")) == report


def test_cached_input_costs_what_other_input_does_where_nothing_is_said() -> None:
    assert usd(Prices([a_price()])) == 200 * 2_500 + 40 * 10_000


def test_a_price_without_tokens_is_no_cost_of_nothing() -> None:
    report = Prices([a_price()]).priced(a_run(model="gpt-4o", usage=None))
    assert report.cost is not None
    assert report.cost.nano_usd is None


def test_a_model_without_a_price_has_none() -> None:
    report = a_run(model="other", model_requested=None)
    assert Prices([a_price()]).priced(report) is report


def test_the_answers_model_goes_before_the_one_asked_for() -> None:
    found = Prices([a_price(), a_price(model="gpt-4o-2024", input=Decimal(5))])
    assert found.priced(a_run()).cost == found.priced(a_run(model_requested=None)).cost
    asked = Prices([a_price()]).priced(a_run()).cost
    assert asked is not None
    assert asked.price.model == "gpt-4o"


def test_a_deployment_is_priced_as_its_model() -> None:
    found = Prices([a_price()], deployments={"our-own": "gpt-4o"})
    assert found.priced(a_run(model="our-own", model_requested=None)).cost is not None


def test_the_nearest_price_counts() -> None:
    """Of this upstream, then of its provider, then of all."""
    options = [
        a_price(input=Decimal(1)),
        a_price(input=Decimal(2), provider="azure"),
        a_price(input=Decimal(3), upstream="here"),
        a_price(input=Decimal(4), upstream="there"),
    ]
    found = Prices(options, providers={"default": "azure", "here": "azure"})
    spent = {upstream: usd(found, upstream=upstream, usage=Usage(1, 0)) for upstream in ("other", "default", "here")}
    assert spent == {"other": 1_000, "default": 2_000, "here": 3_000}


def test_of_several_days_the_latest_that_has_begun_counts() -> None:
    """2025-06-15 is the day of the scene, in UTC."""
    options = [
        a_price(input=Decimal(1)),
        a_price(input=Decimal(2), since=date(2025, 6, 15)),
        a_price(input=Decimal(3), since=date(2025, 6, 16)),
    ]
    found = Prices(options)
    day_ns = 86_400 * 10**9
    spent = [usd(found, usage=Usage(1, 0), start_ns=START_NS + days * day_ns) for days in (-1, 0, 1)]
    assert spent == [1_000, 2_000, 3_000]


@pytest.mark.parametrize("start_ns", [-(10**30), 10**30])
def test_a_stamp_that_no_calendar_has_hurts_nothing(start_ns: int) -> None:
    assert usd(Prices([a_price()]), usage=Usage(1, 0), start_ns=start_ns) == 2_500


def test_the_list_is_asked_where_the_configuration_says_nothing_and_once() -> None:
    asked: list[tuple[str, str, date]] = []

    def listed(provider: str, model: str, day: date) -> Price | None:
        asked.append((provider, model, day))
        return a_price(model=model).price() if model == "o3" else None

    found = Prices([a_price()], providers={"default": "azure"}, listed=listed)
    for _ in range(3):
        report = found.priced(a_run(model="o3-2025", model_requested="o3"))
        assert report.cost is not None
        assert report.cost.price.model == "o3"
        assert found.priced(a_run(model="gpt-4o")).cost is not None
    assert asked == [("azure", "o3-2025", date(2025, 6, 15)), ("azure", "o3", date(2025, 6, 15))]


def test_what_was_looked_up_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_MAX", 2)
    found = Prices([a_price()])
    for number in range(5):
        found.priced(a_run(model=f"junk-{number}"))
    assert len(found._known) <= 2


def test_the_same_price_has_the_same_version_and_another_has_another() -> None:
    assert a_price().price().version == a_price().price().version
    assert a_price().price().version != a_price(since=date(2025, 1, 1)).price().version


@pytest.mark.parametrize("usd_a_million", ["-1", "NaN", "Infinity", "0.0000001", "100001"])
def test_a_price_that_cannot_be_meant_is_refused(usd_a_million: str) -> None:
    for name in ("input", "output", "cached_input"):
        (problem,) = a_price(**{name: Decimal(usd_a_million)}).problems()
        assert problem.startswith(f"price.{name} of 'gpt-4o' is USD a million tokens")


@pytest.mark.parametrize("usd_a_million", ["0", "0.000001", "0.0375", "100000"])
def test_six_decimals_are_exact(usd_a_million: str) -> None:
    option = a_price(input=Decimal(usd_a_million))
    assert list(option.problems()) == []
    assert option.price().input_pico == Decimal(usd_a_million) * 10**6
