"""What is behind us: verified or not spoken to, one pool and its own limits for each, nothing followed or kept."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import support.proxied
from support.certificates import Authority
from support.proxied import proxied
from support.raw import Connection, exchange, serving
from wiretape.edge.upstream import UpstreamOptions

pytestmark = pytest.mark.usefixtures("by_each_engine")
CANARY = "sk-canary-in-the-clear"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ASK = (
    f"POST /v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {CANARY}\r\n"
    "Content-Length: 2\r\nConnection: close\r\n\r\n{}"
).encode()


def get(target: str = "/", *fields: str, close: bool = True) -> bytes:
    lines = [f"GET {target} HTTP/1.1", "Host: x", *fields, *(["Connection: close"] if close else [])]
    return "\r\n".join([*lines, "", ""]).encode()


def failure(got: bytes) -> tuple[int, str, str]:
    head, _, body = got.partition(b"\r\n\r\n")
    fault = json.loads(body)["error"]
    return int(head.split()[1]), fault["code"], fault["message"]


class Seen:
    """A script that answers every request, and keeps what came."""

    def __init__(self, answer: bytes = OK) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self.answer = answer

    async def __call__(self, connection: Connection) -> None:
        self.connections += 1
        while True:
            head, _ = await connection.request()
            self.heads.append(head)
            await connection.send(self.answer)


async def test_what_an_upstream_sends_and_no_client_gets_is_counted() -> None:
    seen = Seen(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2 + OK)
    async with serving(seen) as url, proxied(url) as proxy:
        assert (await exchange(proxy.traffic.url, ASK)).endswith(b"ok")
        told = (await exchange(proxy.admin.url, get("/metrics"))).decode()
    counted = 'wiretape_upstream_incidents_total{wiretape_reason="interim"} 2.0'
    assert (counted in told) == (support.proxied.ENGINE == "fast")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_an_upstream_with_a_valid_certificate_is_spoken_to(authority: Authority) -> None:
    seen = Seen()
    async with serving(seen, authority.server()) as url:
        async with proxied((UpstreamOptions(url=url, ca_file=authority.file),)) as proxy:
            assert (await exchange(proxy.traffic.url, ASK)).endswith(b"ok")
    assert len(seen.heads) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("expired", "certificate has expired"),
        ("wrong name", "IP address mismatch"),
        ("unknown authority", "unable to get local issuer certificate"),
        ("the system's authorities", "unable to get local issuer certificate"),
    ],
)
async def test_an_upstream_that_cannot_prove_who_it_is_gets_no_request(
    authority: Authority, tmp_path: Path, fault: str, reason: str
) -> None:
    name = "127.0.0.2" if fault == "wrong name" else "127.0.0.1"
    trusted = {
        "unknown authority": Authority(tmp_path, "another").file,
        "the system's authorities": None,
    }.get(fault, authority.file)
    seen = Seen()
    async with serving(seen, authority.server(name, expired=fault == "expired")) as url:
        async with proxied((UpstreamOptions(url=url, ca_file=trusted),)) as proxy:
            status, code, message = failure(await exchange(proxy.traffic.url, ASK))
    assert (status, code) == (502, "upstream_unreachable")
    assert reason in message
    assert seen.heads == []


async def test_a_client_certificate_is_shown_where_it_is_demanded(authority: Authority) -> None:
    seen = Seen()
    cert, key = authority.issued("wiretape.test")
    async with serving(seen, authority.server(demands=True)) as url:
        ours = UpstreamOptions(url=url, ca_file=authority.file, client_cert=cert, client_key=key)
        async with proxied((ours,)) as proxy:
            assert (await exchange(proxy.traffic.url, ASK)).endswith(b"ok")
        async with proxied((UpstreamOptions(url=url, ca_file=authority.file),)) as proxy:
            assert failure(await exchange(proxy.traffic.url, ASK))[:2] == (502, "upstream_unreachable")
    assert len(seen.heads) == 1


async def silent(connection: Connection) -> None:
    await connection.gone()


async def closing(connection: Connection) -> None:
    connection.writer.close()


async def resetting(connection: Connection) -> None:
    connection.reset()


async def answering_in_the_clear(connection: Connection) -> None:
    await connection.send(OK)
    await connection.gone()


async def alerting(connection: Connection) -> None:
    await connection.send(b"\x15\x03\x03\x00\x02\x02\x28")  # a fatal alert, handshake_failure (RFC 8446 section 6.2)
    await connection.gone()


@pytest.mark.parametrize("fault", [silent, closing, resetting, answering_in_the_clear, alerting])
async def test_a_handshake_that_fails_is_a_502_and_nothing_is_said_in_the_clear(
    authority: Authority, fault: Callable[[Connection], Awaitable[None]]
) -> None:
    said: list[bytes] = []

    async def script(connection: Connection) -> None:
        said.append(await connection.reader.read(65_536))
        await fault(connection)

    async with serving(script) as url:
        secured = UpstreamOptions(url=url.replace("http:", "https:"), ca_file=authority.file, connect_s=0.3)
        async with proxied((secured,)) as proxy:
            assert failure(await exchange(proxy.traffic.url, ASK))[:2] == (502, "upstream_unreachable")
    assert [piece[:2] for piece in said] == [b"\x16\x03"]  # one connection, one ClientHello, no second try
    assert CANARY.encode() not in said[0]


async def test_an_upstream_behind_a_unix_socket(tmp_path: Path) -> None:
    seen = Seen()
    path = str(tmp_path / "up")
    async with serving(seen, path=path) as url:
        async with proxied(url) as proxy:
            assert (await exchange(proxy.traffic.url, get("/v1/x"))).endswith(b"ok")
        table = UpstreamOptions(url="http://llm.test/base", socket=path, name="llm")
        async with proxied((table,)) as proxy:
            assert (await exchange(proxy.traffic.url, get("/v1/x"))).endswith(b"ok")
    assert [head.split(b"\r\n")[:2] for head in seen.heads] == [
        [b"GET /v1/x HTTP/1.1", b"Host: localhost"],
        [b"GET /base/v1/x HTTP/1.1", b"Host: llm.test"],
    ]


async def test_a_unix_socket_that_is_not_there_is_a_502_that_names_it(tmp_path: Path) -> None:
    async with proxied(f"unix:{tmp_path}/none") as proxy:
        status, code, message = failure(await exchange(proxy.traffic.url, get()))
    assert (status, code) == (502, "upstream_unreachable")
    assert message.startswith(f"unix:{tmp_path}/none could not be reached: ")


async def test_more_than_a_hundred_streams_reach_one_unix_socket(tmp_path: Path) -> None:
    """aiohttp's connectors have a limit of 100 unless told otherwise."""
    arrived = 0
    all_there = asyncio.Event()

    async def script(connection: Connection) -> None:
        nonlocal arrived
        await connection.request()
        arrived += 1
        if arrived == 101:
            all_there.set()
        await all_there.wait()
        await connection.send(OK)
        await connection.gone()

    async with serving(script, path=str(tmp_path / "up")) as url, proxied(url) as proxy:
        async with asyncio.timeout(20):
            got = await asyncio.gather(*(exchange(proxy.traffic.url, get()) for _ in range(101)))
    assert {one[-2:] for one in got} == {b"ok"}


