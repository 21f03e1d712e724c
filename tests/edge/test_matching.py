"""Matching over real sockets, with the official SDK as the client."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from support.proxied import proxied
from support.scenarios import sandboxed
from support.sdk import client
from wiretape.cassette.plan import Mode
from wiretape.cassette.rules import MatchOptions
from wiretape.edge.store import load, tape_path

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated.*:DeprecationWarning")  # why we are here


def conversation(url: str, words: str = "Tell me of it.", **poll: Any) -> list[str]:
    """A run that the SDK's helper polls to its end, and one that is streamed; gives every id the client was told."""
    beta = client(url).beta
    assistant = beta.assistants.create(model="gpt-4o-mini")
    thread = beta.threads.create()
    message = beta.threads.messages.create(thread.id, role="user", content=f"{words} In {thread.id}.")
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, **poll)
    assert run.status == "completed"
    told = [assistant.id, thread.id, message.id, run.id]
    told += [one.id for one in beta.threads.messages.list(thread.id, run_id=run.id)]
    with beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        told += [one.id for one in stream.get_final_messages() if one.thread_id == thread.id]
    assert len(told) == 6
    return told


@pytest.fixture
async def stem(tmp_path: Path) -> str:
    """A recording of it: while recording, the client asks again after a millisecond."""
    stem = str(tmp_path / "polled")
    async with sandboxed(step_s=0.05) as url, proxied(url, mode=Mode.RECORD, cassette=(stem,)) as proxy:
        await asyncio.to_thread(conversation, proxy.traffic.url, poll_interval_ms=1)
    return stem


async def test_the_sdks_poll_helper_ends_in_well_under_a_second(stem: str) -> None:
    polls = sum("/runs/" in one.target and one.method == "GET" for one in load(tape_path(Path(stem))).interactions)
    assert polls > 2, "without a hint the helper would wait a second for each"
    async with proxied(mode=Mode.REPLAY, cassette=(stem,)) as proxy:
        begun_s = time.monotonic()
        await asyncio.to_thread(conversation, proxy.traffic.url)
        took_s = time.monotonic() - begun_s
        outcome = await proxy.close()
    assert (outcome.refused, outcome.unplayed) == (0, ())
    assert took_s < 1


async def test_with_fresh_ids_each_session_has_its_own_and_the_same_on_every_run(stem: str) -> None:
    async def told(names: tuple[str, ...]) -> list[list[str]]:
        async with proxied(mode=Mode.REPLAY, cassette=(stem,), fresh_ids=True) as proxy:
            urls = [f"{proxy.traffic.url}/s/{name}" for name in names]
            got = await asyncio.gather(*(asyncio.to_thread(conversation, url) for url in urls))
            assert (await proxy.close()).refused == 0
        return list(got)

    (first, second), (again,) = await told(("one", "two")), await told(("one",))
    recorded = set(load(tape_path(Path(stem))).ids.values())
    assert first == again
    assert not set(first) & set(second)
    assert not set(first) & recorded
    assert [len(one) for one in first] == [len(one) for one in second]


async def test_collapsed_polls_end_at_the_second(stem: str) -> None:
    async with proxied(mode=Mode.REPLAY, cassette=(stem,), polls="collapse") as proxy:
        await asyncio.to_thread(conversation, proxy.traffic.url)
        outcome = await proxy.close()
    assert (outcome.refused, outcome.unplayed) == (0, ())


async def test_a_rule_of_the_configuration_holds(stem: str) -> None:
    rules = MatchOptions(ignore=("content",))
    async with proxied(mode=Mode.REPLAY, cassette=(stem,), match=rules) as proxy:
        await asyncio.to_thread(conversation, proxy.traffic.url, "Tell me of something else.")
        assert (await proxy.close()).refused == 0
