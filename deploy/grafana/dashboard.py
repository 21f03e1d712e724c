"""Write deploy/grafana/dashboard.json from the panels beside this file; `--check` compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from panels import ROWS, Panel

TARGET = Path(__file__).with_suffix(".json")
ROW_WIDTH = 24
HEIGHT = 8
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """Build the whole dashboard in Grafana's JSON model."""
    return {
        "uid": "wiretape",
        "title": "Wiretape",
        "description": "Runs, tokens and the proxy itself. Written by deploy/grafana/dashboard.py.",
        "tags": ["wiretape"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": list(variables())},
        "panels": [{"id": number, **panel} for number, panel in enumerate(laid_out(), 1)],
    }


def variables() -> Iterator[dict[str, Any]]:
    """Give what the reader chooses: the data source, the job, its instances."""
    yield {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    asked = {"type": "query", "datasource": SOURCE, "refresh": 2, "sort": 1}
    yield {**asked, "name": "job", "query": "label_values(wiretape_streams_active, job)"}
    instances = 'label_values(wiretape_streams_active{job="$job"}, instance)'
    every = {"multi": True, "includeAll": True, "current": {"text": "All", "value": "$__all"}}
    yield {**asked, **every, "name": "instance", "query": instances}


def laid_out() -> Iterator[dict[str, Any]]:
    """Lay the rows out one below the other, the panels of each from left to right."""
    top = 0
    for title, row in ROWS:
        yield {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": place(0, top, ROW_WIDTH, 1)}
        left, top = 0, top + 1
        for panel in row:
            if left + panel.width > ROW_WIDTH:
                left, top = 0, top + HEIGHT
            yield graph(panel, place(left, top, panel.width, HEIGHT))
            left += panel.width
        top += HEIGHT


def place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    """Place a panel on Grafana's grid, 24 columns wide."""
    return {"x": left, "y": top, "w": width, "h": height}


def graph(panel: Panel, where: dict[str, int]) -> dict[str, Any]:
    """Draw one panel as lines over time."""
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.text,
        "datasource": SOURCE,
        "gridPos": where,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
            for number, (expr, legend) in enumerate(panel.queries)
        ],
    }


def main() -> None:
    """Write the file, or say that it is stale."""
    text = json.dumps(dashboard(), indent=2) + "\n"
    if "--check" not in sys.argv:
        TARGET.write_text(text, "utf-8")
    elif TARGET.read_text("utf-8") != text:
        sys.exit("deploy/grafana/dashboard.json is stale: run `make dashboard`")


if __name__ == "__main__":
    main()
