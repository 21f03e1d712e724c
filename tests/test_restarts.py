"""A run that outlives its proxy, stopped or killed between two of its streams: one span tree, one row, one count."""

import asyncio
import json
import re
import signal
import sqlite3
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from support.collector import Collector, a_collector
from support.command import running
from support.proxied import proxied
from support.raw import exchange
from support.scenarios import HEADERS, WEATHER, Ask, asking
from wiretape.app import start_sandbox
from wiretape.edge.address import Address
from wiretape.sandbox.options import SandboxOptions
from wiretape.testing import CollectingSink

KEY = HEADERS["Authorization"].removeprefix("Bearer ").encode()


class Waiting(Struct, frozen=True):
    """A run that waits for its client."""

    thread: str
    run: str
    calls: tuple[str, ...]

    async def go_on(self, ask: Ask) -> None:
        outputs = [{"tool_call_id": call, "output": '{"sky":"clear"}'} for call in self.calls]
        where = f"/v1/threads/{self.thread}/runs/{self.run}/submit_tool_outputs"
        answer = await ask("POST", where, {"tool_outputs": outputs, "stream": True})
        assert answer.events()[-2][0] == "thread.run.completed"


async def begun(ask: Ask) -> Waiting:
    """Stream a run up to the function call that it waits for."""
    asked = {"model": "gpt-4o-mini", "name": "Weather", "tools": [WEATHER]}
    assistant = (await ask("POST", "/v1/assistants", asked)).json()["id"]
    thread = (await ask("POST", "/v1/threads", {})).json()["id"]
    await ask("POST", f"/v1/threads/{thread}/messages", {"role": "user", "content": "The weather in Lisbon?"})
    answer = await ask("POST", f"/v1/threads/{thread}/runs", {"assistant_id": assistant, "stream": True})
    run = json.loads(answer.events()[-2][1])
    calls = tuple(call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"])
    return Waiting(thread, run["id"], calls)


@asynccontextmanager
async def sandboxed() -> AsyncIterator[str]:
    sandbox = await start_sandbox(SandboxOptions(), Address("127.0.0.1", 0))
    try:
        yield sandbox.url
    finally:
        await sandbox.close()


def rows(ledger: Path, query: str) -> list[tuple[Any, ...]]:
    if not ledger.exists():
        return []
    with closing(sqlite3.connect(ledger)) as connection:
        return connection.execute(query).fetchall()


async def saved(ledger: Path) -> None:
    """Wait until the run is in the ledger as it stands, with the exchange that has ended."""
    async with asyncio.timeout(20):
        while not any(b'"requires_action"' in state and b'"exchanges":1' in state for state in states(ledger)):  # noqa: ASYNC110  another process's file
            await asyncio.sleep(0.05)


def states(ledger: Path) -> list[bytes]:
    try:
        return [state for (state,) in rows(ledger, "SELECT state FROM open_run")]
    except sqlite3.OperationalError:  # it is being made
        return []


async def end(process: Process, how: signal.Signals) -> None:
    process.send_signal(how)
    assert await process.wait() == (0 if how is signal.SIGTERM else -signal.SIGKILL)


async def counted(admin: str) -> dict[str, float]:
    """The counters of runs and tokens, over all their attributes, once the run is counted."""
    async with asyncio.timeout(20):
        while True:
            text = (await exchange(admin, b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")).decode()
            found: dict[str, float] = {}
            for name, value in re.findall(r"(?m)^(wiretape_run(?:s|_usage\w+)_total)\{.*\} (\S+)$", text):
                found[name] = found.get(name, 0) + float(value)
            if "wiretape_runs_total" in found:
                return found
            await asyncio.sleep(0.05)


def attribute(span: Any, name: str) -> Any:
    return next((one.value.string_value for one in span.attributes if one.key == name), None)


def is_one_tree(collector: Collector) -> bool:
    """Whether the run has one span, in the trace of its creating exchange, with both its exchanges beneath it."""
    (run,) = [span for span in collector.spans if span.name.startswith("invoke_agent")]
    created = [span for span in collector.spans if span.span_id == run.parent_span_id]
    inside = [span for span in collector.spans if span.trace_id == run.trace_id]
    carried = [span for span in inside if span.parent_span_id == run.span_id and span.name == "POST"]
    return [attribute(one, "http.route") for one in created] == ["/v1/threads/{thread_id}/runs"] and len(carried) == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_run_goes_on_over_a_restart_and_is_told_of_once(tmp_path: Path, how: signal.Signals) -> None:
    ledger = tmp_path / "wiretape.db"
    async with a_collector() as collector, sandboxed() as url:
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        serve = ("serve", "--upstream", url)
        async with running(*serve, cwd=tmp_path, **told) as (process, at):
            async with asking(at["traffic"]) as (ask, _):
                waiting = await begun(ask)
            await saved(ledger)
            assert KEY not in b"".join(states(ledger))
            async with asyncio.timeout(20):
                while not any(span.name.endswith("/runs") for span in collector.spans):  # noqa: ASYNC110  as it exports
                    await asyncio.sleep(0.05)
            await end(process, how)
        assert rows(ledger, "SELECT * FROM run") == []
        async with running(*serve, cwd=tmp_path, **told) as (process, at):
            async with asking(at["traffic"]) as (ask, _):
                await waiting.go_on(ask)
                await ask("GET", f"/v1/threads/{waiting.thread}/runs/{waiting.run}")
            metrics = await counted(at["admin"])
            await end(process, signal.SIGTERM)
    ((run_id, outcome, is_foreign, exchanges, tokens, output),) = rows(
        ledger, "SELECT run_id, outcome, is_foreign, exchanges, input_tokens, output_tokens FROM run"
    )
    assert (run_id, outcome, is_foreign, exchanges) == (waiting.run, "completed", 0, 2)
    assert metrics["wiretape_runs_total"] == 1
    assert metrics["wiretape_run_usage_input_tokens_total"] == tokens > 0
    assert metrics["wiretape_run_usage_output_tokens_total"] == output > 0
    assert rows(ledger, "SELECT * FROM open_run") == []
    assert is_one_tree(collector)
    assert list(tmp_path.glob("*-owner-*")) == []


async def test_two_that_share_a_ledger_keep_each_its_own(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path / 'wiretape.db'}"
    mine, others = CollectingSink(), CollectingSink()
    async with sandboxed() as url, proxied(url, ledger=ledger, sinks=(mine,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            waiting = await begun(ask)
            await saved(tmp_path / "wiretape.db")
            async with proxied(url, ledger=ledger, sinks=(others,)) as other:
                assert other._runs.open == 0
            await waiting.go_on(ask)
        await proxy.close()
    assert ([run.run_id for run in mine.runs], others.runs) == ([waiting.run], [])


async def test_without_a_ledger_a_stop_abandons_what_is_open() -> None:
    sink = CollectingSink()
    async with sandboxed() as url, proxied(url, sinks=(sink,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await begun(ask)
        await proxy.close()
    assert [run.outcome for run in sink.runs] == ["abandoned"]


async def test_a_ledger_that_cannot_be_written_abandons_them_too(tmp_path: Path) -> None:
    (tmp_path / "wiretape.db").mkdir()
    sink = CollectingSink()
    async with sandboxed() as url, proxied(url, ledger=f"sqlite:///{tmp_path / 'wiretape.db'}", sinks=(sink,)) as proxy:
        async with asking(proxy.traffic.url) as (ask, _):
            await begun(ask)
        state = proxy._state()
        await proxy.close()
    assert [run.outcome for run in sink.runs] == ["abandoned"]
    assert state["counts"]["dropped"]["open_runs"] >= 0
