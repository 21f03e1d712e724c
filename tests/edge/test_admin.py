"""The admin listener: alive, ready, metrics; and what the proxy does while it stops."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from support.proxied import proxied
from support.raw import Connection, exchange, serving
from support.scenarios import asking, tool_run
from wiretape.app import Proxy
from wiretape.edge import listen
from wiretape.edge.address import Address, reserve
from wiretape.edge.admin import Health, admin
from wiretape.edge.guard import RULES, Guard, Rule
from wiretape.edge.session_api import SessionApi


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


async def test_alive_and_ready() -> None:
    async with proxied("http://127.0.0.1:1") as proxy:
        assert (await exchange(proxy.admin.url, get("/healthz"))).endswith(b"\r\n\r\nok\n")
        assert (await exchange(proxy.admin.url, get("/readyz"))).endswith(b"\r\n\r\nready\n")
        assert (await exchange(proxy.admin.url, ask("/elsewhere"))).startswith(b"HTTP/1.1 404 ")


async def scraped(url: str, until: bytes) -> str:
    """Scrape until the sinks' threads have come so far."""
    async with asyncio.timeout(10):
        while until not in (got := await exchange(url, get("/metrics"))):
            pass
    return got.partition(b"\r\n\r\n")[2].decode()


async def test_metrics_tell_of_a_run_once() -> None:
    async with proxied() as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await tool_run(ask)
        text = await scraped(proxy.admin.url, b"wiretape_runs_total")
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    runs = [(one.labels["wiretape_run_outcome"], one.value) for one in samples if one.name == "wiretape_runs_total"]
    assert runs == [("completed", 1.0)]


