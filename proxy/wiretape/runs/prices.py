"""Which price holds for a run: by upstream, provider, model and day, from the configuration, else from a price list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from wiretape.runs.cost import Cost, Price
from wiretape.runs.report import RunReport

KNOWN_MAX: Final = 1_000
"""Prices that were looked up and are kept, by upstream, model and day; then they are looked up anew."""
USD_MAX: Final = Decimal(100_000)
"""The highest price of a million tokens: what a run costs then fits a column of 64 bits."""
_PICO_PER_USD_A_MILLION: Final = 1_000_000
_EPOCH: Final = date(1970, 1, 1)
_NS_PER_DAY: Final = 86_400 * 1_000_000_000
_PROVIDER: Final = "openai"
"""Whose service an upstream is where nothing else is said: the protocol is OpenAI's."""


class PriceOptions(Struct, frozen=True, kw_only=True):
    """What one model's tokens cost, in USD a million; at most six decimals."""

    model: str
    """The model's name as runs tell it, or what `audit.deployments` makes of it."""
    provider: str | None = None
    """Only for upstreams of this provider."""
    upstream: str | None = None
    """Only for the upstream of this name."""
    since: date | None = field(default=None, name="from")
    """The day (UTC) of a run's creation from which it holds; of several, the latest that has begun counts."""
    input: Decimal
    """A million input tokens that were not cached."""
    cached_input: Decimal | None = None
    """A million input tokens read from a cache; without it, they cost what others do."""
    output: Decimal
    """A million output tokens, those of reasoning among them."""

    def problems(self) -> Iterator[str]:
        """Find what is wrong with it."""
        for name in ("input", "cached_input", "output"):
            usd = getattr(self, name)
            if usd is not None and not (usd.is_finite() and 0 <= usd <= USD_MAX and _is_whole(usd)):
                yield (
                    f"price.{name} of {self.model!r} is USD a million tokens, from 0 to {USD_MAX:,} with at most six "
                    f"decimals; got {usd}"
                )

    def price(self) -> Price:
        """The price it stands for."""
        cached = self.input if self.cached_input is None else self.cached_input
        return Price(
            model=self.model,
            provider=self.provider,
            upstream=self.upstream,
            since=None if self.since is None else self.since.isoformat(),
            input_pico=pico(self.input),
            cached_pico=pico(cached),
            output_pico=pico(self.output),
            source="config",
        )


Listed = Callable[[str, str, date], Price | None]
"""A price list: asked for a provider, a model and a day."""


def pico(usd_a_million: Decimal) -> int:
    """USD a million tokens as picodollars a token."""
    return int(usd_a_million * _PICO_PER_USD_A_MILLION)


class Prices:
    """Prices runs. Any thread may ask: what is remembered is the same whoever looked it up."""

    def __init__(
        self,
        options: Sequence[PriceOptions],
        *,
        deployments: Mapping[str, str] | None = None,
        providers: Mapping[str, str] | None = None,
        listed: Listed | None = None,
    ) -> None:
        """`deployments` gives names of deployments their models; `providers` is by upstream name."""
        self._options = options
        self._deployments = deployments or {}
        self._providers = providers or {}
        self._listed = listed or _nothing
        self._known: dict[tuple[str, str | None, str | None, date], tuple[Price, str] | None] = {}

    def priced(self, report: RunReport) -> RunReport:
        """The report with its cost, as it is where no price is known."""
        found = self._of(report)
        if found is None:
            return report
        price, version = found
        usage = report.usage
        nano_usd = None if usage is None else price.nano_usd(usage.prompt, usage.cached, usage.completion)
        return replace(report, cost=Cost(nano_usd, price, version))

    def _of(self, report: RunReport) -> tuple[Price, str] | None:
        key = (report.upstream, report.model, report.model_requested, _day(report.start_ns))
        try:
            return self._known[key]
        except KeyError:
            return self._look_up(key)

    def _look_up(self, key: tuple[str, str | None, str | None, date]) -> tuple[Price, str] | None:
        price = next(filter(None, self._found(*key)), None)
        found = None if price is None else (price, price.version)
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[key] = found
        return found

    def _found(self, upstream: str, model: str | None, asked: str | None, day: date) -> Iterator[Price | None]:
        """What the service answered with goes before what was asked for, and the configuration before the list."""
        provider = self._providers.get(upstream, _PROVIDER)
        names = [self._deployments.get(name, name) for name in (model, asked) if name is not None]
        for name in names:
            yield self._configured(name, upstream, provider, day)
        for name in names:
            yield self._listed(provider, name, day)

    def _configured(self, model: str, upstream: str, provider: str, day: date) -> Price | None:
        """The price for this very upstream, else for its provider, else for all; then the latest that has begun."""
        holding = [
            one
            for one in self._options
            if one.model == model
            and one.upstream in {None, upstream}
            and one.provider in {None, provider}
            and (one.since or date.min) <= day
        ]
        best = max(holding, key=_nearness, default=None)
        return None if best is None else best.price()


def _day(at_ns: int) -> date:
    """The day in UTC; a stamp that no calendar has is the nearest day that one has."""
    return _EPOCH + timedelta(days=min(max(at_ns // _NS_PER_DAY, 0), (date.max - _EPOCH).days))


def _nothing(provider: str, model: str, day: date) -> None:
    """The list of those who have none."""


def _nearness(one: PriceOptions) -> tuple[bool, bool, date]:
    return one.upstream is not None, one.provider is not None, one.since or date.min


def _is_whole(usd: Decimal) -> bool:
    return usd * _PICO_PER_USD_A_MILLION % 1 == 0
