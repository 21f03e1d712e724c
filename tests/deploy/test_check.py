"""The judge of deploy/ says no: to what fails, aloud to what is missing, and to each kind of file when it is broken."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from support.deployed import DEPLOY


@pytest.fixture
def judge() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("deploy_check", DEPLOY / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # what it defines looks for its own module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_what_fails_is_failed_and_what_is_missing_is_named(
    judge: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge.verdict(judge.Check("a", ("true",))) == "passed"
    assert judge.verdict(judge.Check("b", ("sh", "-c", "echo why; exit 3"))) == "failed"
    assert judge.verdict(judge.Check("c", ("no-such-tool",))) == "skipped"
    said = capsys.readouterr().out
    assert said == "passed a\nFAILED b: sh -c echo why; exit 3\nwhy\n\nSKIPPED c: no-such-tool is not installed\n"


@pytest.mark.parametrize("failed", [True, False])
def test_one_failure_makes_the_exit_code(
    judge: ModuleType, failed: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [("true",), ("no-such-tool",), ("false" if failed else "true",)]
    monkeypatch.setattr(judge, "checks", lambda _: [judge.Check("x", one) for one in words])
    assert judge.main([]) == int(failed)
    counts = "1 passed, 1 failed, 1 skipped" if failed else "2 passed, 0 failed, 1 skipped"
    assert capsys.readouterr().out.splitlines()[-1] == counts


VALIDATORS = Path(sys.prefix) / "deploy" / "bin"
BROKEN = [
    ("prometheus/prometheus.yaml", "scrape_configs:", "scrape_confugs:", "Prometheus configuration"),
    ("prometheus/recording.yaml", "rate(wiretape_runs_total[5m]", "rate(wiretape_runs_total[5m", "rules"),
    ("grafana/dashboard.json", "histogram_quantile(", "histogram_quantile(,", "dashboard's expressions"),
    ("compose.yaml", "services:", "servicez:", "compose"),
    ("kubernetes/overlays/sidecar/sidecar.yaml", "restartPolicy:", "restartsPolicy:", "manifests of sidecar"),
    ("Dockerfile", "FROM python:3.12-slim-bookworm AS", "FROM python AS", "Dockerfile"),
    ("systemd/wiretape.service", "Type=exec", "Type=exe", "unit"),
    ("systemd/wiretape.toml", "drain_s = 20.0", "drain_z = 20.0", "systemd/wiretape.toml"),
]


@pytest.mark.parametrize(("file", "old", "new", "what"), BROKEN, ids=[one[3] for one in BROKEN])
def test_a_broken_file_fails(
    judge: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str, what: str
) -> None:
    """With the tools that are here; `make check-deploy` brings the others, and this finds them then."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    broken = tmp_path / "deploy" / file
    text = broken.read_text("utf-8")
    assert old in text
    broken.write_text(text.replace(old, new, 1), "utf-8")
    for name, path in [pair for pair in vars(judge).items() if isinstance(pair[1], Path)]:
        monkeypatch.setattr(judge, name, tmp_path / "deploy" / path.relative_to(DEPLOY))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{VALIDATORS}", prepend=":")
    assert _verdict(judge, tmp_path, what) == "failed"


def _verdict(judge: ModuleType, scratch: Path, what: str) -> str:
    for check in judge.checks(scratch):
        if check.what.startswith("kustomize"):  # what it renders is judged next
            judge.verdict(check)
        elif check.what.endswith(what):
            found = judge.verdict(check)
            return pytest.skip(f"{check.command[0]} is not installed") if found == "skipped" else found
    return pytest.skip("kubectl is not installed")
