"""The rim is tested on both loops: the command line uses uvloop where the platform has it, other embedders asyncio."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

import support.proxied
from support.engines import ENGINES

BOTH = frozenset(
    {"test_relay", "test_modes", "test_admin", "test_listener", "test_listeners", "test_upstreams", "test_faults"}
    | {"test_engine_answers", "test_engine_requests", "test_engine_connections", "test_engine_racing", "test_trailers"}
    | {"test_hostile_requests", "test_hostile_answers"}
    | {"test_played", "test_session_api", "test_verify", "test_leaving"}
)


@pytest.fixture(params=ENGINES)
def by_each_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the proxies of a test speak to their upstreams by one engine, then by the other."""
    monkeypatch.setattr(support.proxied, "ENGINE", request.param)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the tests of whole exchanges once on each loop."""
    asyncio_alone = {"asyncio": asyncio.new_event_loop}
    return {**asyncio_alone, "uvloop": uvloop.new_event_loop} if item.path.stem in BOTH else asyncio_alone
