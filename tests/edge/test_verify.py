"""Mode verify, over real sockets: forwards, compares by shape, stores nothing."""

import gzip
import json
from pathlib import Path

import pytest

from support.proxied import proxied
from support.raw import Connection, exchange, serving
from support.scenarios import Scenario, asking, sandboxed, text_run, tool_run
from wiretape.cassette.format import Ended, Header, Interaction, Tape
from wiretape.cassette.plan import Mode
from wiretape.edge.listen import EdgeOptions
from wiretape.edge.store import write_tape
from wiretape.telemetry.options import TelemetryOptions

REPORT = b"GET /api/sessions/default HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
JSON = ((b"Content-Type", b"application/json"),)


def post(target: str, body: bytes = b"", *fields: str) -> bytes:
    head = [f"POST {target} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*head, "", ""]).encode() + body


def taped(folder: Path, body: bytes = b'{"a": 1}') -> str:
    recorded = Interaction(index=1, method="POST", target="/x", status=200, headers=JSON, body=body, how=Ended.COMPLETE)
    write_tape(Tape(header=Header(), interactions=(recorded,)), folder / "tape.tape.jsonl")
    return str(folder / "tape")


async def verified(stem: str, answer: bytes, edge: EdgeOptions | None = None) -> tuple[bytes, tuple[str, ...], int]:
    """What the client got, the drift, and how many answers were not compared."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer)

    settings = {"mode": Mode.VERIFY, "cassette": (stem,), "edge": edge or EdgeOptions()}
    async with serving(script) as url, proxied(url, **settings) as proxy:
        got = await exchange(proxy.traffic.url, post("/x"))
        told = await exchange(
            proxy.admin.url, b"GET /api/sessions/default HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        outcome = await proxy.close()
    assert (outcome.refused, outcome.sealed) == (0, None)
    shown = json.loads(told.partition(b"\r\n\r\n")[2])
    return got, outcome.drift, shown["report"]["uncompared"]


def whole(body: bytes, *fields: str) -> bytes:
    head = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode() + body


@pytest.mark.parametrize("scenario", [text_run, tool_run])
async def test_the_same_server_with_other_ids_and_words_does_not_drift(tmp_path: Path, scenario: Scenario) -> None:
    stem = str(tmp_path / "talk")
    async with sandboxed(seed=1) as url, proxied(url, mode=Mode.RECORD, cassette=(stem,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await scenario(ask)
    before = sorted(tmp_path.iterdir())
    async with sandboxed(seed=2) as url, proxied(url, mode=Mode.VERIFY, cassette=(stem,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await scenario(ask)
        outcome = await proxy.close()
    assert (outcome.drift, outcome.unplayed) == ((), ())
    assert sorted(tmp_path.iterdir()) == before


async def test_another_shape_is_told_and_the_client_gets_what_is_live(tmp_path: Path) -> None:
    got, drift, _ = await verified(taped(tmp_path), whole(b'{"a": "1"}'))
    assert got.endswith(b'{"a": "1"}')
    assert drift == ("#1 POST /x: $.a: recorded number, live string",)


async def test_it_compares_where_nothing_else_looks_on(tmp_path: Path) -> None:
    off = {"telemetry": TelemetryOptions(enabled=False), "mode": Mode.VERIFY, "cassette": (taped(tmp_path),)}

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(whole(b'{"a": "1"}'))

    async with serving(script) as url, proxied(url, **off) as proxy:
        await exchange(proxy.traffic.url, post("/x"))
        outcome = await proxy.close()
    assert outcome.drift == ("#1 POST /x: $.a: recorded number, live string",)


async def test_a_compressed_answer_is_compared_by_what_it_says(tmp_path: Path) -> None:
    _, drift, uncompared = await verified(taped(tmp_path), whole(gzip.compress(b'{"a": 2}'), "Content-Encoding: gzip"))
    assert (drift, uncompared) == ((), 0)


@pytest.mark.parametrize(
    "answer",
    [
        whole(b'{"a": "' + b"1" * 90 + b'"}'),
        whole(gzip.compress(b"1" * 90), "Content-Encoding: gzip"),
        whole(b"{}", "Content-Encoding: br"),
        whole(b'{"a": "1"}')[:-1],
        b"no HTTP\r\n\r\n",
    ],
    ids=["too large", "too large decoded", "unknown coding", "torn", "no answer"],
)
async def test_what_cannot_be_compared_is_counted_and_is_no_drift(tmp_path: Path, answer: bytes) -> None:
    _, drift, uncompared = await verified(taped(tmp_path), answer, EdgeOptions(matched_body_max=60))
    assert (drift, uncompared) == ((), 1)


async def test_a_request_that_was_never_recorded_is_drift_and_is_forwarded(tmp_path: Path) -> None:
    async with sandboxed() as url, proxied(url, mode=Mode.VERIFY, cassette=(taped(tmp_path),)) as proxy:
        got = await exchange(proxy.traffic.url, post("/v1/threads", b"{}", "Content-Type: application/json"))
        outcome = await proxy.close()
    assert b" 401 " in got[:20]
    assert outcome.drift[0].startswith("No recorded answer for POST /v1/threads.")
    assert outcome.refused == 0


async def test_a_body_that_is_not_held_is_a_413(tmp_path: Path) -> None:
    small = EdgeOptions(matched_body_max=3)
    stem = taped(tmp_path)
    async with proxied("http://127.0.0.1:1", mode=Mode.VERIFY, cassette=(stem,), edge=small) as proxy:
        got = await exchange(proxy.traffic.url, post("/x", b"long"))
    assert b" 413 " in got[:20]