async def test_each_upstream_has_a_pool_of_its_own() -> None:
    """Both names are one address: a shared pool would send the second upstream's requests down the first's."""
    seen = Seen()
    async with serving(seen) as url:
        both = (UpstreamOptions(url=url, name="a"), UpstreamOptions(url=url, name="b", prefix="/b"))
        async with proxied(both) as proxy:
            await exchange(proxy.traffic.url, get("/1", close=False) + get("/2", close=False) + get("/b/1"))
            await exchange(proxy.traffic.url, get("/3", close=False) + get("/b/2"))
    assert (len(seen.heads), seen.connections) == (5, 2)


async def test_each_upstream_has_timeouts_and_limits_of_its_own() -> None:
    async def late(connection: Connection) -> None:
        await connection.request()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(connection.gone(), 0.4)  # the fault is time itself
        await connection.send(b"HTTP/1.1 200 OK\r\nX-Long: %b\r\nContent-Length: 2\r\n\r\nok" % (b"x" * 20_000))
        await connection.gone()

    async with serving(late) as url:
        both = (
            UpstreamOptions(url=url, name="patient"),
            UpstreamOptions(url=url, name="hasty", prefix="/hasty", connect_s=0.05, first_byte_s=0.05),
            UpstreamOptions(url=url, name="narrow", prefix="/narrow", header_bytes_max=8_190),
        )
        async with proxied(both) as proxy:
            patient, hasty, narrow = await asyncio.gather(
                *(exchange(proxy.traffic.url, get(target)) for target in ("/", "/hasty", "/narrow"))
            )
    assert patient.endswith(b"ok")
    assert failure(hasty)[:2] == (504, "upstream_timeout")
    assert failure(narrow)[:2] == (502, "upstream_protocol_error")


