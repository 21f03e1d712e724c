"""Prices from the configuration and, where that is asked for, from the data inside a package; nothing is fetched."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any, Final

from wiretape.errors import ConfigError
from wiretape.ledger.options import LedgerOptions
from wiretape.runs.cost import Price
from wiretape.runs.prices import PriceOptions, Prices, pico

_PACKAGE: Final = "genai-prices"
_THEIR_NAMES: Final = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "aws.bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
}
"""Providers in the words of `gen_ai.provider.name`, and in the package's where those differ."""


def prices(options: Sequence[PriceOptions], audit: LedgerOptions, providers: Mapping[str, str]) -> Prices:
    """What runs are priced by; `providers` is by upstream name. Raises ConfigError for a list that is not here."""
    listed = None if audit.price_list == "none" else _Bundled()
    return Prices(options, deployments=audit.deployments, providers=providers, listed=listed)


class _Bundled:
    """The prices that were released with the package. Its updates are by threads of its own, which are never begun."""

    def __init__(self) -> None:
        try:
            self._snapshot: Any = importlib.import_module("genai_prices.data_snapshot").get_snapshot()
        except ImportError as error:
            raise ConfigError(
                f"audit.price_list is {_PACKAGE}, which is not installed: pip install 'wiretape[prices]'"
            ) from error
        self._source = f"{_PACKAGE} {version(_PACKAGE)}"

    def __call__(self, provider: str, model: str, day: date) -> Price | None:
        try:
            _, found = self._snapshot.find_provider_model(model, None, _THEIR_NAMES.get(provider, provider), None)
            told = found.get_prices(datetime.combine(day, time.min, UTC))
        except Exception:  # noqa: BLE001 - LookupError where it knows none; whatever else, a run is not lost for its price
            return None
        return self._price(provider, model, told)

    def _price(self, provider: str, model: str, told: Any) -> Price | None:  # noqa: ANN401  the package's own
        """None where the price of a token depends on how many there are: a run's tokens are a sum over its steps."""
        known = [getattr(told, name, None) for name in ("input_mtok", "cache_read_mtok", "output_mtok")]
        p_in, p_cached, p_out = (usd if isinstance(usd, Decimal) else None for usd in known)
        if p_in is None or p_out is None or (p_cached is None and known[1] is not None):
            return None
        return Price(
            model=model,
            provider=provider,
            input_pico=pico(p_in),
            cached_pico=pico(p_in if p_cached is None else p_cached),
            output_pico=pico(p_out),
            source=self._source,
        )
