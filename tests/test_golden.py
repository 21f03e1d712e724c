"""One walk over the golden cassettes: a client gets what they hold, and it comes to what is written beside them."""

import json

import pytest

from support.golden import FOLDER, expected
from support.proxied import proxied
from support.scenarios import SCENARIOS, asking, sandboxed
from wiretape.cassette.plan import Mode
from wiretape.edge.store import load

NAMES = sorted(path.name.removesuffix(".tape.jsonl") for path in FOLDER.glob("*.tape.jsonl"))
REWRITTEN = {b"connection", b"transfer-encoding", b"openai-poll-after-ms"}


def test_every_scenario_has_its_cassette() -> None:
    assert sorted(SCENARIOS) == NAMES


@pytest.mark.parametrize("name", NAMES)
async def test_a_golden_cassette_comes_to_what_is_expected(name: str) -> None:
    got = await expected(str(FOLDER / name), SCENARIOS[name])
    assert json.loads(json.dumps(got)) == json.loads((FOLDER / f"{name}.expected.json").read_text())


@pytest.mark.parametrize("name", NAMES)
async def test_every_interaction_is_replayed_as_it_was_recorded(name: str) -> None:
    tape = load(FOLDER / f"{name}.tape.jsonl")
    async with proxied(mode=Mode.REPLAY, cassette=(str(FOLDER / name),)) as proxy:
        async with asking(proxy.traffic.url) as (ask, answers):
            for one in tape.interactions:
                media_type = next(
                    (value for name, value in one.request_headers if name.lower() == b"content-type"), b""
                )
                await ask(one.method, one.target, one.request_body or None, media_type.decode())
    assert tape.notes == ()
    assert [(got.status, got.body) for got in answers] == [(one.status, one.body) for one in tape.interactions]


@pytest.mark.parametrize("name", sorted(SCENARIOS))
async def test_a_conversation_recorded_and_replayed_with_the_upstream_gone_is_identical(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stem = str(tmp_path_factory.mktemp("tapes") / name)
    async with sandboxed() as url, proxied(url, mode=Mode.RECORD, cassette=(stem,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, live):
            await SCENARIOS[name](ask)
    async with proxied(mode=Mode.REPLAY, cassette=(stem,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, replayed):
            await SCENARIOS[name](ask)
        outcome = await proxy.close()
    assert (outcome.refused, outcome.unplayed) == (0, ())
    assert [(one.status, one.body) for one in replayed] == [(one.status, one.body) for one in live]
    for was, now in zip(live, replayed, strict=True):
        assert _kept(now.headers) == _redacted(_kept(was.headers))


def _kept(headers: tuple[tuple[bytes, bytes], ...]) -> list[tuple[bytes, bytes]]:
    """The contract's listed exceptions: framing is written anew, so Content-Length may stand elsewhere; polls hurry."""
    return sorted((name.lower(), value) for name, value in headers if name.lower() not in REWRITTEN)


def _redacted(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    shown = {b"openai-organization": b"{{secret:org#1}}", b"openai-project": b"{{secret:project#1}}"}
    return [(name, shown.get(name, value)) for name, value in headers]


async def test_the_same_conversation_through_the_proxy_and_straight_gives_the_same_bytes() -> None:
    async def answers(through: bool) -> list[tuple[int, bytes]]:
        async with sandboxed() as url:
            if not through:
                return await _talk(url)
            async with proxied(url) as proxy:
                return await _talk(proxy.traffic.url)

    assert await answers(through=True) == await answers(through=False)


async def _talk(url: str) -> list[tuple[int, bytes]]:
    async with asking(url) as (ask, answers):
        for scenario in SCENARIOS.values():
            await scenario(ask)
    return [(one.status, one.body) for one in answers]
