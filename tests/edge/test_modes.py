"""What each mode does with a request, over real sockets."""

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from support.proxied import proxied
from support.raw import Connection, answering_new, exchange, serving
from support.scenarios import asking, sandboxed, text_run
from wiretape.cassette.format import Ended, Header, Interaction, Tape
from wiretape.cassette.plan import Mode
from wiretape.edge.listen import EdgeOptions
from wiretape.edge.sessions import SessionOptions
from wiretape.edge.store import load, tape_path, write_tape
from wiretape.edge.upstream import UpstreamOptions
from wiretape.exchange import How
from wiretape.testing import CollectingSink

STREAM = ((b"Content-Type", b"text/event-stream"),)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
FRAMES = (b"event: a\ndata: 1\n\n", b"event: b\ndata: 2\n\n")


def get(target: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: x", "Connection: close", *fields, "", ""]).encode()


def streamed(target: str, how: Ended = Ended.COMPLETE, gaps_ms: tuple[int, ...] = (0, 0)) -> Interaction:
    return Interaction(
        index=1, method="GET", target=target, status=200, headers=STREAM, body=b"".join(FRAMES), how=how,
        frames=tuple(map(len, FRAMES)), chunks=tuple(zip(gaps_ms, map(len, FRAMES), strict=True)),
    )  # fmt: skip


def taped(folder: Path, *interactions: Interaction) -> str:
    write_tape(Tape(header=Header(), interactions=interactions), folder / "tape.tape.jsonl")
    return str(folder / "tape")


def body_of(got: bytes) -> bytes:
    return got.partition(b"\r\n\r\n")[2]


async def test_replay_ends_a_torn_stream_by_a_tear(tmp_path: Path) -> None:
    stem = taped(tmp_path, streamed("/torn", Ended.UPSTREAM_FAILED))
    async with proxied(mode=Mode.REPLAY, cassette=(stem,)) as proxy:
        got = await exchange(proxy.traffic.url, get("/torn").replace(b"Connection: close\r\n", b""))
    assert all(frame in got for frame in FRAMES)
    assert not got.endswith(b"0\r\n\r\n")


async def test_replay_is_silent_where_the_client_had_left_until_the_client_goes(tmp_path: Path) -> None:
    stem = taped(tmp_path, streamed("/left", Ended.CLIENT_LEFT))
    async with proxied(mode=Mode.REPLAY, cassette=(stem,)) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get("/left"))
        await reader.readuntil(FRAMES[1])
        await reader.readline()
        more = asyncio.ensure_future(reader.read(1))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not more.done()
        writer.close()
        await more


async def test_replay_at_speed_keeps_each_pieces_own_deadline(tmp_path: Path) -> None:
    """At twice the speed the second piece, 200 ms after the first, comes no earlier than 100 ms."""
    stem = taped(tmp_path, streamed("/paced", gaps_ms=(0, 200)))
    loop = asyncio.get_running_loop()
    async with proxied(mode=Mode.REPLAY, cassette=(stem,), speed=2.0) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        begun = loop.time()
        writer.write(get("/paced"))
        await reader.readuntil(FRAMES[0])
        await reader.readuntil(FRAMES[1])
        assert loop.time() - begun >= 0.1
        writer.close()


async def test_a_client_that_waits_for_a_slow_recording_is_no_client_that_takes_nothing(tmp_path: Path) -> None:
    """Silence four times as long as the send deadline, before the first piece and between two."""
    stem, edge = taped(tmp_path, streamed("/slow", gaps_ms=(400, 800))), EdgeOptions(send_idle_s=0.1)
    collector = CollectingSink()
    async with proxied(mode=Mode.REPLAY, cassette=(stem,), speed=1.0, edge=edge, sinks=(collector,)) as proxy:
        got = await exchange(proxy.traffic.url, get("/slow"))
        await proxy.close()
    assert got.endswith(b"0\r\n\r\n")
    assert [(one.how, one.code) for one in collector.exchanges] == [(How.COMPLETE, None)]


