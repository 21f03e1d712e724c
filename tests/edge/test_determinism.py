"""What replay promises, a test for each clause: the same cassette and the same requests give the same answers."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.golden import FOLDER
from support.proxied import proxied
from support.scenarios import SCENARIOS, Answered, Scenario, asking
from wiretape.cassette.chance import draws
from wiretape.cassette.pace import PaceOptions
from wiretape.cassette.plan import Mode
from wiretape.cassette.reader import read
from wiretape.exchange import Headers

TEXT = FOLDER / "text-run"
EXCEPTED = {b"set-cookie", b"content-encoding", b"openai-poll-after-ms"}
FRAMING = {b"connection", b"keep-alive", b"content-length", b"transfer-encoding"}
BENT = {"speed": 50.0, "pace": PaceOptions(jitter=0.5, seed=3, gap_max_s=0.01)}


def kept(headers: Headers) -> Headers:
    return tuple(pair for pair in headers if pair[0].lower() not in EXCEPTED | FRAMING)


async def heard(scenario: Scenario, stem: Path, **settings: Any) -> list[Answered]:
    async with proxied(mode=Mode.REPLAY, cassette=(str(stem),), **settings) as proxy:
        async with asking(proxy.traffic.url) as (ask, answers):
            await scenario(ask)
        assert (await proxy.close()).refused == 0
    return answers


@pytest.mark.parametrize("settings", [{}, BENT], ids=["at once", "at a bent pace"])
@pytest.mark.parametrize("name", SCENARIOS)
async def test_status_headers_and_bytes_are_those_recorded_at_any_speed(name: str, settings: dict[str, Any]) -> None:
    """Whatever is written anew is framing; whatever is dropped is in the list."""
    answers = await heard(SCENARIOS[name], FOLDER / name, **settings)
    tape = read((FOLDER / f"{name}.tape.jsonl").read_bytes(), name)
    recorded = {(one.status, one.body, kept(one.headers)) for one in tape.interactions}
    assert answers
    assert [one.body for one in answers if (one.status, one.body, kept(one.headers)) not in recorded] == []


async def test_two_walks_hear_the_same_to_the_byte() -> None:
    first, second = [await heard(SCENARIOS["tool-run"], FOLDER / "tool-run") for _ in range(2)]
    assert first == second


async def test_events_come_in_their_recorded_order_through_the_sessions_of_others() -> None:
    """Sixty-four sessions walk at once, in an order that chance makes; each hears what one alone hears."""
    alone, chance = await heard(SCENARIOS["text-run"], TEXT), draws("order")
    async with proxied(mode=Mode.REPLAY, cassette=(str(TEXT),), speed=200.0) as proxy:

        async def walk(number: int) -> list[Answered]:
            async with asking(f"{proxy.traffic.url}/s/{number}") as (ask, answers):
                await SCENARIOS["text-run"](hesitant(ask))
                return answers

        def hesitant(ask: Callable[..., Any]) -> Callable[..., Any]:
            async def asks(*words: Any) -> Any:
                for _ in range(int(5 * next(chance))):
                    await asyncio.sleep(0)
                return await ask(*words)

            return asks

        walks = await asyncio.gather(*map(walk, range(64)))
    assert [walk for walk in walks if walk != alone] == []
    assert [name for name, _ in next(one for one in alone if b"event: " in one.body).events()][-1] == "done"


async def test_a_faulted_walk_is_the_same_every_time_and_leaves_other_sessions_alone() -> None:
    async def finals(base: str) -> list[bytes]:
        async with asking(base) as (ask, answers):
            await SCENARIOS["text-run"](ask)
        return [one.body for one in answers]

    plain = [one.body for one in await heard(SCENARIOS["text-run"], TEXT)]
    faulty = ("end:by=incomplete:on=/runs", "recut:seed=5:bytes_max=40", "duplicate:event=3")
    async with proxied(mode=Mode.REPLAY, cassette=(str(TEXT),), fault=faulty) as proxy:
        first, second = [await finals(f"{proxy.traffic.url}/s/{name}") for name in "ab"]
    assert first == second != plain
    ended = next(body for body in first if b"event: done" in body).decode().split("\n\n")[-3]
    assert json.loads(ended.partition("data: ")[2])["status"] == "incomplete"
