"""The prices inside the package are read, and nothing is fetched."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal

import pytest

from support.reports import a_run
from wiretape.errors import ConfigError
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.price_list import _THEIR_NAMES, _Bundled, prices
from wiretape.runs.prices import PriceOptions

BUNDLED = LedgerOptions(price_list="genai-prices")
DAY = date(2026, 1, 1)


def test_a_model_of_the_list_has_the_lists_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket", None)
    report = prices((), BUNDLED, {}).priced(a_run(model="gpt-4o-mini"))
    assert report.cost is not None
    price = report.cost.price
    assert (price.input_pico, price.cached_pico, price.output_pico) == (150_000, 75_000, 600_000)
    assert price.source.startswith("genai-prices ")


def test_the_configuration_goes_before_the_list() -> None:
    ours = PriceOptions(model="gpt-4o-mini", input=Decimal(1), output=Decimal(1))
    report = prices([ours], BUNDLED, {}).priced(a_run(model="gpt-4o-mini"))
    assert report.cost is not None
    assert report.cost.price.source == "config"


def test_a_model_that_no_list_has_is_not_priced() -> None:
    report = a_run(model="our-own", model_requested=None)
    assert prices((), BUNDLED, {}).priced(report) is report


def test_a_model_whose_tokens_have_prices_by_their_number_is_not_priced() -> None:
    assert _Bundled()("google", "gemini-2.5-pro", DAY) is None


def test_without_a_price_for_cached_tokens_they_cost_what_others_do() -> None:
    price = _Bundled()("openai", "gpt-4", DAY)
    assert price is not None
    assert price.cached_pico == price.input_pico == 30_000_000


@pytest.mark.parametrize("model", ["", "\ud800", "x" * 100_000])
def test_no_name_hurts(model: str) -> None:
    assert _Bundled()("openai", model, DAY) is None


def test_a_list_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices.data_snapshot", None)
    with pytest.raises(ConfigError, match=r"not installed: pip install 'wiretape\[prices\]'"):
        prices((), BUNDLED, {})


def test_without_a_list_the_package_is_not_even_imported() -> None:
    assert prices((), LedgerOptions(), {}).priced(a_run()).cost is None


@pytest.mark.parametrize("provider", [*_THEIR_NAMES, "openai", "anthropic", "deepseek"])
def test_providers_are_found_by_the_conventions_names(provider: str) -> None:
    known = {one.id for one in _Bundled()._snapshot.providers}
    assert _THEIR_NAMES.get(provider, provider) in known


def test_a_model_is_looked_up_at_its_upstreams_provider() -> None:
    found = prices((), BUNDLED, {"default": "azure.ai.openai"})
    report = found.priced(a_run(model="gpt-4o-mini"))
    assert report.cost is not None
    assert report.cost.price.provider == "azure.ai.openai"