async def test_an_upstream_that_fails_leaves_the_others_alone() -> None:
    seen = Seen()
    async with serving(seen) as url:
        both = (UpstreamOptions(url=url), UpstreamOptions(url="http://127.0.0.1:1", name="dead", prefix="/dead"))
        async with proxied(both) as proxy:
            assert failure(await exchange(proxy.traffic.url, get("/dead/x")))[0] == 502
            assert (await exchange(proxy.traffic.url, get("/live"))).endswith(b"ok")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_passed_on_and_never_followed(status: str) -> None:
    elsewhere = Seen()
    async with serving(elsewhere) as target:
        moved = Seen(f"HTTP/1.1 {status}\r\nLocation: {target}/x\r\nContent-Length: 0\r\n\r\n".encode())
        async with serving(moved) as url, proxied(url) as proxy:
            got = await exchange(proxy.traffic.url, ASK)
    assert got.startswith(f"HTTP/1.1 {status}\r\nLocation: {target}/x\r\n".encode())
    assert (len(moved.heads), elsewhere.connections) == (1, 0)


async def test_a_cookie_is_passed_on_and_never_kept() -> None:
    seen = Seen(b"HTTP/1.1 200 OK\r\nSet-Cookie: who=one; Path=/\r\nContent-Length: 2\r\n\r\nok")
    async with serving(seen) as url, proxied(url) as proxy:
        first = await exchange(proxy.traffic.url, get())
        await exchange(proxy.traffic.url, get("/", "Cookie: who=two"))
        await exchange(proxy.traffic.url, get())
    assert b"Set-Cookie: who=one; Path=/\r\n" in first
    assert [b"Cookie" in head for head in seen.heads] == [False, True, False]
    assert b"who=one" not in b"".join(seen.heads)


async def test_no_proxy_and_no_password_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stranger, seen = Seen(), Seen()
    async with serving(stranger) as proxy_of_the_environment, serving(seen) as url:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy_of_the_environment)
            monkeypatch.setenv(name.lower(), proxy_of_the_environment)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        async with proxied(url) as proxy:
            assert (await exchange(proxy.traffic.url, get())).endswith(b"ok")
    assert (stranger.connections, len(seen.heads)) == (0, 1)
    assert b"Authorization" not in seen.heads[0]


@pytest.mark.parametrize("ending", ["fin", "reset"])
async def test_a_post_is_never_sent_twice_also_where_a_kept_connection_has_died(ending: str) -> None:
    posts: list[bytes] = []

    async def script(connection: Connection) -> None:
        head, _ = await connection.request()
        posts.append(head)
        if len(posts) == 1:
            await connection.send(OK)
            posts.append((await connection.request())[0])
        if ending == "reset":
            connection.reset()

    async with serving(script) as url, proxied(url) as proxy:
        first = await exchange(proxy.traffic.url, ASK)
        second = await exchange(proxy.traffic.url, ASK)
    assert first.endswith(b"ok")
    assert failure(second)[:2] == (502, "upstream_unreachable")
    assert len(posts) == 2
