"""The page of names is what a proxy sends: spans, metrics, log lines, both ways.

Nothing is sent that has no line there, and nothing has a line there that is not sent, by some traffic of these tests.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from support.sent import Sent, all_that_is_sent
from wiretape.telemetry.generations import LATEST
from wiretape.telemetry.instrument import Instrument, Kind
from wiretape.telemetry.vocabulary import INSTRUMENTS, PROFILES

BOTH = (*INSTRUMENTS, *(one for one in LATEST.instruments if one not in INSTRUMENTS))
"""Instruments of both generations of the GenAI names."""
PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "telemetry.md").read_text("utf-8")
OTHERS = {"SERVER": "SERVER {method} {route}", "CLIENT": "CLIENT {method}"}
OF_THE_EXPORTER = "target_info"
"""A series of no metric: its labels are the resource's attributes."""
Tables = dict[str, dict[str, list[list[str]]]]


def tables() -> Tables:
    """The page's rows by chapter and heading."""
    found: Tables = defaultdict(lambda: defaultdict(list))
    chapter = heading = ""
    for line in PAGE.splitlines():
        if line.startswith("## "):
            chapter = heading = line.removeprefix("## ")
        elif line.startswith("### "):
            heading = line.removeprefix("### ").strip("`")
        elif line.startswith("| `"):
            found[chapter][heading].append([cell.strip(" `") for cell in line.strip("|").split(" | ")])
    return found


CHAPTERS = tables()
SPANS = CHAPTERS["Spans"]
METRICS = {row[0]: row for row in CHAPTERS["Metrics"]["Metrics"]}


def heading_of(span: ReadableSpan) -> str:
    """The heading that tells of such a span."""
    begins = f"{span.kind.name} {span.name.split(' ')[0]} "
    named = next((heading for heading in SPANS if heading.startswith(begins)), None)
    return named or OTHERS.get(span.kind.name, f"no heading tells of {span.kind.name} {span.name}")


def names(rows: list[list[str]]) -> set[str]:
    return {row[0] for row in rows}


def differing(sent: dict[str, set[str]], told: dict[str, set[str]]) -> str:
    """What is sent and not told, and what is told and not sent."""
    found = []
    for heading in sorted(sent.keys() | told.keys()):
        ours, theirs = sent.get(heading, set()), told.get(heading, set())
        found += [f"{heading}: {name} is sent, and not told" for name in sorted(ours - theirs)]
        found += [f"{heading}: {name} is told, and not sent" for name in sorted(theirs - ours)]
    return "\n".join(found)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    return asyncio.run(all_that_is_sent(heading_of, tmp_path_factory.mktemp("taped")))


def test_every_span_has_the_attributes_that_are_told_and_no_others(sent: Sent) -> None:
    told = {heading: names([row for row in rows if row[2] != "link"]) for heading, rows in SPANS.items()}
    assert differing(sent.attributes, told) == ""


def test_every_link_has_the_attributes_that_are_told_and_no_others(sent: Sent) -> None:
    told = {heading: names([row for row in rows if row[2] == "link"]) for heading, rows in SPANS.items()}
    assert differing(sent.links, told) == ""


def test_what_a_profile_adds_is_told_as_its_own() -> None:
    assert {row[2] for rows in SPANS.values() for row in rows} - {"link"} == {"", *PROFILES} - {"otel"}


def test_the_resource_has_the_attributes_that_are_told_and_no_others(sent: Sent) -> None:
    assert sent.resource == names(CHAPTERS["Resource"]["Resource"])


def test_every_line_of_the_log_has_the_fields_that_are_told_and_no_others(sent: Sent) -> None:
    told = {event: names(rows) for event, rows in CHAPTERS["Log lines"].items()}
    assert differing(sent.fields, told) == ""


def instrument_of(sample: str) -> Instrument:
    """The one whose name, with underscores, a sample's begins with."""
    fitting = [one for one in BOTH if sample.startswith(one.name.replace(".", "_"))]
    assert fitting, f"{sample} is no instrument of the vocabulary"
    return max(fitting, key=lambda one: len(one.name))


def test_every_metric_is_scraped_with_attributes_that_are_told(sent: Sent) -> None:
    labels: dict[str, set[str]] = defaultdict(set)
    for sample in sent.samples:
        if sample.name != OF_THE_EXPORTER:
            labels[instrument_of(sample.name).name] |= set(sample.labels) - {"le"}
    assert set(labels) == set(METRICS)
    for name, row in METRICS.items():
        told = {attribute.replace(".", "_") for attribute in re.findall(r"[\w.]+", row[3])}
        assert labels[name] <= told, name
        assert {one.replace(".", "_") for one in names(CHAPTERS["Metrics"]["Attributes of metrics"])} >= told


def test_every_histogram_has_the_buckets_that_are_told(sent: Sent) -> None:
    bounds: dict[str, set[float]] = defaultdict(set)
    for sample in sent.samples:
        if "le" in sample.labels:
            bounds[instrument_of(sample.name).name].add(float(sample.labels["le"]))
    told = {row[0]: {*map(float, row[1].split()), float("inf")} for row in CHAPTERS["Metrics"]["Buckets"]}
    assert dict(bounds) == told


def test_units_and_meanings_of_metrics_are_the_codes() -> None:
    told = {name: (row[1], row[2], row[4]) for name, row in METRICS.items()}
    kinds = {Kind.GAUGE_READ: "gauge", Kind.COUNTER_READ: "counter"}
    assert told == {one.name: (kinds.get(one.kind, str(one.kind)), one.unit, one.help) for one in BOTH}


@pytest.mark.parametrize(
    "metric",
    [
        "wiretape.run.cost_missing",
        "wiretape.stream.ended",
        "wiretape.upstream.incidents",
        "wiretape.connections.refused",
    ],
)
def test_every_reason_that_is_counted_is_told(sent: Sent, metric: str) -> None:
    counted = {
        sample.labels["wiretape_reason"]
        for sample in sent.samples
        if sample.name == metric.replace(".", "_") + "_total"
    }
    (known,) = (one.known for one in INSTRUMENTS if one.name == metric)
    told = names(CHAPTERS["Metrics"][f"wiretape.reason` of `{metric}"])
    assert counted | set(known) <= told


def test_every_signal_that_is_counted_is_told(sent: Sent) -> None:
    counted = {
        sample.labels["wiretape_signal"] for sample in sent.samples if sample.name == "wiretape_telemetry_dropped_total"
    }
    told = names(CHAPTERS["Metrics"]["wiretape.signal` of `wiretape.telemetry.dropped"])
    assert counted | {"export", "export_metrics", "ledger"} == told
