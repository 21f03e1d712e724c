"""Those that play back the same two answers, and how each is told what they are.

The answers are the upstream's own: its JSON, and a stream of its. What the load counts is then what was recorded.
"""

from __future__ import annotations

import base64
import json
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import machine
import peers
from contenders import Contender, Place, Running, Starter
from msgspec import Struct
from processes import answers, process, until, unused_port
from work import DELTAS

from wiretape.cassette.format import Ended, Header, Interaction, Tape
from wiretape.edge.store import write_tape

JSON_TYPE, STREAM_TYPE = "application/json", "text/event-stream"
JSON_TARGET, STREAM_TARGET = "/v1/assistants/asst_1", "/v1/threads/runs"
SILENT, AS_IT_IS = "wiretape", "wiretape, as it is"
PEERS = ("mitmproxy", "mountebank")
SILENCE = "[telemetry]\nenabled = false\n"
_ASKED = json.dumps({"stream": True, "instructions": f"deltas {DELTAS} pace_us 0"}).encode()


class Fixture(Struct, frozen=True):
    """One recorded answer to a GET."""

    target: str
    content_type: str
    body: bytes


def fixtures(url: str) -> tuple[Fixture, Fixture]:
    """Ask the upstream for both."""
    return (
        Fixture(JSON_TARGET, JSON_TYPE, _read(url + JSON_TARGET, None)),
        Fixture(STREAM_TARGET, STREAM_TYPE, _read(url + STREAM_TARGET, _ASKED)),
    )


def _read(url: str, data: bytes | None) -> bytes:
    asked = urllib.request.Request(url, data, {"Content-Type": JSON_TYPE})  # noqa: S310  our own upstream
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310  as above
        return bytes(answer.read())


def tape(played: tuple[Fixture, ...]) -> Tape:
    """Write both as a cassette."""
    return Tape(
        header=Header(), interactions=tuple(_interaction(index, one) for index, one in enumerate(played, start=1))
    )


def _interaction(index: int, one: Fixture) -> Interaction:
    frames = tuple(len(frame) + 2 for frame in one.body.split(b"\n\n")[:-1]) or (len(one.body),)
    return Interaction(
        index=index, method="GET", target=one.target, status=200, body=one.body, frames=frames, how=Ended.COMPLETE,
        headers=((b"Content-Type", one.content_type.encode()),), chunks=tuple((0, size) for size in frames),
    )  # fmt: skip


def har(played: tuple[Fixture, ...]) -> bytes:
    """Write both as a HAR file, which mitmproxy reads."""
    return json.dumps({"log": {"version": "1.2", "entries": list(map(_entry, played))}}).encode()


def _entry(one: Fixture) -> dict[str, object]:
    kept = {"size": len(one.body), "mimeType": one.content_type, "encoding": "base64"}
    headers = [{"name": "Content-Type", "value": one.content_type}]
    asked = {"method": "GET", "url": f"http://127.0.0.1{one.target}", "httpVersion": "HTTP/1.1", "cookies": []}
    return {
        "startedDateTime": "2026-01-01T00:00:00.000Z",
        "time": 1,
        "timings": {"send": 0, "wait": 1, "receive": 0},
        "request": {**asked, "headers": [], "queryString": [], "headersSize": -1, "bodySize": 0},
        "response": {
            "status": 200,
            "statusText": "OK",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": headers,
            "content": {**kept, "text": base64.b64encode(one.body).decode()},
            "headersSize": -1,
            "bodySize": len(one.body),
        },
    }


def imposter(port: int, played: tuple[Fixture, ...]) -> bytes:
    """Write both as mountebank's configuration; it closes each connection unless told to keep it."""
    stubs = [
        {
            "predicates": [{"equals": {"method": "GET", "path": one.target}}],
            "responses": [{"is": {"headers": _kept(one), "body": one.body.decode()}}],
        }
        for one in played
    ]
    return json.dumps({"imposters": [{"port": port, "protocol": "http", "stubs": stubs}]}).encode()


def _kept(one: Fixture) -> dict[str, str]:
    return {"Content-Type": one.content_type, "Connection": "keep-alive"}


def wiretape(settings: str, *flags: str) -> Starter:
    """Run `wiretape replay`."""

    @contextmanager
    def start(place: Place) -> Iterator[Running]:
        write_tape(tape(fixtures(place.url)), place.folder / "bench.tape.jsonl")
        file, ready, log = place.folder / "wiretape.toml", place.folder / "ready.json", place.folder / "log"
        file.write_text(settings)
        words = [sys.executable, "-m", "wiretape", "replay", str(place.folder / "bench"), "--config", str(file), *flags]
        if "--ledger" not in flags:
            words += ["--ledger", f"sqlite:///{place.folder}/ledger.db"]
        at = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", str(ready)]
        with process([*words, *at], core=machine.CONTENDER_CORE, log=log) as child:
            until(ready.exists, "wiretape replay", child, log)
            yield Running(int(json.loads(ready.read_text())["traffic"].rpartition(":")[2]), (child.pid,))

    return start


def _started(words: Callable[[int, Path, tuple[Fixture, ...]], list[str]], environ: Mapping[str, str]) -> Starter:
    @contextmanager
    def start(place: Place) -> Iterator[Running]:
        port, log = unused_port(), place.folder / "log"
        told = words(port, place.folder, fixtures(place.url))
        with process(told, core=machine.CONTENDER_CORE, log=log, environ=environ) as child:
            until(lambda: answers(port), told[0], child, log)
            yield Running(port, (child.pid,))

    return start


def _mitmproxy(port: int, folder: Path, played: tuple[Fixture, ...]) -> list[str]:
    file = folder / "bench.har"
    file.write_bytes(har(played))
    program = str(peers.program("mitmproxy", "mitmdump"))
    words = [program, "--mode", f"reverse:http://127.0.0.1:{unused_port()}", "--listen-host", "127.0.0.1", "--quiet"]
    words += ["--listen-port", str(port), "--server-replay", str(file)]
    options = {"server_replay_reuse": "true", "server_replay_extra": "kill", "connection_strategy": "lazy"}
    options |= dict.fromkeys(("server_replay_ignore_host", "server_replay_ignore_port"), "true")
    options |= {"confdir": str(folder), "server_replay_refresh": "false"}
    return words + [word for pair in options.items() for word in ("--set", "=".join(pair))]


def _mountebank(port: int, folder: Path, played: tuple[Fixture, ...]) -> list[str]:
    file = folder / "imposters.json"
    file.write_bytes(imposter(port, played))
    words = [str(peers.node_program("mountebank", "mb")), "start", "--port", str(unused_port()), "--localOnly"]
    return [*words, "--nologfile", "--noParse", "--configfile", str(file), "--pidfile", str(folder / "mb.pid")]


PLAYERS = (
    Contender(SILENT, "`wiretape replay`, telemetry off, no ledger", wiretape(SILENCE, "--ledger", "none")),
    Contender(AS_IT_IS, "`wiretape replay`, telemetry and ledger on", wiretape("")),
    Contender(
        "mitmproxy", "`--server-replay`, each answer kept, nothing refreshed", _started(_mitmproxy, {}), is_slow=True
    ),
    Contender(
        "mountebank",
        "an imposter with two stubs, connections kept",
        _started(_mountebank, {"MB_LOGLEVEL": "error"}),
        is_slow=True,
    ),
)
