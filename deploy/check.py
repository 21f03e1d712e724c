"""Judge everything in deploy/ by its own tools: `check.py [FOLDER]`, where FOLDER holds the validators of `make`.

A tool that is not installed is named, and what only it could judge is skipped; whatever fails makes the exit code 1.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DEPLOY = Path(__file__).parent
PROMETHEUS = DEPLOY / "prometheus"
OVERLAYS = DEPLOY / "kubernetes" / "overlays"
UNIT = DEPLOY / "systemd" / "wiretape.service"
COMPOSE = DEPLOY / "compose.yaml"
EXPOSURE_MAX = "20"
"""Tenths of what `systemd-analyze security` gives a unit: 0 is shut, 100 is open."""
FILLED = {"$__rate_interval": "5m", "$instance": ".*", "$job": "wiretape"}


class Check(NamedTuple):
    """One thing to judge: what, and the command, whose first word is the tool."""

    what: str
    command: tuple[str, ...]


def checks(scratch: Path) -> Iterator[Check]:
    """Give every check; what a tool wants to read is written to the scratch folder."""
    yield from configurations()
    yield Check("Prometheus configuration", ("promtool", "check", "config", str(PROMETHEUS / "prometheus.yaml")))
    yield Check("rules", ("promtool", "test", "rules", str(PROMETHEUS / "rules.test.yaml")))
    yield Check("dashboard is not stale", (sys.executable, str(DEPLOY / "grafana" / "dashboard.py"), "--check"))
    yield Check("dashboard's expressions", ("promtool", "check", "rules", str(as_rules(scratch))))
    yield Check("Dockerfile", ("hadolint", str(DEPLOY / "Dockerfile")))
    yield Check("compose", ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)))
    yield from manifests(scratch)
    yield Check("unit", ("systemd-analyze", "verify", "--recursive-errors=no", str(with_true(scratch))))
    yield Check(
        "unit's exposure", ("systemd-analyze", "security", "--offline=1", f"--threshold={EXPOSURE_MAX}", str(UNIT))
    )
    collector = f"--config={DEPLOY / 'collector' / 'config.yaml'}"
    yield Check("Collector", ("otelcol-contrib", "validate", collector))
    yield Check("Tempo", ("tempo", "-config.verify=true", f"-config.file={DEPLOY / 'tempo' / 'tempo.yaml'}"))


def configurations() -> Iterator[Check]:
    """Check every wiretape.toml; one without an upstream gets it from the environment, as in its container."""
    for file in sorted(DEPLOY.rglob("wiretape.toml")):
        upstream = () if "upstream =" in file.read_text("utf-8") else ("--upstream", "https://assistants.example.com")
        yield Check(name_of(file), ("wiretape", "config", "check", "--config", str(file), *upstream))


def manifests(scratch: Path) -> Iterator[Check]:
    """Render each overlay, then validate what came out."""
    for overlay in sorted(OVERLAYS.iterdir()):
        rendered = scratch / f"{overlay.name}.yaml"
        yield Check(f"kustomize {overlay.name}", ("kubectl", "kustomize", str(overlay), "--output", str(rendered)))
        if rendered.exists():  # by now kustomize has run; where it could not, that was said
            yield Check(f"manifests of {overlay.name}", ("kubernetes-validate", "--strict", "--quiet", str(rendered)))


def as_rules(scratch: Path) -> Path:
    """Write the dashboard's expressions as recording rules: promtool parses those."""
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text("utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    rules = [{"record": f"panel:{number}", "expr": filled(expr)} for number, expr in enumerate(asked)]
    file = scratch / "dashboard.rules.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    return file


def filled(expression: str) -> str:
    """Put values in the place of Grafana's variables."""
    return re.sub(r"\$\w+", lambda found: FILLED[found[0]], expression)


def with_true(scratch: Path) -> Path:
    """Write the unit with a command that is here: systemd-analyze looks for it."""
    unit = scratch / UNIT.name
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/wiretape/bin/wiretape", "/bin/true"), "utf-8")
    return unit


def name_of(file: Path) -> str:
    """Name a file by its path in the repository."""
    return str(file.relative_to(DEPLOY.parent))


def verdict(check: Check) -> str:
    """Run a check; gives `passed`, `failed` or `skipped`, and says it."""
    tool = check.command[0]
    if shutil.which(tool) is None:
        print(f"SKIPPED {check.what}: {tool} is not installed")
        return "skipped"
    ran = subprocess.run(check.command, capture_output=True, text=True, check=False)
    result = "failed" if ran.returncode else "passed"
    print(f"{result.upper()} {check.what}{said(ran)}" if ran.returncode else f"{result} {check.what}")
    return result


def said(ran: subprocess.CompletedProcess[str]) -> str:
    """Repeat what a tool had to say."""
    return f": {' '.join(ran.args)}\n{ran.stdout}{ran.stderr}"


def main(folders: list[str]) -> int:
    """Run all checks and count."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), *folders, os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as scratch:
        verdicts = [verdict(check) for check in checks(Path(scratch))]
    print(", ".join(f"{verdicts.count(word)} {word}" for word in ("passed", "failed", "skipped")))
    return int("failed" in verdicts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
