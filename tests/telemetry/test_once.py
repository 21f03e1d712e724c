"""Tokens are counted exactly once: metrics, ledger and reports agree on any mix of runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

from support.reports import a_run
from support.telemetry import Metrics
from wiretape.audit.report import report
from wiretape.dialects.assistants.facts import _TOKENS_MAX
from wiretape.ledger.options import LedgerOptions
from wiretape.ledger.writer import LedgerSink
from wiretape.runs.report import Usage

TOKENS = st.integers(0, 100_000)
USAGE = st.none() | st.builds(Usage, TOKENS, TOKENS, TOKENS, TOKENS)
RUNS = st.lists(USAGE, min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(RUNS, st.integers(1, 3))
def test_tokens_in_metrics_and_ledger_are_those_of_the_reports(usages: list[Usage | None], sightings: int) -> None:
    metrics = Metrics()
    runs = [
        a_run(run_id=f"run_{n}", usage=usage, usage_source="run" if usage else "none") for n, usage in enumerate(usages)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wiretape.db"
        ledger = LedgerSink(path, LedgerOptions())
        for run in runs:
            metrics.sink.run(run)
        for _ in range(sightings):
            for run in runs:
                ledger.run(run)
            ledger.flush()
        ledger.close(1.0)
        total = report(path).total
    known = [usage for usage in usages if usage is not None]
    expected = {
        "input": sum(usage.prompt for usage in known),
        "cached_input": sum(usage.cached for usage in known),
        "output": sum(usage.completion for usage in known),
        "reasoning_output": sum(usage.reasoning for usage in known),
    }
    counted = {kind: metrics.values(f"wiretape.run.usage.{kind}_tokens").get(None, 0) for kind in expected}
    written = {
        "input": total.tokens.input,
        "cached_input": total.tokens.cached,
        "output": total.tokens.output,
        "reasoning_output": total.tokens.reasoning,
    }
    assert counted == written == expected
    assert total.runs == len(runs)
    assert total.tokens.unknown_runs == len(usages) - len(known)


def test_an_upstream_that_tells_nonsense_stops_neither_the_export_nor_the_report(tmp_path: Path) -> None:
    """Their sums are 64 bits wide in OTLP and in SQLite."""
    metrics, ledger = Metrics(), LedgerSink(tmp_path / "wiretape.db", LedgerOptions())
    for number in range(2000):
        run = a_run(run_id=f"run_{number}", usage=Usage(_TOKENS_MAX, _TOKENS_MAX), usage_source="run")
        metrics.sink.run(run)
        ledger.run(run)
    ledger.flush()
    ledger.close(1.0)
    assert encode_metrics(metrics._reader.get_metrics_data()).resource_metrics
    assert report(tmp_path / "wiretape.db").total.runs == 2000
