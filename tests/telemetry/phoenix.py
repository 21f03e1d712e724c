"""A real Phoenix is sent the traces of a conversation, and asked what it makes of them: one tree a run, exact tokens.

`make test-phoenix` runs this; it installs Phoenix first, in an environment of its own.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from support.command import environment, wiretape

TESTS = Path(__file__).parents[1]
PHOENIX = TESTS.parent / ".venv" / "phoenix" / "bin" / "phoenix"
PATIENCE_S = 120
ALONE = {
    "PHOENIX_HOST": "127.0.0.1",
    "PHOENIX_PORT": "0",
    "PHOENIX_GRPC_PORT": "0",
    "PHOENIX_TELEMETRY_ENABLED": "false",
    "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
}
TALK = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[1])
from support.sdk import async_client
from support.talks import TALKS

async def main():
    async with async_client(os.environ["OPENAI_BASE_URL"].removesuffix("/v1")) as client:
        for name in sys.argv[2:]:
            await TALKS[name](client)

asyncio.run(main())
"""
ASKED = """{ projects { edges { node { tokenCountTotal tokenCountPrompt tokenCountCompletion spans(first: 1000) {
  edges { node { name spanKind spanId parentId trace { traceId } tokenCountTotal
    cumulativeTokenCountTotal cumulativeTokenCountPrompt cumulativeTokenCountCompletion } } } } } } }"""
TREES = {
    "text_polled": [
        "POST /v1/threads/{thread_id}/runs unknown",
        "  invoke_agent Ada llm",
        "    POST unknown",
    ],
    "text_streamed": [
        "POST /v1/threads/runs unknown",
        "  invoke_agent Ada agent",
        "    POST unknown",
        "    run_step message_creation llm",
    ],
    "tools_parallel": [
        "POST /v1/threads/{thread_id}/runs unknown",
        "  invoke_agent Ada agent",
        "    POST unknown",
        "    POST unknown",
        "    POST /v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs unknown",
        "    run_step message_creation llm",
        "    run_step tool_calls llm",
        "      execute_tool get_weather tool",
        "      execute_tool local_time tool",
    ],
}
KINDS = ("Total", "Prompt", "Completion")
Span = dict[str, Any]


class Told(NamedTuple):
    """Phoenix's project with its spans, and our ledger's rows."""

    project: Any
    rows: list[sqlite3.Row]


@asynccontextmanager
async def a_phoenix(home: Path) -> AsyncIterator[str]:
    """Run it on a folder of its own and a free port; gives its URL."""
    if not PHOENIX.exists():
        pytest.skip("Phoenix is not installed: make test-phoenix")
    shell = environment(home, PHOENIX_WORKING_DIR=str(home), **ALONE)
    process = await asyncio.create_subprocess_exec(
        str(PHOENIX), "serve", env=shell, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield await _address(process)
    finally:
        process.kill()
        await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    said = b""
    while line := await process.stdout.readline():
        said += line
        if found := re.search(rb"running on (http://127.0.0.1:\d+)", line):
            return found[1].decode()
    pytest.fail(f"Phoenix did not start: {said.decode()}")


async def asked(url: str) -> Any:
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(f"{url}/graphql", json={"query": ASKED}) as got,
    ):
        answer = await got.json()
    assert not answer.get("errors"), answer
    (project,) = (edge["node"] for edge in answer["data"]["projects"]["edges"])
    return {**project, "spans": [edge["node"] for edge in project["spans"]["edges"]]}


async def told_to(url: str, home: Path, talks: Mapping[str, Sequence[str]]) -> Told:
    """Hold conversations through the command, with its traces to Phoenix; gives what either made of them."""
    (home / "wiretape.toml").write_text('[telemetry]\nprofile = "openinference"\n', "utf-8")
    ran = await wiretape(
        "record", "talk", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
        "--", sys.executable, "-W", "ignore", "-c", TALK, str(TESTS), *talks,
        cwd=home, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{url}/v1/traces",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    with closing(sqlite3.connect(home / "wiretape.db")) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT * FROM run ORDER BY created_us").fetchall()
    expected = [len(tree) + 2 * row["polls"] for tree, row in zip(talks.values(), rows, strict=True)]
    while True:  # Phoenix writes spans down some time after it took them
        project = await asked(url)
        counted = sum(row["input_tokens"] + row["output_tokens"] for row in rows)
        all_there = all(len(spans_of(project, row)) >= count for row, count in zip(rows, expected, strict=True))
        if all_there and project["tokenCountTotal"] >= counted:
            return Told(project, rows)


def spans_of(project: Any, row: sqlite3.Row) -> list[Span]:
    return [span for span in project["spans"] if span["trace"]["traceId"] == row["trace_id"]]


def lines(spans: Sequence[Span], parent: str | None = None, indent: str = "") -> Iterator[str]:
    """Draw a tree without its polls, each parent's children in the order of the alphabet."""
    below = (span for span in spans if span["parentId"] == parent and not span["name"].startswith("GET"))
    for span in sorted(below, key=lambda span: str(span["name"])):
        yield f"{indent}{span['name']} {span['spanKind']}"
        yield from lines(spans, span["spanId"], indent + "  ")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    async def ask() -> Told:
        home = tmp_path_factory.mktemp("phoenix")
        async with a_phoenix(home) as url:
            return await told_to(url, home, TREES)

    return asyncio.run(ask())


def test_each_run_is_one_tree(told: Told) -> None:
    trees = [list(lines(spans_of(told.project, row))) for row in told.rows]
    assert trees == list(TREES.values())


def test_each_trees_root_has_the_runs_tokens(told: Told) -> None:
    for row in told.rows:
        (root,) = (span for span in spans_of(told.project, row) if span["parentId"] is None)
        prompt, completion = row["input_tokens"], row["output_tokens"]
        assert prompt > 0
        assert [root[f"cumulativeTokenCount{kind}"] for kind in KINDS] == [prompt + completion, prompt, completion]


def test_the_project_has_the_tokens_of_all_runs_once(told: Told) -> None:
    prompt, completion = (sum(row[name] for row in told.rows) for name in ("input_tokens", "output_tokens"))
    assert [told.project[f"tokenCount{kind}"] for kind in KINDS] == [prompt + completion, prompt, completion]
