"""A real Prometheus scrapes a real proxy, evaluates every rule, and answers every question of the dashboard."""

import subprocess
from http import HTTPStatus
from pathlib import Path
from shutil import which

import pytest

from support.deployed import DEAD, PROMETHEUS, asked_by_panels, busy_proxy, rules
from support.prometheus import Prometheus, a_prometheus
from support.scenarios import asking
from wiretape.app import Proxy

RECORDS = [rule["record"] for rule in rules() if "record" in rule]
ALERTS = [rule["alert"] for rule in rules() if "alert" in rule]


@pytest.mark.skipif(which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "words", [("check", "config", "prometheus.yaml"), ("test", "rules", "rules.test.yaml")], ids=["config", "rules"]
)
def test_promtool_has_nothing_to_say(words: tuple[str, ...]) -> None:
    ran = subprocess.run(["promtool", *words], cwd=PROMETHEUS, capture_output=True, check=False)
    assert ran.returncode == 0, (ran.stdout + ran.stderr).decode()


async def test_prometheus_evaluates_every_rule_and_every_panel_and_alerts_of_what_is_dead(tmp_path: Path) -> None:
    async with busy_proxy() as (proxy, one_of_everything):
        await one_of_everything()
        target = proxy.admin.url.removeprefix("http://")
        async with a_prometheus(tmp_path, target) as prometheus:
            await prometheus.wait_for('up{job="wiretape"} == 1', 'wiretape_runs_total{wiretape_run_outcome="failed"}')
            await one_of_everything()  # a rate wants a rise between two scrapes
            await prometheus.wait_for("sum(wiretape_runs_total) == 8", *RECORDS, *asked_by_panels())
            assert await states(prometheus) == dict.fromkeys([*RECORDS, *ALERTS], "ok")
            (failed,) = await prometheus.values("job:wiretape_runs_failed:ratio_rate5m")
            assert 0 < failed < 1
            await ask_the_dead(proxy)
            await prometheus.wait_for(firing("WiretapeUpstreamFails"))
            assert "requests that wiretape passed on got a 5xx" in (await alerts(prometheus))["WiretapeUpstreamFails"]
            assert "WiretapeDown" not in await alerts(prometheus)
            await proxy.close()
            await prometheus.wait_for(firing("WiretapeDown"))
            told = await alerts(prometheus)
            assert told["WiretapeDown"] == f"{target} has not answered a scrape for two minutes."
            assert not [text for text in told.values() if "<error" in text]


async def ask_the_dead(proxy: Proxy) -> None:
    async with asking(proxy.traffic.url) as (ask, _):
        for _ in range(20):
            assert (await ask("GET", f"{DEAD.prefix}/v1/threads/thread_unknown")).status == HTTPStatus.BAD_GATEWAY


def firing(alert: str) -> str:
    return f'ALERTS{{alertname="{alert}", alertstate="firing"}}'


async def alerts(prometheus: Prometheus) -> dict[str, str]:
    """What each alert that fires says, its templates filled in."""
    found = (await prometheus.ask("alerts"))["alerts"]
    return {one["labels"]["alertname"]: one["annotations"]["summary"] for one in found if one["state"] == "firing"}


async def states(prometheus: Prometheus) -> dict[str, str]:
    groups = (await prometheus.ask("rules"))["groups"]
    return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}


async def test_every_expression_of_the_dashboard_parses(tmp_path: Path) -> None:
    async with a_prometheus(tmp_path, "127.0.0.1:9") as prometheus:
        for expression in asked_by_panels():
            assert await prometheus.ask("format_query", query=expression)
