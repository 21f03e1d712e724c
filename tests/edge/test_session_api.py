"""Sessions over the admin listener, as a test suite in any language uses them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from support.proxied import proxied
from support.raw import answering_new, serving
from wiretape.app import Proxy
from wiretape.cassette.chance import draws
from wiretape.cassette.format import Ended, Header, Interaction, Tape
from wiretape.cassette.plan import Mode
from wiretape.edge.sessions import SessionOptions
from wiretape.edge.store import write_tape

STREAM = ((b"Content-Type", b"text/event-stream"),)
FRAMES = tuple(b"data: %d\n\n" % number for number in range(5))
Api = Callable[..., Awaitable[tuple[int, Any]]]


def one(index: int, target: str, body: bytes = b"", method: str = "POST") -> Interaction:
    return Interaction(index=index, method=method, target=target, status=200, body=body, how=Ended.COMPLETE)


def stream(index: int, target: str = "/v1/stream") -> Interaction:
    return Interaction(
        index=index, method="POST", target=target, status=200, headers=STREAM, body=b"".join(FRAMES),
        how=Ended.COMPLETE, frames=tuple(map(len, FRAMES)), chunks=tuple((10, len(frame)) for frame in FRAMES),
    )  # fmt: skip


def taped(folder: Path, name: str, *interactions: Interaction) -> str:
    write_tape(Tape(header=Header(), interactions=interactions), folder / f"{name}.tape.jsonl")
    return str(folder / name)


@asynccontextmanager
async def asking(proxy: Proxy) -> AsyncIterator[tuple[Api, aiohttp.ClientSession]]:
    async with aiohttp.ClientSession(trust_env=False) as client:

        async def api(method: str, path: str = "", body: object = None) -> tuple[int, Any]:
            url = URL(f"{proxy.admin.url}/api/sessions{path}", encoded=True)
            async with client.request(method, url, json=body) as got:
                return got.status, await got.json() if got.content_type == "application/json" else await got.text()

        yield api, client


async def say(client: aiohttp.ClientSession, base_url: str, path: str = "/n") -> str:
    async with client.post(base_url.removesuffix("/v1") + path) as got:
        return await got.text()


async def test_a_session_is_created_used_reset_asserted_and_deleted(tmp_path: Path) -> None:
    stem = taped(tmp_path, "tape", one(1, "/n", b"1"), one(2, "/n", b"2"))
    async with proxied(mode=Mode.REPLAY, cassette=(stem,)) as proxy, asking(proxy) as (api, client):
        status, made = await api("POST", "", {"name": "tests/a[1]"})
        assert (status, made["report"]["name"]) == (201, "tests/a[1]")
        assert made["base_url"] == f"{proxy.traffic.url}/s/tests%2Fa%5B1%5D/v1"
        where = "/tests%2Fa%5B1%5D"
        assert await say(client, made["base_url"]) == "1"
        assert (await api("GET", f"{where}/assert"))[0] == 200
        status, told = await api("GET", f"{where}/assert?played=all")
        assert (status, told["report"]["left"]) == (409, ["#2 POST /n"])
        assert await say(client, made["base_url"]) == "2"
        assert (await api("GET", f"{where}/assert?played=all"))[0] == 200
        assert "No recorded answer" in await say(client, made["base_url"])
        status, told = await api("GET", f"{where}/assert")
        assert (status, told["report"]["refused"], told["report"]["played"]) == (409, 1, 2)
        assert told["report"]["misses"][0].startswith("No recorded answer for POST /n. An equal request was recorded 2")
        assert (await api("POST", f"{where}/reset"))[1]["report"]["refused"] == 0
        assert await say(client, made["base_url"]) == "1"
        assert [shown["report"]["name"] for shown in (await api("GET"))[1]] == ["tests/a[1]"]
        assert await api("DELETE", where) == (204, "")
        assert (await api("GET"))[1] == []
        outcome = await proxy.close()
    assert (outcome.refused, outcome.unplayed) == (1, ())


@pytest.mark.parametrize(
    ("method", "path", "body", "refused"),
    [
        ("GET", "/x", None, (404, "session_unknown", "there is no session 'x': one comes to be on its first request")),
        ("GET", "/x/assert", None, (404, "session_unknown", "there is no session 'x'")),
        ("POST", "/x/reset", None, (404, "session_unknown", "there is no session 'x'")),
        ("DELETE", "/x", None, (404, "session_unknown", "there is no session 'x'")),
        ("GET", "/a/assert?played=some", None, (400, "bad_request", "`played` is `all` or left out; got 'some'")),
        ("POST", "", {"name": "a"}, (409, "session_exists", "there is a session 'a' already")),
        ("POST", "", {"name": ""}, (400, "bad_request", "a session's name has 1 to 120 characters; this one has 0")),
        ("POST", "", {}, (400, "bad_request", "a session is created by a JSON object with name")),
        ("POST", "", {"name": "b", "sped": 1}, (400, "bad_request", "sped")),
        ("POST", "", {"name": "b", "speed": -1}, (400, "bad_request", "speed must be a number that is not negative")),
        ("POST", "", {"name": "b", "pace": {"jitter": -1}}, (400, "bad_request", "pace.jitter must be a number")),
        ("POST", "", {"name": "b", "faults": ["cutt"]}, (400, "bad_request", "there is no fault 'cutt'; known are")),
        ("POST", "", {"name": "b", "cassettes": ["x"]}, (400, "bad_request", "the proxy replays no cassette 'x'")),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_in_a_sentence(
    tmp_path: Path, method: str, path: str, body: object, refused: tuple[int, str, str]
) -> None:
    stem = taped(tmp_path, "tape", one(1, "/n"))
    async with proxied(mode=Mode.REPLAY, cassette=(stem,)) as proxy, asking(proxy) as (api, _):
        await api("POST", "", {"name": "a"})
        status, told = await api(method, path, body)
    assert (status, told["error"]["code"]) == refused[:2]
    assert refused[2] in told["error"]["message"]


async def test_a_mode_without_cassettes_has_no_sessions() -> None:
    async with proxied("http://127.0.0.1:1") as proxy, asking(proxy) as (api, _):
        assert await api("GET") == (200, [])
        status, told = await api("POST", "", {"name": "a"})
    assert (status, told["error"]["code"]) == (404, "session_unknown")
    assert "modes replay, auto and verify have sessions" in told["error"]["message"]


async def test_created_sessions_are_bounded_as_all_are(tmp_path: Path) -> None:
    stem = taped(tmp_path, "tape", one(1, "/n"))
    bound = SessionOptions(sessions_max=1)
    async with proxied(mode=Mode.REPLAY, cassette=(stem,), sessions=bound) as proxy, asking(proxy) as (api, _):
        assert (await api("POST", "", {"name": "a"}))[0] == 201
        assert (await api("POST", "", {"name": "b"}))[0] == 503
        assert (await api("POST", "/a/reset"))[0] == 200
        assert (await api("DELETE", "/a"))[0] == 204
        assert (await api("POST", "", {"name": "b"}))[0] == 201


async def test_a_session_knows_the_cassettes_it_chose(tmp_path: Path) -> None:
    first, second = taped(tmp_path, "first", one(1, "/n", b"1")), taped(tmp_path, "second", one(1, "/n", b"2"))
    async with proxied(mode=Mode.REPLAY, cassette=(first, second)) as proxy, asking(proxy) as (api, client):
        _, chosen = await api("POST", "", {"name": "chosen", "cassettes": [second]})
        assert await say(client, chosen["base_url"]) == "2"
        assert "No recorded answer" in await say(client, chosen["base_url"])
        assert [await say(client, f"{proxy.traffic.url}/s/both/v1") for _ in "12"] == ["1", "2"]
        outcome = await proxy.close()
    assert outcome.unplayed == ()


async def test_what_a_session_that_chose_left_out_counts_as_unplayed(tmp_path: Path) -> None:
    first, second = taped(tmp_path, "first", one(1, "/a", b"1")), taped(tmp_path, "second", one(1, "/b", b"2"))
    async with proxied(mode=Mode.REPLAY, cassette=(first, second)) as proxy, asking(proxy) as (api, client):
        _, chosen = await api("POST", "", {"name": "chosen", "cassettes": [second]})
        assert await say(client, chosen["base_url"], "/b") == "2"
        await api("DELETE", "/chosen")
        outcome = await proxy.close()
    assert outcome.unplayed == ("POST /a",)


async def test_a_sessions_faults_strike_it_alone_and_are_counted(tmp_path: Path) -> None:
    stem = taped(tmp_path, "tape", stream(1), one(2, "/n", b"1"))
    faulty = {
        "name": "bad",
        "faults": ["answer:status=503:times=1:retry_after_s=3", "drop:event=2", "recut:bytes_max=3"],
    }
    async with proxied(mode=Mode.REPLAY, cassette=(stem,)) as proxy, asking(proxy) as (api, client):
        _, bad = await api("POST", "", faulty)
        async with client.post(f"{bad['base_url']}/stream") as got:
            assert (got.status, got.headers["Retry-After"]) == (503, "3")
            assert (await got.json())["error"]["type"] == "server_error"
        assert await say(client, bad["base_url"], "/v1/stream") == b"".join(FRAMES[:1] + FRAMES[2:]).decode()
        assert await say(client, f"{proxy.traffic.url}/s/good/v1", "/v1/stream") == b"".join(FRAMES).decode()
        told = (await api("GET", "/bad"))[1]["report"]
    assert [fault["times"] for fault in told["struck"]] == [1, 1, 1]
    assert told["settings"]["faults"] == faulty["faults"]
    assert (told["played"], told["refused"]) == (1, 0)


async def test_a_cut_is_a_tear_and_a_stall_is_silence(tmp_path: Path) -> None:
    stem = taped(tmp_path, "tape", stream(1))
    async with (
        proxied(mode=Mode.REPLAY, cassette=(stem,), fault=("cut:after=2",)) as proxy,
        asking(proxy) as (api, client),
    ):
        got = await client.post(f"{proxy.traffic.url}/v1/stream")
        assert await got.content.readexactly(sum(map(len, FRAMES[:2]))) == b"".join(FRAMES[:2])
        with pytest.raises(aiohttp.ClientPayloadError):
            await got.content.read()
        _, silent = await api("POST", "", {"name": "silent", "faults": ["stall:after=1"]})
        got = await client.post(f"{silent['base_url']}/stream")
        assert await got.content.readexactly(len(FRAMES[0])) == FRAMES[0]
        more = asyncio.ensure_future(got.content.read())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not more.done()
        more.cancel()
        got.close()


async def test_sixty_four_sessions_at_once_get_what_each_would_get_alone(tmp_path: Path) -> None:
    """In random interleavings, some of them with faults of their own; nobody's answer is anybody else's."""
    recorded = [one(number, "/n", b"%d" % number) for number in range(1, 6)] + [stream(6), stream(7)]
    stem, chance = taped(tmp_path, "tape", *recorded), draws("order")
    plain = ["1", "2", "3", "4", "5", *[b"".join(FRAMES).decode()] * 2]
    faulty = ["1", "2", "3", "4", "5", b"".join(FRAMES[1:]).decode(), b"".join(FRAMES).decode()]
    async with proxied(mode=Mode.REPLAY, cassette=(stem,)) as proxy, asking(proxy) as (api, client):

        async def walk(number: int) -> list[str]:
            faults = ["drop:event=1:times=1"] if number % 2 else []
            _, made = await api("POST", "", {"name": f"s{number}", "faults": faults})
            answers = []
            for path in ["/n"] * 5 + ["/v1/stream"] * 2:
                for _ in range(int(4 * next(chance))):
                    await asyncio.sleep(0)
                answers.append(await say(client, made["base_url"], path))
            return answers

        walks = await asyncio.gather(*map(walk, range(64)))
        passed = [(await api("GET", f"/s{number}/assert?played=all"))[0] for number in range(64)]
    assert walks == [faulty if number % 2 else plain for number in range(64)]
    assert passed == [200] * 64


async def test_faults_strike_in_auto_as_well(tmp_path: Path) -> None:
    asked: list[bytes] = []
    stem = taped(tmp_path, "tape", one(1, "/n", b"1"))
    async with (
        serving(answering_new(asked)) as url,
        proxied(url, mode=Mode.AUTO, cassette=(stem,), fault=("answer",)) as proxy,
    ):
        async with asking(proxy) as (_, client):
            async with client.post(f"{proxy.traffic.url}/n") as got:
                assert got.status == 429
            assert [await say(client, proxy.traffic.url, path) for path in ("/n", "/new")] == ["1", "new"]
    assert asked == [b"/new"]


async def test_auto_plays_several_cassettes_and_records_to_the_first(tmp_path: Path) -> None:
    known = (taped(tmp_path, "a", one(1, "/a", b"a")), taped(tmp_path, "b", one(1, "/b", b"b")))
    stems = (str(tmp_path / "new"), *known)
    async with serving(answering_new([])) as url, proxied(url, mode=Mode.AUTO, cassette=stems) as proxy:
        async with asking(proxy) as (_, client):
            assert [await say(client, proxy.traffic.url, path) for path in ("/b", "/a", "/c")] == ["b", "a", "new"]
        outcome = await proxy.close()
    assert outcome.sealed is not None
    assert (outcome.sealed.path.name, outcome.sealed.interactions) == ("new.tape.jsonl", 1)
