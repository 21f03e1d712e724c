"""Every recording of others that has runs, imported and replayed through the proxy: what it tells is what they say."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from support.corpora import HAND_EDITED, root
from support.proxied import proxied
from support.scenarios import TERMINAL
from wiretape.cassette.convert.formats import read
from wiretape.cassette.format import Interaction, Tape
from wiretape.cassette.plan import Mode
from wiretape.edge.store import tape_path, write_tape
from wiretape.errors import ImportRefused
from wiretape.runs.report import RunReport
from wiretape.testing import CollectingSink

RECORDINGS = 42
Tokens = tuple[int, int] | None
_DROPPED = {b"host", b"content-length", b"transfer-encoding", b"connection", b"accept-encoding", b"expect"}


def recordings() -> Iterator[tuple[str, Tape]]:
    for path in sorted((root() / "traffic").rglob("*")):
        if path.is_file() and b"thread.run" in (data := path.read_bytes()):
            try:
                tape = read(data, f"imported from {path.name}").tape
            except ImportRefused:
                continue
            if path.name not in HAND_EDITED and stated(tape):
                yield path.name, tape


def stated(tape: Tape) -> dict[str, tuple[str, Tokens]]:
    """The last word of the bodies on each run: its status, and the tokens it told at its end.

    A list tells of runs that have ended: of others it may be late, and opens none.
    """
    last: dict[str, tuple[str, Tokens]] = {}
    for one, run in ((each, run) for each in tape.interactions for run in runs_in(each)):
        is_news = last.get(run["id"], ("",))[0] not in TERMINAL
        if is_news and (run["status"] in TERMINAL or not is_list(one)):
            usage = run.get("usage")
            tokens = (usage["prompt_tokens"], usage["completion_tokens"]) if usage else None
            last[run["id"]] = (run["status"], tokens)
    return last


def runs_in(one: Interaction) -> Iterator[dict[str, Any]]:
    """Every run that a body holds, by the name of its kind, in order."""
    text = one.body.decode("utf-8", "replace")
    lines = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")] or [text]
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        found = value.get("data", []) if isinstance(value, dict) and value.get("object") == "list" else [value]
        yield from (run for run in found if isinstance(run, dict) and run.get("object") == "thread.run")


def is_list(one: Interaction) -> bool:
    return one.method == "GET" and one.path.endswith("/runs")


async def told(tape: Tape, folder: Path) -> list[RunReport]:
    stem, sink = folder / "foreign", CollectingSink()
    write_tape(tape, tape_path(stem))
    async with proxied(mode=Mode.REPLAY, cassette=(str(stem),), sinks=[sink]) as proxy:
        await ask_all(tape, proxy.traffic.url)
        assert (await proxy.close()).misses == ()
    return sink.runs


async def ask_all(tape: Tape, url: str) -> None:
    async with aiohttp.ClientSession() as client:
        for one in tape.interactions:
            headers = [(n.decode(), v.decode()) for n, v in one.request_headers if n.lower() not in _DROPPED]
            where = URL(url + one.target, encoded=True)
            async with client.request(
                one.method, where, headers=headers, data=one.request_body or None, skip_auto_headers=["Content-Type"]
            ) as answer:
                assert (answer.status, await answer.read()) == (one.status, one.body)


@pytest.fixture(scope="module")
def all_told(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Tape, list[RunReport]]]:
    async def ask() -> list[tuple[str, Tape, list[RunReport]]]:
        return [(name, tape, await told(tape, tmp_path_factory.mktemp("foreign"))) for name, tape in recordings()]

    return asyncio.run(ask())


def test_each_run_is_told_once_with_the_status_and_the_tokens_its_bodies_state(
    all_told: list[tuple[str, Tape, list[RunReport]]],
) -> None:
    for name, tape, runs in all_told:
        found = [
            (run.run_id, run.status, (run.usage.prompt, run.usage.completion) if run.usage else None) for run in runs
        ]
        said = [(run_id, *ending) for run_id, ending in stated(tape).items()]
        assert (name, sorted(found)) == (name, sorted(said))


def test_a_run_is_foreign_where_its_creation_was_not_recorded(
    all_told: list[tuple[str, Tape, list[RunReport]]],
) -> None:
    for name, tape, runs in all_told:
        made = {run["id"] for one in tape.interactions if is_creation(one) for run in runs_in(one)}
        assert (name, {run.run_id for run in runs if not run.foreign}) == (name, made)


def is_creation(one: Interaction) -> bool:
    return one.method == "POST" and one.path.endswith("/runs")


def test_there_are_as_many_as_there_were(all_told: list[tuple[str, Tape, list[RunReport]]]) -> None:
    outcomes = Counter(run.outcome for *_, runs in all_told for run in runs)
    assert outcomes == {"abandoned": 36, "completed": 29, "incomplete": 1, "expired": 1}
    assert len(all_told) == RECORDINGS
