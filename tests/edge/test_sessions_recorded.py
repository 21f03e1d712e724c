"""Each recording session writes a cassette of its own."""

import os
from pathlib import Path

import aiohttp
import pytest

from support.proxied import proxied
from support.recordings import begun, watched
from support.tapes import JSON, KEY, STREAM, request
from wiretape.cassette.glance import NO_SECRETS
from wiretape.cassette.plan import Mode
from wiretape.edge.names import session_stem
from wiretape.edge.store import RecordOptions, journal_path, load, tape_path
from wiretape.exchange import Chunk, Ending, Head, How, Request


def of(session: str, method: str = "POST", target: str = "/v1/threads") -> Request:
    asked = request(method, target)
    return Request(asked.method, asked.target, asked.headers, asked.at_ns, asked.wall_ns, session=session)


@pytest.mark.parametrize(
    ("session", "name"),
    [
        ("default", "weather"),
        ("alice", "weather@alice"),
        ("../x", "weather@%2E%2E%2Fx"),
        ("a.000001", "weather@a%2E000001"),
        ("\u00e9", "weather@%C3%A9"),
    ],
)
def test_a_session_is_named_in_its_cassette_whatever_its_name(session: str, name: str) -> None:
    assert session_stem(Path("talks/weather"), session) == Path("talks") / name


def test_long_names_stay_apart_and_short_enough_for_a_file() -> None:
    names = {tape_path(session_stem(Path("w"), "\u20ac" * 119 + end)).name for end in "ab"}
    assert len(names) == 2
    assert all(len(name.encode()) < 200 for name in names)


def test_each_session_writes_its_own_cassette_with_its_own_numbers(tmp_path: Path) -> None:
    stem = tmp_path / "weather"
    recording = begun(stem)
    for session in ("default", "alice", "bob", "alice"):
        watched(recording.observer(of(session)), [session.encode()])
    sealed = recording.seal()
    assert (sealed.path, sealed.interactions) == (tape_path(stem), 1)
    assert sorted((one.path.name, one.interactions) for one in sealed.others) == [
        ("weather@alice.tape.jsonl", 2),
        ("weather@bob.tape.jsonl", 1),
    ]
    found = load(tape_path(session_stem(stem, "alice"))).interactions
    assert [(one.index, one.session, one.body) for one in found] == [(1, "alice", b"alice"), (2, "alice", b"alice")]


def test_the_secrets_of_one_session_are_numbered_without_the_others(tmp_path: Path) -> None:
    recording = begun(tmp_path / "w")
    for session, key in (("a", KEY), ("b", KEY[::-1])):
        asked = of(session)
        asked = Request(asked.method, asked.target, ((b"api-key", key),), asked.at_ns, asked.wall_ns, session=session)
        watched(recording.observer(asked), [b"{}"])
    recording.seal()
    for session in "ab":
        (one,) = load(tape_path(session_stem(tmp_path / "w", session))).interactions
        assert one.request_headers == ((b"api-key", b"{{secret:key#1}}"),)


def test_a_session_that_is_closed_is_sealed_with_its_last_exchange_and_may_begin_again(
    tmp_path: Path,
) -> None:
    stem = session_stem(tmp_path / "w", "a")
    recording = begun(tmp_path / "w")
    watched(recording.observer(of("a")), [b"1"])
    observer = recording.observer(of("a", "GET"))
    observer.head(Head(200, STREAM, 0))
    recording.close_session("a")
    recording.close_session("nobody")
    recording.close_session("default")
    watched(recording.observer(of("a")), [b"3"])
    recording.close_session("a")
    observer.chunk(Chunk(b"data: 2\n\n", 0))
    observer.end(Ending(How.COMPLETE, 0))
    while not tape_path(stem).exists():
        os.sched_yield()
    assert [one.body for one in load(tape_path(stem)).interactions] == [b"1", b"data: 2\n\n", b"3"]
    watched(recording.observer(of("a")), [b"4"])
    recording.seal()
    assert [one.body for one in load(tape_path(stem)).interactions] == [b"1", b"data: 2\n\n", b"3", b"4"]


def test_what_made_recording_quicker_is_forgotten_with_the_session(tmp_path: Path) -> None:
    recording = begun(tmp_path / "w")
    asked = Request("GET", "/v1/threads", ((b"api-key", KEY),), 0, 0, session="a")
    for _ in range(60):
        watched(recording.observer(asked), [b"{}"])
    recording.close_session("a")
    recording.seal()
    for secrets in recording._reels._secrets:
        assert not secrets.heads
        assert secrets.glance() is NO_SECRETS


def test_over_sessions_max_exchanges_of_one_more_are_counted_and_the_others_recorded(tmp_path: Path) -> None:
    recording = begun(tmp_path / "w", RecordOptions(journal_lag_s=0.001, sessions_max=2))
    for session in "abcadefault":
        watched(recording.observer(of("default" if session == "d" else session)), [b"{}"])
    sealed = recording.seal()
    assert recording.dropped == recording.counts["dropped"] == 6
    assert (sealed.interactions, sorted(one.interactions for one in sealed.others)) == (1, [1, 3])


def test_a_session_whose_cassette_is_damaged_is_not_recorded_and_says_why(tmp_path: Path) -> None:
    stem = session_stem(tmp_path / "w", "a")
    tape_path(stem).write_bytes(b"<<<<<<<\n")
    recording = begun(tmp_path / "w")
    for session in ("a", "a", "b"):
        watched(recording.observer(of(session)), [b"{}"], JSON)
    sealed = recording.seal()
    assert (recording.dropped, len(sealed.others)) == (2, 1)
    assert recording.reason is not None
    assert recording.reason.startswith(f"{tape_path(stem)}, line 1")
    assert not journal_path(stem).exists()


async def test_what_sessions_recorded_is_replayed_under_one_name(tmp_path: Path) -> None:
    cassette = (str(tmp_path / "w"),)
    async with proxied(mode=Mode.RECORD, cassette=cassette) as proxy:
        made = [await _made(proxy.traffic.url + prefix) for prefix in ("", "/s/alice", "/s/alice")]
        outcome = await proxy.close()
    assert outcome.sealed is not None
    assert [one.interactions for one in (outcome.sealed, *outcome.sealed.others)] == [1, 2]
    async with proxied(mode=Mode.REPLAY, cassette=cassette) as proxy:
        assert [await _made(proxy.traffic.url) for _ in range(3)] == made
    async with proxied(mode=Mode.REPLAY, cassette=(f"{cassette[0]}@alice",)) as proxy:
        assert [await _made(proxy.traffic.url) for _ in range(2)] == made[1:]


async def _made(url: str) -> str:
    headers = {"OpenAI-Beta": "assistants=v2", "Authorization": "Bearer any-key"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(f"{url}/v1/threads", json={}) as got:
        return str((await got.json())["id"])
