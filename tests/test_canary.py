"""A key in every place where a client can put one appears in no file, log line, span or metric."""

import base64
import io
import json
import os
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from support.proxied import proxied
from support.raw import Connection, exchange, serving
from wiretape.cassette.plan import Mode

KEYS = {
    "a key that looks like one": "sk-proj-CanarY0123456789abcdefghijklmnopqrstuvWXYZ",
    "a key that only its place tells": "Kanari/env0gel+im~Bergwerk=",
}
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def basic(key: str) -> str:
    return base64.b64encode(f"user:{key}".encode()).decode()


def spellings(key: str) -> list[bytes]:
    plain = base64.b64encode(key.encode()).decode()
    return [text.rstrip("=").encode() for text in (key, quote(key, safe=""), plain, basic(key))]


def deltas(data: bytes) -> Iterator[bytes]:
    """The texts that a cassette's lines hold in pieces, joined: one for each interaction."""
    texts: dict[bytes, list[bytes]] = defaultdict(list)
    for index, part in re.findall(rb'"k":"ev","i":(\d+)[^\n]*"value":"([^"\n]*)"', data):
        texts[index].append(part)
    return (b"".join(parts) for parts in texts.values())


class Disk:
    """What a folder holds at each moment: before and after every call that writes, syncs, moves or cuts a file."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self.seen: set[bytes] = set()
        for name in ("pwrite", "write", "fsync", "replace", "rename", "ftruncate", "unlink"):
            monkeypatch.setattr(os, name, self._watched(getattr(os, name)))

    def look(self) -> None:
        for path in [path for path in self._folder.rglob("*") if path.is_file()]:
            try:
                self.seen.add(path.read_bytes())
            except FileNotFoundError:
                continue

    def holds(self, forms: list[bytes]) -> list[bytes]:
        texts = [text for data in self.seen for text in (data, *deltas(data))]
        return [form for form in forms if any(form in text for text in texts)]

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any, **named: Any) -> Any:
            self.look()
            done = call(*given, **named)
            self.look()
            return done

        return watched


def headers(key: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {key}",
        "api-key": key,
        "X-Api-Key": key,
        "Cookie": f"session={key}",
        "Proxy-Authorization": f"Basic {basic(key)}",
        "X-Whatever": key,
    }


def echoing(key: str) -> Callable[[Connection], Awaitable[None]]:
    """Say everything back: in fields, in JSON, in a stream cut inside the key, in an error's words."""

    async def echo(connection: Connection) -> None:
        while True:
            head, body = await connection.request()
            said = json.dumps({"head": head.decode("latin-1"), "body": body.decode("latin-1"), "key": key})
            await connection.send(_streamed(key, said) if b"stream" in head else _plain(key, said))

    return echo


def _streamed(key: str, said: str) -> bytes:
    failed = f'event: thread.run.failed\ndata: {{"id":"run_1","last_error":{{"code":"c","message":"{key}"}}}}\n\n'
    pieces = [failed[:80], failed[80:], *_in_deltas(key), f"event: {key}\ndata: {said}\n\n", f": {key}\n\n"]
    chunks = "".join(f"{len(piece.encode()):x}\r\n{piece}\r\n" for piece in pieces)
    kind = f"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nX-Echo: {key}\r\n"
    return f"HTTP/1.1 200 OK\r\n{kind}\r\n{chunks}0\r\n\r\n".encode()


def _in_deltas(key: str) -> Iterator[str]:
    """As a model says it: cut anywhere, plain and in base64."""
    for word in (key, basic(key), quote(key, safe="")):
        for part in ("It is ", word[:5], word[5:7], word[7:], ", I think. "):
            delta = {"content": [{"index": 0, "type": "text", "text": {"value": part}}]}
            data = json.dumps({"id": "msg_1", "delta": delta}, separators=(",", ":"))
            yield f"event: thread.message.delta\ndata: {data}\n\n"


def _plain(key: str, said: str) -> bytes:
    kind = f"Content-Type: application/json\r\nSet-Cookie: a={key}\r\nx-request-id: {key}\r\n"
    return f"HTTP/1.1 401 No\r\n{kind}Content-Length: {len(said.encode())}\r\n\r\n{said}".encode()


async def ask_everywhere(url: str, key: str) -> None:
    """Put the key into every place of a request."""
    in_url = quote(key, safe="")
    body = {"assistant_id": key, "model": key, "metadata": {"key": key}, "instructions": f"Use {key}."}
    kinds = (("json", body), ("data", f"api_key={in_url}&x=1"), ("data", base64.b64encode(key.encode())))
    runs = "/v1/threads/thread_1/runs"
    async with aiohttp.ClientSession(headers=headers(key), trust_env=False) as session:
        for kind, content in kinds:
            for target in (runs, f"{runs}?key={in_url}&stream=1", f"/v1/threads/{in_url}/runs?api_key={in_url}"):
                async with session.post(url + target, **{kind: content}) as got:
                    assert json.dumps(key)[1:-1].encode() in await got.read()
        form = aiohttp.FormData({"purpose": key, "api_key": key})
        form.add_field("file", f'{{"key": "{key}"}}\n', filename="x.jsonl", content_type="application/jsonl")
        async with session.post(url + "/v1/files", data=form) as got:
            assert got.status == 401
        for target in (f"/v1/assistants/{in_url}?sig={in_url}", f"/s/{quote(key[:9], safe='')}/x"):
            async with session.get(url + target) as got:
                assert got.status == 401


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.FORWARD])
async def test_a_key_leaves_towards_the_upstream_and_nowhere_else(
    mode: Mode, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path, monkeypatch)
    log, spans = io.StringIO(), InMemorySpanExporter()
    settings = {"cassette": (str(tmp_path / "talk"),), "ledger": f"sqlite:///{tmp_path}/ledger.db", "mode": mode}
    async with serving(echoing(key)) as url, proxied(url, log=log, exporter=spans, **settings) as proxy:
        await ask_everywhere(proxy.traffic.url, key)
        metrics = await exchange(proxy.admin.url, SCRAPE)
        await proxy.close()
    told = [log.getvalue().encode(), metrics, *(span.to_json().encode() for span in spans.get_finished_spans())]
    disk.look()
    assert len(spans.get_finished_spans()) >= 20
    assert [place for place in told for form in spellings(key) if form in place] == []
    assert disk.holds(spellings(key)) == []
    assert mode is Mode.FORWARD or len(disk.seen) > 5
    if mode is Mode.RECORD:
        assert disk.holds([b"{{secret:", b"It is {{secret:"]) == [b"{{secret:", b"It is {{secret:"]


async def test_a_key_that_an_answer_hands_out_is_not_in_the_sealed_file(tmp_path: Path) -> None:
    key = KEYS["a key that only its place tells"]
    async with serving(echoing(key)) as url, proxied(url, cassette=(str(tmp_path / "x"),), mode=Mode.RECORD) as proxy:
        for asked in ({}, {"Authorization": f"Bearer {key}"}):
            async with aiohttp.ClientSession(headers=asked, trust_env=False) as session:
                async with session.post(proxy.traffic.url + "/v1/stream", data="stream") as got:
                    assert key.encode() in await got.read()
        await proxy.close()
    (sealed,) = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert [form for form in spellings(key) for text in (sealed, *deltas(sealed)) if form in text] == []