async def test_while_it_drains_it_is_not_ready_and_refuses_what_is_new() -> None:
    """What is in flight ends as if nothing had happened."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        asked.set()
        await go_on.wait()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await connection.gone()

    async with serving(script) as url, proxied(url, drain_s=30.0) as proxy:
        host, port = proxy.traffic.address.host, proxy.traffic.address.port
        reader, writer = await asyncio.open_connection(host, port)
        idle_reader, idle_writer = await asyncio.open_connection(host, port)
        writer.write(get("/"))
        await asked.wait()
        closing = asyncio.ensure_future(proxy.close())
        while not proxy.draining:  # noqa: ASYNC110  one turn of the loop is all it takes
            await asyncio.sleep(0)
        idle_writer.write(get("/new"))
        assert b'"code":"shutting_down"' in await idle_reader.read()
        assert (await exchange(proxy.admin.url, get("/readyz"))).startswith(b"HTTP/1.1 503 ")
        go_on.set()
        assert (await reader.read()).endswith(b"ok")
        await closing
        writer.close()
        idle_writer.close()


TOKEN = "a-token-of-sixteen-or-more"
BEARER = f"Authorization: Bearer {TOKEN}"
ROUTES = sorted(RULES)
GUARDED = [path for path, rule in RULES.items() if rule is Rule.GUARDED]


def application() -> web.Application:
    return admin(Health(lambda: True, lambda _: (b"", "text/plain"), dict, SessionApi(None, str)), Guard())


def test_every_route_has_a_rule_and_what_is_open_changes_nothing() -> None:
    routes = list(application().router.routes())
    paths = {route.resource.canonical for route in routes if route.resource}
    assert len(paths) == len(application().router.resources())
    assert paths == set(RULES)
    opened = [route for route in routes if route.resource and RULES[route.resource.canonical] is Rule.OPEN]
    assert {route.method for route in opened} == {"GET", "HEAD"}


def ask(path: str, *fields: str, host: str = "localhost") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *fields, "Connection: close", "", ""]).encode()


async def status(proxy: Proxy, request: bytes) -> tuple[int, str]:
    head, _, body = (await exchange(proxy.admin.url, request)).partition(b"\r\n\r\n")
    code = json.loads(body)["error"]["code"] if b"X-Wiretape-Error" in head else ""
    return int(head.split()[1]), code


@pytest.mark.parametrize("path", ROUTES)
async def test_every_route_keeps_its_rule(path: str) -> None:
    """Open ones answer whoever asks; guarded ones a name of ours, our own site and the token alone."""
    strangers = [
        (ask(path, BEARER, host="evil.test"), (403, "admin_forbidden")),
        (ask(path, BEARER, "Origin: http://evil.test"), (403, "admin_forbidden")),
        (ask(path, BEARER, "Sec-Fetch-Site: cross-site"), (403, "admin_forbidden")),
        (ask(path), (401, "admin_unauthorized")),
        (ask(path, "Authorization: Bearer wrong"), (401, "admin_unauthorized")),
    ]
    async with proxied("http://127.0.0.1:1", admin_token=TOKEN) as proxy:
        admitted, _ = await status(proxy, ask(path, BEARER))
        assert admitted not in {401, 403}
        for request, refused in strangers:
            assert await status(proxy, request) == (refused if path in GUARDED else (200, ""))


async def test_a_path_that_leads_nowhere_tells_a_stranger_no_more_than_one_that_does() -> None:
    async with proxied("http://127.0.0.1:1", admin_token=TOKEN) as proxy:
        nowhere, somewhere = [await exchange(proxy.admin.url, ask(path)) for path in ("/api/nope", "/api/state")]
        assert nowhere.partition(b"\r\nDate")[0] == somewhere.partition(b"\r\nDate")[0]
        assert nowhere.partition(b"\r\n\r\n")[2] == somewhere.partition(b"\r\n\r\n")[2]
        assert b"\r\nWWW-Authenticate: Bearer\r\n" in nowhere
        assert await status(proxy, ask("/api/nope", BEARER)) == (404, "")


async def test_the_state_tells_mode_upstreams_and_counts() -> None:
    async with proxied("http://127.0.0.1:1/base") as proxy:
        head, _, body = (await exchange(proxy.admin.url, ask("/api/state"))).partition(b"\r\n\r\n")
    told: dict[str, Any] = json.loads(body)
    assert (told["mode"], told["draining"]) == ("forward", False)
    assert told["upstreams"] == [{"name": "default", "prefix": "/", "place": "http://127.0.0.1:1/base"}]
    assert (told["counts"]["streams_active"], told["counts"]["runs_open"]) == (0, 0)
    assert b"Cache-Control: no-store" in head


async def test_beyond_loopback_a_token_is_made_once_and_asked_for() -> None:
    async with proxied("http://127.0.0.1:1", admin="0.0.0.0:0") as proxy:
        assert proxy.token_made is not None
        assert len(proxy.token_made) >= 40
        url = f"http://127.0.0.1:{proxy.admin.address.port}"
        assert b" 401 " in (await exchange(url, ask("/api/state")))[:20]
        assert b" 200 " in (await exchange(url, ask("/api/state", f"Authorization: Bearer {proxy.token_made}")))[:20]
        assert b" 200 " in (await exchange(url, ask("/readyz", host="10.1.2.3")))[:20]
    async with proxied("http://127.0.0.1:1", admin="0.0.0.0:0", admin_token=TOKEN) as proxy:
        assert proxy.token_made is None


async def test_a_name_of_ones_own_is_answered_when_it_is_in_the_list() -> None:
    async with proxied("http://127.0.0.1:1", admin_hosts=("Wiretape.internal",)) as proxy:
        assert await status(proxy, ask("/api/state", host="wiretape.internal:8788")) == (200, "")
        assert await status(proxy, ask("/api/state", host="wiretape.internal.evil.test")) == (403, "admin_forbidden")


async def test_a_unix_sockets_mode_is_enough(tmp_path: Path) -> None:
    async with proxied("http://127.0.0.1:1", admin=f"unix:{tmp_path}/a") as proxy:
        assert proxy.token_made is None
        reader, writer = await asyncio.open_unix_connection(f"{tmp_path}/a")
        writer.write(ask("/api/state"))
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


@pytest.mark.parametrize("broken", [BEARER + "\x01", BEARER.replace(":", " :"), BEARER + "x" * 9_000])
async def test_a_broken_request_leaves_no_token_in_the_log(caplog: pytest.LogCaptureFixture, broken: str) -> None:
    async with proxied("http://127.0.0.1:1", admin_token=TOKEN) as proxy:
        assert (await exchange(proxy.admin.url, ask("/api/state", broken))).startswith(b"HTTP/1.0 400 ")
    assert TOKEN not in caplog.text


async def test_a_mistake_of_ours_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    failing = Health(lambda: True, lambda _: (b"", "text/plain"), lambda: {}["ours"], SessionApi(None, str))
    listener = await listen.application(admin(failing, Guard()), reserve(Address("127.0.0.1", 0)))
    assert (await exchange(listener.url, ask("/api/state"))).startswith(b"HTTP/1.1 500 ")
    await listener.close()
    assert "KeyError: 'ours'" in caplog.text
