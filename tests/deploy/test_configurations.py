"""What holds for all of deploy/: production's profile, no secret, no registry's host, a page that names each part."""

import re
import tomllib
from pathlib import Path

import pytest

from support.command import wiretape
from support.deployed import DEPLOY, ROOT, hosts_of_images

CONFIGURATIONS = sorted(DEPLOY.rglob("wiretape.toml"))
TEXTS = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
SECRET = re.compile(r"(?i)sk-\w{8,}|bearer \w{8,}|(?:password|token|secret|key)\s*[:=]\s*[\"']?(?=\w*\d)\w{6,}")


def named(path: Path) -> str:
    return str(path.relative_to(DEPLOY))


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=named)
async def test_a_configuration_is_productions_and_valid(file: Path, tmp_path: Path) -> None:
    """The image's own leaves the upstream to the environment, and does not start without."""
    told = tomllib.loads(file.read_text("utf-8"))
    assert told["profile"] == "production"
    asked = ("config", "check", "--config", str(file))
    given = {} if "upstream" in told else {"WIRETAPE_UPSTREAM": "https://assistants.example.com"}
    ran = await wiretape(*asked, cwd=tmp_path, **given)
    assert (ran.code, ran.err) == (0, "")
    if given:
        bare = await wiretape(*asked, cwd=tmp_path)
        assert (bare.code, "demands an upstream" in bare.err) == (2, True)


def test_there_is_a_configuration_for_each_place() -> None:
    places = {"container", "kubernetes/overlays/gateway", "kubernetes/overlays/sidecar", "systemd"}
    assert {str(file.parent.relative_to(DEPLOY)) for file in CONFIGURATIONS} == places


@pytest.mark.parametrize("file", TEXTS, ids=named)
def test_no_secret_and_no_registrys_host(file: Path) -> None:
    text = file.read_text("utf-8")
    assert SECRET.findall(text) == []
    assert hosts_of_images(text) == []


def test_secrets_and_hosts_are_seen() -> None:
    for told in ("GF_SECURITY_ADMIN_PASSWORD: hunter22", 'admin_token = "0123456789abcdef"', "Bearer abcdefgh"):
        assert SECRET.search(told)
    assert hosts_of_images("FROM registry.example/a AS b") == ["registry.example"]
    assert hosts_of_images("  - image: localhost:5000/a\n    image: prom/prometheus:v3\n") == ["localhost:5000"]


def test_the_page_names_every_folder_and_the_readme_links_to_it() -> None:
    page = (DEPLOY / "README.md").read_text("utf-8")
    parts = [path.name for path in DEPLOY.iterdir() if path.suffix not in {".md", ".py"} and path.name[0] not in "._"]
    assert [part for part in parts if part not in page] == []
    assert "(deploy/README.md)" in (ROOT / "README.md").read_text("utf-8")