FAULTS = {
    "torn": (How.UPSTREAM_FAILED, "upstream_torn", b"HTTP/1.1 200 "),
    "reset": (How.UPSTREAM_FAILED, "upstream_unreachable", b"HTTP/1.1 502 "),
    "late": (How.UPSTREAM_FAILED, "upstream_timeout", b"HTTP/1.1 504 "),
}


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.REWRITE, Mode.AUTO])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("by_each_engine")
async def test_a_fault_of_the_upstream_is_passed_on_and_recorded_for_what_it_was(
    tmp_path: Path, mode: Mode, fault: str
) -> None:
    """Only what began can be played: a torn answer tears again, the others are refusals of ours."""
    asked = 0

    async def script(connection: Connection) -> None:
        nonlocal asked
        await connection.request()
        asked += 1
        if fault == "torn":
            await connection.send(HEAD, b"%x\r\n%b\r\n" % (len(FRAMES[0]), FRAMES[0]))
        elif fault == "reset":
            connection.reset()
        else:
            await connection.gone()

    stem, collector = str(tmp_path / "talk"), CollectingSink()
    async with serving(script) as url:
        behind = (UpstreamOptions(url=url, first_byte_s=0.1, connect_s=0.1),)
        async with proxied(behind, mode=mode, cassette=(stem,), sinks=(collector,)) as proxy:
            got = await exchange(proxy.traffic.url, get("/x").replace(b"GET", b"POST"))
            outcome = await proxy.close()
    how, code, begin = FAULTS[fault]
    assert [(one.how, one.code) for one in collector.exchanges] == [(how, code)]
    assert got.startswith(begin)
    assert asked == 1
    recorded = load(outcome.sealed.path).interactions if outcome.sealed else ()
    assert [(one.status, one.how, one.body) for one in recorded if one.status] == (
        [(200, Ended.UPSTREAM_FAILED, FRAMES[0])] if fault == "torn" else []
    )
    if fault == "torn":
        assert not got.endswith(b"0\r\n\r\n")
        async with proxied(mode=Mode.REPLAY, cassette=(stem,)) as proxy:
            again = await exchange(proxy.traffic.url, get("/x").replace(b"GET", b"POST"))
        assert body_of(again).startswith(body_of(got).rstrip())


async def test_a_miss_is_a_501_that_names_the_nearest_and_reaches_no_network(tmp_path: Path) -> None:
    stem = taped(tmp_path, streamed("/v1/known?a=1"))
    async with proxied("http://127.0.0.1:1", mode=Mode.REPLAY, cassette=(stem,)) as proxy:
        got = await exchange(proxy.traffic.url, get("/v1/known?a=2"))
        outcome = await proxy.close()
    assert got.startswith(b"HTTP/1.1 501 ")
    fault = json.loads(body_of(got))["error"]
    assert fault["code"] == "cassette_miss"
    assert "/v1/known?a=1" in fault["message"]
    assert (outcome.refused, outcome.unplayed) == (1, ("GET /v1/known?a=1",))


async def test_sessions_are_told_apart_by_path_and_by_header(tmp_path: Path) -> None:
    first = Interaction(index=1, method="POST", target="/n", status=200, body=b"1", how=Ended.COMPLETE)
    second = Interaction(index=2, method="POST", target="/n", status=200, body=b"2", how=Ended.COMPLETE)
    post = get("/n").replace(b"GET", b"POST")
    async with proxied(mode=Mode.REPLAY, cassette=(taped(tmp_path, first, second),)) as proxy:
        url = proxy.traffic.url
        answers = [
            body_of(await exchange(url, request))
            for request in (
                post,
                post.replace(b"/n", b"/s/a/n"),
                get("/n", "X-Wiretape-Session: a").replace(b"GET", b"POST"),
                post,
                post.replace(b"/n", b"/s/b/n"),
            )
        ]
    assert answers == [b"1", b"1", b"2", b"2", b"1"]


async def test_one_session_too_many_is_a_503(tmp_path: Path) -> None:
    stem = taped(tmp_path, streamed("/x"))
    async with proxied(mode=Mode.REPLAY, cassette=(stem,), sessions=SessionOptions(sessions_max=1)) as proxy:
        assert b" 200 " in (await exchange(proxy.traffic.url, get("/s/a/x")))[:20]
        got = await exchange(proxy.traffic.url, get("/s/b/x"))
    assert b"1 sessions are open (sessions_max)" in got


async def test_a_body_that_is_too_large_to_match_is_a_413(tmp_path: Path) -> None:
    stem = taped(tmp_path, streamed("/x"))
    post = get("/x", "Content-Length: 11").replace(b"GET", b"POST") + b"x" * 11
    async with proxied(mode=Mode.REPLAY, cassette=(stem,), edge=EdgeOptions(matched_body_max=10)) as proxy:
        got = await exchange(proxy.traffic.url, post)
    assert got.startswith(b"HTTP/1.1 413 ")
    assert b"matched_body_max" in got


async def test_a_body_that_decodes_to_too_much_is_a_413(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(65 << 20))
    head = get("/x", "Content-Encoding: gzip", f"Content-Length: {len(bomb)}").replace(b"GET", b"POST")
    async with proxied(mode=Mode.REPLAY, cassette=(taped(tmp_path, streamed("/x")),)) as proxy:
        got = await exchange(proxy.traffic.url, head + bomb)
    assert got.startswith(b"HTTP/1.1 413 ")


