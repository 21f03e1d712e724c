"""The listeners as clients reach them: unix sockets, IPv6, TLS."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.certificates import Authority
from support.proxied import proxied
from support.raw import Connection, exchange, serving
from wiretape.edge.listen import EdgeOptions
from wiretape.edge.store import journal_path
from wiretape.errors import ConfigError

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def answering(connection: Connection) -> None:
    await connection.request()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await connection.gone()


async def asked_at(path: Path, request: bytes = GET) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()


@pytest.fixture
async def upstream() -> AsyncIterator[str]:
    async with serving(answering) as url:
        yield url


async def test_both_listeners_answer_on_unix_sockets_and_remove_them_at_the_end(tmp_path: Path, upstream: str) -> None:
    traffic, admin = tmp_path / "t", tmp_path / "a"
    async with proxied(upstream, listen=f"unix:{traffic}", admin=f"unix:{admin}") as proxy:
        assert (proxy.traffic.url, proxy.admin.url) == (f"unix:{traffic}", f"unix:{admin}")
        assert (await asked_at(traffic)).endswith(b"ok")
        assert (await asked_at(admin, GET.replace(b"/", b"/readyz", 1))).endswith(b"ready\n")
    assert not traffic.exists()
    assert not admin.exists()


async def test_a_unix_socket_has_the_mode_that_was_asked_for(tmp_path: Path, upstream: str) -> None:
    async with proxied(upstream, listen=f"unix:{tmp_path}/t", edge=EdgeOptions(socket_mode="0660")):
        assert (tmp_path / "t").lstat().st_mode & 0o777 == 0o660


async def test_the_socket_goes_when_the_drain_begins_so_that_a_successor_may_take_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t"
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection) -> None:
        await connection.request()
        asked.set()
        await go_on.wait()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
        await connection.gone()

    async with serving(slow) as url, proxied(url, listen=f"unix:{path}", drain_s=30.0) as proxy:
        inflight = asyncio.ensure_future(asked_at(path))
        await asked.wait()
        closing = asyncio.ensure_future(proxy.close())
        while path.exists():  # noqa: ASYNC110  one turn of the loop is all it takes
            await asyncio.sleep(0)
        async with serving(answering) as newer, proxied(newer, listen=f"unix:{path}"):
            go_on.set()
            await closing
            assert (await inflight).endswith(b"old")
            assert (await asked_at(path)).endswith(b"ok")


async def test_a_start_that_fails_leaves_no_socket(tmp_path: Path) -> None:
    stem = tmp_path / "talk"
    at = {"listen": f"unix:{tmp_path}/t", "admin": f"unix:{tmp_path}/no/a"}
    with pytest.raises(ConfigError, match="cannot listen on"):
        async with proxied(mode="record", cassette=(str(stem),), **at):
            pass
    assert not (tmp_path / "t").exists()
    assert not journal_path(stem).exists()


async def test_ipv6_is_listened_on_and_shown_in_brackets(upstream: str) -> None:
    async with proxied(upstream, listen="[::1]:0", admin="[::1]:0") as proxy:
        address = proxy.traffic.address
        assert proxy.traffic.url == f"http://[::1]:{address.port}"
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(GET)
        assert (await reader.read()).endswith(b"ok")
        writer.close()


async def test_an_ipv6_upstream_is_reached_and_named_in_brackets() -> None:
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(script, "::1", 0)
    url = f"http://[::1]:{server.sockets[0].getsockname()[1]}"
    async with server, proxied(url) as proxy:
        assert (await exchange(proxy.traffic.url, GET)).endswith(b"ok")
    assert f"Host: {url.removeprefix('http://')}\r\n".encode() in seen[0]


async def test_with_a_certificate_the_listener_speaks_tls_alone(tmp_path: Path, upstream: str) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issued()
    async with proxied(upstream, tls_cert=cert, tls_key=key) as proxy:
        assert proxy.traffic.url.startswith("https://127.0.0.1:")
        assert (await exchange(proxy.traffic.url, GET, authority.client())).endswith(b"ok")
        assert await exchange(proxy.traffic.url, GET) == b""
        with pytest.raises(ssl.SSLCertVerificationError):
            await exchange(proxy.traffic.url, GET, ssl.create_default_context())


async def test_a_handshake_that_never_ends_is_cut_and_counted(tmp_path: Path, upstream: str) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issued()
    edge = EdgeOptions(tls_handshake_s=0.3)
    async with proxied(upstream, tls_cert=cert, tls_key=key, edge=edge) as proxy:
        assert (await exchange(proxy.traffic.url, GET, authority.client())).endswith(b"ok")
        async with asyncio.timeout(5):
            assert await exchange(proxy.traffic.url, b"") == b""
            assert await exchange(proxy.traffic.url, b"\x16\x03\x01\x02\x00") == b""
            while sum(proxy.traffic.refused.values()) < 2:  # noqa: ASYNC110  counted when the time is up
                await asyncio.sleep(0)
        assert proxy.traffic.refused == {"handshake_failed": 2}
        address = proxy.traffic.address
        _, writer = await asyncio.open_connection(address.host, address.port)
    writer.transport.abort()


async def test_a_certificates_file_may_hold_its_key(tmp_path: Path, upstream: str) -> None:
    authority = Authority(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(Path(file).read_bytes() for file in authority.issued()))
    async with proxied(upstream, tls_cert=str(both)) as proxy:
        assert (await exchange(proxy.traffic.url, GET, authority.client())).endswith(b"ok")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
async def test_what_is_older_than_tls_1_2_is_not_spoken(tmp_path: Path, upstream: str) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issued()
    old = authority.client()
    old.set_ciphers("ALL:@SECLEVEL=0")  # else the client itself would refuse to be this old
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with proxied(upstream, tls_cert=cert, tls_key=key) as proxy:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await exchange(proxy.traffic.url, GET, old)


def _torn_at(
    port: int, client: ssl.SSLContext, request: bytes, telling: tuple[asyncio.AbstractEventLoop, asyncio.Event]
) -> str:
    """Read by blocking calls: asyncio's own streams take a cut TLS connection for an ended one."""
    loop, go_on = telling
    raw = socket.create_connection(("127.0.0.1", port))
    with client.wrap_socket(raw, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as tls:
        tls.sendall(request)
        got = b""
        try:
            while b"first" not in got:
                got += tls.recv(65_536)
            loop.call_soon_threadsafe(go_on.set)
            while piece := tls.recv(65_536):
                got += piece
        except OSError:
            return "reset"
        return "whole" if got.endswith(b"0\r\n\r\n") else "end without a last chunk"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_stream_that_tears_is_seen_to_tear_through_tls(tmp_path: Path, version: str) -> None:
    """TLS says goodbye in an orderly way, which a client of HTTP/1.0 would take for the end of the body."""
    authority = Authority(tmp_path)
    cert, key = authority.issued()
    go_on = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nfirst\r\n")
        await go_on.wait()

    request = f"GET / HTTP/{version}\r\nHost: x\r\n\r\n".encode()
    async with serving(script) as url, proxied(url, tls_cert=cert, tls_key=key) as proxy:
        port, client = proxy.traffic.address.port, authority.client()
        reading = asyncio.to_thread(_torn_at, port, client, request, (asyncio.get_running_loop(), go_on))
        assert await reading == ("reset" if version == "1.0" else "end without a last chunk")
