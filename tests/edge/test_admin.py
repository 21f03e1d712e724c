"""The admin listener: alive, ready, metrics; and what the proxy does while it stops."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from support.proxied import proxied
from support.raw import Connection, exchange, serving
from support.scenarios import asking, tool_run


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


async def test_alive_and_ready() -> None:
    async with proxied("http://127.0.0.1:1") as proxy:
        assert (await exchange(proxy.admin.url, get("/healthz"))).endswith(b"\r\n\r\nok\n")
        assert (await exchange(proxy.admin.url, get("/readyz"))).endswith(b"\r\n\r\nready\n")
        assert (await exchange(proxy.admin.url, get("/elsewhere"))).startswith(b"HTTP/1.1 404 ")


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
