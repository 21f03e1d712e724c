"""What a run cost is the same in its row, its span, its log line and the metric."""

import io
import json
import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from support.proxied import proxied
from support.raw import exchange
from support.scenarios import asking, sandboxed, text_run, tool_run
from wiretape.edge.upstream import UpstreamOptions
from wiretape.ledger.options import LedgerOptions
from wiretape.runs.prices import PriceOptions

BOTH = re.compile(rb"wiretape_runs_total\{[^}]*\} 2\.0")
GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PRICES = (
    PriceOptions(model="mini", input=Decimal(1), output=Decimal(2)),
    PriceOptions(model="mini", provider="azure.ai.openai", input=Decimal("0.0375"), output=Decimal("0.3")),
)
ALIASED = LedgerOptions(deployments={"gpt-4o-mini": "mini"})


async def test_what_a_run_cost_is_told_the_same_everywhere(tmp_path: Path) -> None:
    path, log, spans = tmp_path / "wiretape.db", io.StringIO(), InMemorySpanExporter()
    async with sandboxed() as url:
        behind = UpstreamOptions(url=url, provider="azure.ai.openai")
        settings = {"price": PRICES, "audit": ALIASED, "ledger": f"sqlite:///{path}"}
        async with proxied((behind,), exporter=spans, log=log, **settings) as proxy:
            async with asking(proxy.traffic.url) as (ask, _):
                for scenario in (text_run, tool_run):
                    await scenario(ask)
            while not BOTH.search(got := await exchange(proxy.admin.url, GET)):
                pass
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT cost_nano, input_tokens, output_tokens, price_version FROM run").fetchall()
    costs = sorted(row[0] for row in rows)
    assert costs == sorted((375 * row[1] + 3_000 * row[2] + 5) // 10 for row in rows)
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    assert sorted(line["cost_nano_usd"] for line in told if line["event"] == "run.finished") == costs
    runs = [span.attributes or {} for span in spans.get_finished_spans() if span.name.startswith("invoke_agent")]
    assert sorted(int(str(run["wiretape.cost.nano_usd"])) for run in runs) == costs
    assert {run["wiretape.cost.price_version"] for run in runs} == {row[3] for row in rows}
    assert len({row[3] for row in rows}) == 1
    (metric,) = [line for line in got.decode().splitlines() if line.startswith("wiretape_run_cost_total{")]
    assert round(float(metric.rpartition(" ")[2]) * 10**9) == sum(costs)
