"""A proxy that cannot start, or is stopped in the middle of stopping, leaves nothing behind and costs nothing."""

import asyncio
import threading
from pathlib import Path

import pytest

from support.proxied import proxied
from support.scenarios import asking, sandboxed
from wiretape.app import Proxy
from wiretape.cassette.plan import Mode
from wiretape.config import Config
from wiretape.edge.store import journal_path
from wiretape.errors import ConfigError

FREE = "127.0.0.1:0"


@pytest.fixture
async def kept(tmp_path: Path) -> Path:
    """Give a cassette that holds something."""
    stem = tmp_path / "kept"
    async with sandboxed() as url, proxied(url, mode=Mode.RECORD, cassette=(str(stem),)) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await ask("POST", "/v1/threads", {})
    return stem


def ours() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(("wiretape", "Otel"))}


async def test_one_address_for_both_listeners_is_refused_and_costs_no_cassette(kept: Path) -> None:
    before = kept.with_name("kept.tape.jsonl").read_bytes()
    async with proxied("http://127.0.0.1:1") as other:
        taken = str(other.traffic.address)
        for listen, admin in ((taken, FREE), (FREE, taken)):
            with pytest.raises(ConfigError, match=f"cannot listen on {taken}"):
                await Proxy.start(Config(listen=listen, admin=admin, mode=Mode.REWRITE, cassette=(str(kept),)))
    assert kept.with_name("kept.tape.jsonl").read_bytes() == before
    assert not journal_path(kept).exists()


@pytest.mark.parametrize("turns", range(0, 12, 3))
async def test_a_start_that_is_cancelled_costs_no_cassette_and_leaves_no_thread(kept: Path, turns: int) -> None:
    before, threads = kept.with_name("kept.tape.jsonl").read_bytes(), ours()
    config = Config(listen=FREE, admin=FREE, ledger="none", mode=Mode.REWRITE, cassette=(str(kept),))
    starting = asyncio.ensure_future(Proxy.start(config, environ={}))
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    try:
        proxy = await starting
    except asyncio.CancelledError:
        pass
    else:
        await proxy.close()  # it was quicker than we
    assert kept.with_name("kept.tape.jsonl").read_bytes() == before
    assert ours() == threads


async def test_a_close_that_is_cancelled_still_seals(tmp_path: Path) -> None:
    stem = tmp_path / "talk"
    async with sandboxed() as url, proxied(url, mode=Mode.RECORD, cassette=(str(stem),), drain_s=60.0) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            made = await ask("POST", "/v1/assistants", {"model": "m", "instructions": "Be brief."})
            stalled = {"assistant_id": made.json()["id"], "stream": True, "metadata": {"sandbox": "stall"}}
            streaming = asyncio.ensure_future(ask("POST", "/v1/threads/runs", stalled))
            while not proxy.relay.active:  # noqa: ASYNC110  until the request has come
                await asyncio.sleep(0)
            closing = asyncio.ensure_future(proxy.close())
            while not proxy.draining:  # noqa: ASYNC110  one turn of the loop is all it takes
                await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            streaming.cancel()
            await asyncio.gather(streaming, return_exceptions=True)
    assert stem.with_name("talk.tape.jsonl").exists()
    assert not journal_path(stem).exists()


async def test_hurry_spares_the_drain_that_comes_after_it() -> None:
    async with proxied("http://127.0.0.1:1", drain_s=600.0) as proxy:
        proxy.hurry()
        async with asyncio.timeout(10):
            await proxy.close()
