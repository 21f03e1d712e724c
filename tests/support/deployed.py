"""What deploy/ holds, as the tests of it read it; and a proxy that has seen one of everything its rules look at."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from support.proxied import proxied
from support.raw import exchange
from support.scenarios import Ask, asking, failed_run, sandboxed, text_run, tool_run
from wiretape.app import Proxy
from wiretape.edge.upstream import UpstreamOptions
from wiretape.runs.options import RunOptions
from wiretape.runs.prices import PriceOptions

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"

DEAD = UpstreamOptions(name="dead", prefix="/dead", url="http://127.0.0.1:1")
_SELECTOR = re.compile(r"\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_WORDS = frozenset({"and", "or", "unless", "offset", "bool"})
_VARIABLES = {"$job": "wiretape", "$instance": ".*", "$__rate_interval": "1m"}


def yaml_of(path: Path) -> Any:
    """Read a file that holds one document."""
    return yaml.safe_load(path.read_text("utf-8"))


def rules() -> list[dict[str, Any]]:
    """Every recording and alerting rule."""
    files = (yaml_of(PROMETHEUS / name) for name in ("recording.yaml", "alerts.yaml"))
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Every graph of the dashboard."""
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text("utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def asked_by_panels() -> list[str]:
    """Every expression of the dashboard, with Grafana's variables filled in."""
    return [filled(target["expr"]) for panel in panels() for target in panel["targets"]]


def filled(expression: str) -> str:
    """Put what a reader chooses in the place of Grafana's variables."""
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def names_in(expression: str) -> set[str]:
    """Find the series that an expression asks for: whatever word is no function, label, keyword or number."""
    bare = _GROUPING.sub("", _SELECTOR.sub("", expression))
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    return set(re.findall(r"(?<![\w:.])[a-zA-Z_][\w:]*(?![\w:]*\s*\()", bare)) - _WORDS


def labels_in(expression: str) -> set[str]:
    """Find the labels that an expression selects or groups by."""
    selected = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", " ".join(_SELECTOR.findall(expression)))
    grouped = re.findall(r"\w+", " ".join(_GROUPING.findall(expression)))
    return {*selected, *grouped}


@asynccontextmanager
async def busy_proxy() -> AsyncIterator[tuple[Proxy, Callable[[], Awaitable[None]]]]:
    """Run a proxy as production has it, before a sandbox; gives it, and what makes one of everything happen."""
    price = PriceOptions(model="gpt-4o-mini", input=Decimal("0.15"), output=Decimal("0.6"))
    production = {"profile": "production", "runs": RunOptions(runs_open_max=1), "price": (price,)}
    async with sandboxed() as url, proxied((UpstreamOptions(url=url), DEAD), **production) as proxy:

        async def one_of_everything() -> None:
            async with asking(proxy.traffic.url) as (ask, _):
                await ask("GET", "/v1/threads/thread_unknown")
                await ask("GET", "/dead/v1/threads/thread_unknown")
                await _stalled_run(ask)  # given up when the next run begins
                for scenario in (text_run, tool_run, failed_run):
                    await scenario(ask)
            await exchange(proxy.traffic.url, b"\x00\r\n\r\n")  # no request: refused as a connection
            proxy.loop_errors(asyncio.get_running_loop(), {"message": "made up", "exception": OSError()})

        yield proxy, one_of_everything


async def _stalled_run(ask: Ask) -> None:
    assistant = (await ask("POST", "/v1/assistants", {"model": "gpt-4o-mini"})).json()["id"]
    thread = (await ask("POST", "/v1/threads", {})).json()["id"]
    await ask("POST", f"/v1/threads/{thread}/messages", {"role": "user", "content": "Wait."})
    body = {"assistant_id": assistant, "metadata": {"sandbox": "stall"}}
    assert (await ask("POST", f"/v1/threads/{thread}/runs", body)).status == HTTPStatus.OK


def documents(text: str) -> Iterator[dict[str, Any]]:
    """Read a stream of YAML documents."""
    return (one for one in yaml.safe_load_all(text) if one)


def hosts_of_images(text: str) -> list[str]:
    """Find image names that begin with a registry's host: its first part has a dot or a colon."""
    names = re.findall(r"(?m)^\s*(?:-\s*)?image:\s*\"?([^\s\"]+)|^FROM\s+(\S+)", text)
    firsts = [(name or other).split("/")[0] for name, other in names if "/" in (name or other)]
    return [first for first in firsts if "." in first or ":" in first or first == "localhost"]
