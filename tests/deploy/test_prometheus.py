"""A real Prometheus scrapes a real proxy, evaluates every rule, and answers every question of the dashboard."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from support.deployed import PROMETHEUS, asked_by_panels, busy_proxy, rules
from support.prometheus import Prometheus, a_prometheus

RECORDS = [rule["record"] for rule in rules() if "record" in rule]
ALERTS = [rule["alert"] for rule in rules() if "alert" in rule]


@pytest.mark.skipif(which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "words", [("check", "config", "prometheus.yaml"), ("test", "rules", "rules.test.yaml")], ids=["config", "rules"]
)
def test_promtool_has_nothing_to_say(words: tuple[str, ...]) -> None:
    ran = subprocess.run(["promtool", *words], cwd=PROMETHEUS, capture_output=True, check=False)
    assert ran.returncode == 0, (ran.stdout + ran.stderr).decode()


async def test_prometheus_evaluates_every_rule_and_every_panel(tmp_path: Path) -> None:
    async with busy_proxy() as (proxy, one_of_everything):
        await one_of_everything()
        async with a_prometheus(tmp_path, proxy.admin.url.removeprefix("http://")) as prometheus:
            await prometheus.wait_for('up{job="wiretape"} == 1', 'wiretape_runs_total{wiretape_run_outcome="failed"}')
            await one_of_everything()  # a rate wants a rise between two scrapes
            await prometheus.wait_for("sum(wiretape_runs_total) == 8", *RECORDS, *asked_by_panels())
            assert await states(prometheus) == dict.fromkeys([*RECORDS, *ALERTS], "ok")
            (failed,) = await prometheus.values("job:wiretape_runs_failed:ratio_rate5m")
            assert 0 < failed < 1


async def states(prometheus: Prometheus) -> dict[str, str]:
    groups = (await prometheus.ask("rules"))["groups"]
    return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}


async def test_every_expression_of_the_dashboard_parses(tmp_path: Path) -> None:
    async with a_prometheus(tmp_path, "127.0.0.1:9") as prometheus:
        for expression in asked_by_panels():
            assert await prometheus.ask("format_query", query=expression)
