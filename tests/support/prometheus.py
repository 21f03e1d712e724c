"""Debian's Prometheus, started on a folder of its own and a free port, and asked through its HTTP API."""

from __future__ import annotations

import asyncio
import math
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from support.deployed import PROMETHEUS, yaml_of

PATIENCE_S = 60
_LISTENS = re.compile(rb'msg="Listening on" address=(\S+)')


class Prometheus:
    """What its API answers; everything but a success raises."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def ask(self, what: str, **parameters: str) -> Any:
        """Ask one endpoint; gives `data`."""
        async with self._session.get(f"{self._url}/api/v1/{what}", params=parameters) as got:
            answer = await got.json()
            assert (got.status, answer["status"]) == (200, "success"), answer
            return answer["data"]

    async def values(self, expression: str) -> list[float]:
        """The values of an expression's series now, without those that are no number."""
        result = (await self.ask("query", query=expression))["result"]
        return [value for one in result if not math.isnan(value := float(one["value"][1]))]

    async def wait_for(self, *expressions: str) -> None:
        """Ask until each has a value; one that never has is named."""
        waiting = list(expressions)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while waiting := [one for one in waiting if not await self.values(one)]:
                    pass
        except TimeoutError:
            pytest.fail(f"no value within {PATIENCE_S} s: {waiting}")


@asynccontextmanager
async def a_prometheus(folder: Path, target: str) -> AsyncIterator[Prometheus]:
    """Run it with the configuration of deploy/, in a hurry; skips by name where it is not installed."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    config = _in_a_hurry(folder, target)
    process = await asyncio.create_subprocess_exec(
        "prometheus", "--web.listen-address=127.0.0.1:0",
        f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session:
            async with asyncio.timeout(PATIENCE_S):
                url = f"http://{await _address(process)}"
                await _ready(session, url)
            yield Prometheus(session, url)
    finally:
        process.kill()
        await process.wait()


def _in_a_hurry(folder: Path, target: str) -> Path:
    config = yaml_of(PROMETHEUS / "prometheus.yaml")
    config["global"] = {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"}
    config["rule_files"] = [_impatient(folder, name) for name in config["rule_files"]]
    (scraped,) = config["scrape_configs"]
    scraped["static_configs"] = [{"targets": [target]}]
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config), "utf-8")
    return file


def _impatient(folder: Path, name: str) -> str:
    """Rules as they are, but for how long an alert is to be pending."""
    rules = yaml_of(PROMETHEUS / name)
    for rule in (rule for group in rules["groups"] for rule in group["rules"] if "for" in rule):
        rule["for"] = "1s"
    file = folder / name
    file.write_text(yaml.safe_dump(rules), "utf-8")
    return str(file)


async def _ready(session: aiohttp.ClientSession, url: str) -> None:
    status = None
    while status != HTTPStatus.OK:
        async with session.get(f"{url}/-/ready") as got:
            status = got.status


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    lines = []
    while line := await process.stderr.readline():
        lines.append(line)
        if found := _LISTENS.search(line):
            return found[1].decode()
    pytest.fail(f"prometheus did not start: {b''.join(lines).decode()}")
