"""What rules and the dashboard ask for is what a real scrape has, to the last label."""

import asyncio
import re
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.deployed import DEPLOY, PROMETHEUS, asked_by_panels, busy_proxy, labels_in, names_in, rules, yaml_of
from support.raw import exchange
from wiretape.telemetry.vocabulary import INSTRUMENTS

OF_PROMETHEUS = {"up"}
TARGET_LABELS = {"job", "instance"}
GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LAST = (b"wiretape_run_usage_missing_total{", b"wiretape_connections_refused_total{", b'outcome="failed"')


@pytest.fixture
async def scraped() -> dict[str, set[str]]:
    """Series name to label names, of a proxy that has seen one of everything."""
    async with busy_proxy() as (proxy, one_of_everything):
        await one_of_everything()
        async with asyncio.timeout(10):
            while not seen_all(got := await exchange(proxy.admin.url, GET)):
                pass
    series: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(got.partition(b"\r\n\r\n")[2].decode()):
        for sample in family.samples:
            series.setdefault(sample.name, set()).update(sample.labels)
    return series


def seen_all(scrape: bytes) -> bool:
    return all(sign in scrape for sign in LAST)


def expressions() -> list[str]:
    return [*(rule["expr"] for rule in rules()), *asked_by_panels()]


def labels_of(expression: str, scraped: dict[str, set[str]]) -> set[str]:
    return set().union(*(scraped[name] for name in names_in(expression)))


def test_names_and_labels_are_found_in_an_expression() -> None:
    told = (
        'histogram_quantile(0.9, sum by (job, le) (rate(a_bucket{b="x", c=~"y|z"}[5m]))) / on (d) e:f:g5m > 1.4 * 0.1'
    )
    assert names_in(told) == {"a_bucket", "e:f:g5m"}
    assert labels_in(told) == {"job", "le", "b", "c", "d"}
    assert names_in("up == 0 and x or 0 * sum(y)") == {"up", "x", "y"}


async def test_every_metric_asked_for_is_in_a_real_scrape(scraped: dict[str, set[str]]) -> None:
    records = {rule["record"] for rule in rules() if "record" in rule}
    asked = set().union(*map(names_in, expressions()))
    assert asked - set(scraped) - records - OF_PROMETHEUS == set()
    assert len(asked) > 30


async def test_every_label_asked_for_is_on_its_metric(scraped: dict[str, set[str]]) -> None:
    """Of expressions over one scrape's series; a record's labels are its own rule's, and Prometheus checks those."""
    of_one_scrape = [asked for asked in expressions() if names_in(asked) <= set(scraped)]
    missing = {asked: labels_in(asked) - labels_of(asked, scraped) - TARGET_LABELS for asked in of_one_scrape}
    assert {asked: labels for asked, labels in missing.items() if labels} == {}
    assert len(of_one_scrape) > 50


def test_every_instrument_is_on_the_dashboard() -> None:
    """By the exporter's rule: dots to underscores, unit and kind as suffixes."""
    asked = " ".join(asked_by_panels())
    bare = {one.name: one.name.replace(".", "_") + ("_total" if "counter" in one.kind else "") for one in INSTRUMENTS}
    ends = r"(_seconds|_bytes)?(_bucket|_count|_sum)?\b"
    assert {name for name, told in bare.items() if not re.search(rf"\b{told}{ends}", asked)} == set()


def test_every_rule_has_a_unit_test() -> None:
    told = (PROMETHEUS / "rules.test.yaml").read_text("utf-8")
    assert [rule["record"] for rule in rules() if "record" in rule and rule["record"] not in told] == []
    tests = [
        one for test in yaml_of(PROMETHEUS / "rules.test.yaml")["tests"] for one in test.get("alert_rule_test", ())
    ]
    # promtool compares all alerts of a name: the series beside the one that fires are the proof of silence.
    fired = {one["alertname"] for one in tests if one["exp_alerts"]}
    assert fired == {rule["alert"] for rule in rules() if "alert" in rule}


def test_the_dashboard_is_what_its_code_makes() -> None:
    asked = [sys.executable, str(DEPLOY / "grafana" / "dashboard.py"), "--check"]
    ran = subprocess.run(asked, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
