"""The image, as far as it can be judged without building it: its files, its wheel, its pins, its health check."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from support.deployed import DEPLOY, ROOT
from support.proxied import proxied

DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
LINES = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
PIN = re.compile(r"(?m)^([a-z0-9._-]+)==(\S+)")


def copied() -> list[str]:
    """What is copied from the repository."""
    words = [rest.split() for word, rest in LINES if word == "COPY" and "--from" not in rest]
    return [source for *sources, _ in words for source in sources]


def ignored(name: str) -> bool:
    """Whether .dockerignore keeps a path out: the last line that fits it, or a folder it lies in, decides."""
    kept_out, path = False, Path(name)
    from_root = [str(path), *map(str, path.parents)]
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        asked = path.parts if "**/" in line else from_root
        if line and line[0] != "#" and any(fnmatch(part, pattern) for part in asked):
            kept_out = line[0] != "!"
    return kept_out


def sources() -> list[Path]:
    """Every file that a build sees of what it copies."""
    found = [ROOT / name for name in copied()]
    files = [file for one in found for file in ([one] if one.is_file() else one.rglob("*")) if file.is_file()]
    return [file for file in files if not ignored(str(file.relative_to(ROOT)))]


def test_a_build_sees_what_it_copies_and_little_else() -> None:
    assert [name for name in copied() if not (ROOT / name).exists()] == []
    names = {str(file.relative_to(ROOT)) for file in sources()}
    assert {"pyproject.toml", "LICENSE", "README.md", "requirements/run.txt", "proxy/wiretape/app.py"} <= names
    assert ignored("tests/conftest.py")
    assert ignored(".git/config")
    assert ignored("wiretape.db")
    assert ignored("proxy/wiretape/__pycache__/app.cpython-312.pyc")


def test_the_wheel_is_built_from_those_files_alone(tmp_path: Path) -> None:
    for file in sources():
        target = tmp_path / "src" / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    asked = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    ran = subprocess.run(asked, cwd=tmp_path / "src", capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (wheel,) = tmp_path.glob("wiretape-*.whl")
    listed = subprocess.run([sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True)
    assert "wiretape/app.py" in listed.stdout


@pytest.mark.parametrize("lock", ["run.txt", "image.txt"])
def test_the_image_has_the_versions_that_the_tests_ran_with(lock: str) -> None:
    ours = dict(PIN.findall((ROOT / "requirements" / "dev.txt").read_text("utf-8")))
    pins = dict(PIN.findall((ROOT / "requirements" / lock).read_text("utf-8")))
    assert len(pins) > 5
    assert {name: pin for name, pin in pins.items() if ours.get(name) != pin} == {}


def test_the_image_has_all_that_the_package_wants() -> None:
    """Who adds a dependency runs `make lock`."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {re.split(r"[<>=;\[ ]", one)[0] for one in wanted}
    assert names - set(dict(PIN.findall((ROOT / "requirements" / "run.txt").read_text("utf-8")))) == set()


def test_every_install_wants_hashes_or_is_our_own_wheel() -> None:
    installs = re.findall(r"pip install ([^&\n]+)", DOCKERFILE)
    assert [one for one in installs if "--require-hashes" not in one and "--no-deps /dist/wiretape-" not in one] == []
    assert len(installs) == 3


def test_it_ends_as_nobody_in_particular() -> None:
    assert [rest for word, rest in LINES if word == "USER"] == ["10001:10001"]
    assert [rest.split()[0] for word, rest in LINES if word == "FROM"] == ["python:3.12-slim-bookworm"] * 2
    after = [word for word, _ in LINES[LINES.index(["USER", "10001:10001"]) :]]
    assert not {"RUN", "COPY", "ADD"} & set(after)


def health_check(port: int) -> list[str]:
    (text,) = re.findall(r"HEALTHCHECK .*? CMD (\[.*\])", DOCKERFILE)
    _, *words = json.loads(text)
    return [sys.executable, *(word.replace("8788", str(port)) for word in words)]


async def test_the_health_check_tells_a_proxy_from_none() -> None:
    async with proxied("http://127.0.0.1:1") as proxy:
        port = int(proxy.admin.url.rpartition(":")[2])
        assert await _code(health_check(port)) == 0
    assert await _code(health_check(port)) != 0


async def _code(words: list[str]) -> int:
    process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()