async def test_auto_plays_what_it_knows_and_records_what_it_does_not(tmp_path: Path) -> None:
    asked: list[bytes] = []
    stem = taped(tmp_path, streamed("/known"))
    async with serving(answering_new(asked)) as url, proxied(url, mode=Mode.AUTO, cassette=(stem,)) as proxy:
        known = await exchange(proxy.traffic.url, get("/known"))
        new = await exchange(proxy.traffic.url, get("/new"))
        outcome = await proxy.close()
    assert FRAMES[0] in known
    assert body_of(new) == b"new"
    assert asked == [b"/new"]
    assert outcome.sealed is not None
    assert [one.target for one in load(outcome.sealed.path).interactions] == ["/known", "/new"]


async def test_auto_begins_a_cassette_that_is_not_there(tmp_path: Path) -> None:
    async with sandboxed() as url, proxied(url, mode=Mode.AUTO, cassette=(str(tmp_path / "new"),)) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await text_run(ask)
        outcome = await proxy.close()
    assert outcome.sealed is not None
    assert outcome.sealed.interactions == 7


async def test_auto_never_forwards_a_request_that_names_a_replayed_id(tmp_path: Path) -> None:
    thread = "thread_0123456789abcdefghijklmn"
    made = Interaction(
        index=1, method="POST", target="/v1/threads", status=200, how=Ended.COMPLETE,
        headers=((b"Content-Type", b"application/json"),), body=f'{{"id": "{thread}"}}'.encode(),
    )  # fmt: skip
    settings = {"cassette": (taped(tmp_path, made),), "edge": EdgeOptions(matched_body_max=10)}
    async with proxied("http://127.0.0.1:1", mode=Mode.AUTO, **settings) as proxy:
        await exchange(proxy.traffic.url, get("/v1/threads").replace(b"GET", b"POST"))
        got = await exchange(proxy.traffic.url, get(f"/v1/threads/{thread}"))
        large = get(f"/v1/threads/{thread}/messages", "Content-Length: 11").replace(b"GET", b"POST") + b"x" * 11
        refused = await exchange(proxy.traffic.url, large)
        tried = await exchange(proxy.traffic.url, large.replace(thread.encode(), b"other"))
    for one in (got, refused):
        assert one.startswith(b"HTTP/1.1 501 ")
        assert f"Not passed on: {thread} was replayed, so no upstream knows it. No recorded answer".encode() in one
    assert tried.startswith(b"HTTP/1.1 502 ")


async def test_rewrite_records_anew_over_an_old_cassette(tmp_path: Path) -> None:
    stem = taped(tmp_path, streamed("/old"))
    async with sandboxed() as url, proxied(url, mode=Mode.REWRITE, cassette=(stem,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await ask("POST", "/v1/threads", {})
    assert [one.target for one in load(tape_path(Path(stem))).interactions] == ["/v1/threads"]


async def test_a_client_that_leaves_is_recorded_as_having_left(tmp_path: Path) -> None:
    released = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        await connection.send(head + b"%x\r\n%b\r\n" % (len(FRAMES[0]), FRAMES[0]))
        await connection.gone()
        released.set()

    stem = str(tmp_path / "left")
    async with serving(script) as url, proxied(url, mode=Mode.RECORD, cassette=(stem,)) as proxy:
        reader, writer = await asyncio.open_connection(proxy.traffic.address.host, proxy.traffic.address.port)
        writer.write(get("/x"))
        await reader.readuntil(FRAMES[0])
        writer.close()
        await released.wait()
        outcome = await proxy.close()
    assert outcome.sealed is not None
    (only,) = load(outcome.sealed.path).interactions
    assert (only.how.value, only.body) == (How.CLIENT_LEFT.value, FRAMES[0])


async def test_our_server_timing_is_told_in_every_mode_and_never_recorded(tmp_path: Path) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nServer-Timing: db;dur=5\r\nContent-Length: 2\r\n\r\nok")
        await connection.gone()

    stem, timed = str(tmp_path / "talk"), EdgeOptions(server_timing=True)
    async with serving(script) as url, proxied(url, mode=Mode.RECORD, cassette=(stem,), edge=timed) as proxy:
        recorded = await exchange(proxy.traffic.url, get("/x"))
    async with proxied(mode=Mode.REPLAY, cassette=(stem,), edge=timed) as proxy:
        replayed = await exchange(proxy.traffic.url, get("/x"))
        missed = await exchange(proxy.traffic.url, get("/y"))
    answers = recorded, replayed, missed
    assert [got.count(b"Server-Timing: wiretape;dur=") for got in answers] == [1, 1, 1]
    assert missed.startswith(b"HTTP/1.1 501 ")
    assert b"wiretape;dur" not in tape_path(tmp_path / "talk").read_bytes()
