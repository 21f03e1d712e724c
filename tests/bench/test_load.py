"""The two C programs of the benchmark count what was sent, and see what was not."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

Ask = Callable[..., dict[str, Any]]
SAID = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{ }\n"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        from processes import Missing, compiled
    try:
        return compiled(tmp_path_factory.mktemp("bench"))
    except Missing as missing:
        pytest.skip(f"the load of the benchmark: {missing}")


@pytest.fixture(scope="module")
def port(programs: Path) -> Iterator[int]:
    words = [str(programs / "upstream")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as upstream:
        assert upstream.stdout is not None
        yield int(upstream.stdout.readline())
        upstream.communicate()


@pytest.fixture
def ask(programs: Path) -> Ask:
    def run(port: int, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [programs / "load", str(port), *words], stdin=subprocess.DEVNULL, capture_output=True, check=True
        )
        return dict(json.loads(done.stdout))

    return run


def errors(said: dict[str, Any]) -> dict[str, int]:
    return {kind: count for kind, count in said["errors"].items() if count}


def test_json_answers_are_counted(ask: Ask, port: int) -> None:
    said = ask(port, "json", "4", "each=25")
    assert (said["requests"], said["bytes"], errors(said)) == (100, 120_000, {})


def test_each_event_of_each_stream_is_counted(ask: Ask, port: int) -> None:
    said = ask(port, "stream", "3", "deltas=200", "each=2")
    assert (said["requests"], said["events"], errors(said)) == (6, 6 * 207, {})


def test_a_stream_that_is_asked_for_by_get_is_counted_as_well(ask: Ask, port: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        import players
    stream = players.fixtures(f"http://127.0.0.1:{port}")[1]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(stream.body)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Thread(target=_answer_once, args=(listener, head + stream.body))
        server.start()
        said = ask(listener.getsockname()[1], "stream", "1", "by_get=1")
        server.join()
    assert (said["events"], errors(said)) == (207, {})
    assert errors(ask(port, "stream", "1", "by_get=1")) == {"wrong": 1}  # this one streams by POST alone


def test_a_stream_longer_than_any_buffer_is_whole(ask: Ask, port: int) -> None:
    said = ask(port, "stream", "1", "deltas=20000")
    assert (said["events"], errors(said)) == (20_007, {})


def test_a_paced_stream_takes_its_time_and_tells_the_delay_of_its_events(ask: Ask, port: int) -> None:
    said = ask(port, "stream", "2", "deltas=5", "pace_us=20000")
    assert (said["events"], errors(said)) == (24, {})
    assert said["wall_s"] >= 0.1
    assert 0 < said["delay_p50_us"] <= said["delay_p99_us"]


def test_uploads_arrive_whole(ask: Ask, port: int) -> None:
    said = ask(port, "upload", "2", "bytes=3000000", "each=2")
    assert (said["requests"], errors(said)) == (4, {})


def test_idle_connections_are_held(ask: Ask, port: int) -> None:
    said = ask(port, "idle", "100")
    assert (said["requests"], errors(said)) == (100, {})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(SAID, "wrong", id="another body"),
        pytest.param(SAID.replace(b"200 OK", b"503 No"), "status", id="another status"),
        pytest.param(SAID[:-1], "torn", id="torn"),
        pytest.param(b"", "torn", id="nothing"),
    ],
)
@pytest.mark.parametrize("work", ["json", "stream", "upload"])
def test_what_is_not_whole_is_an_error(ask: Ask, work: str, answer: bytes, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Thread(target=_answer_once, args=(listener, answer))
        server.start()
        said = ask(listener.getsockname()[1], work, "1", "bytes=10", "deltas=3")
        server.join()
    assert (said["requests"], errors(said)) == (0, {kind: 1})


def test_nobody_there_is_an_error(ask: Ask) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        assert errors(ask(unheard.getsockname()[1], "json", "3")) == {"refused": 3}


def _answer_once(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(answer)
