"""What the documents print is what works: commands run, links lead somewhere, every code and setting has its line."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from msgspec import convert

from support.certificates import Authority
from support.command import environment, running, start
from wiretape import errors
from wiretape.cassette.fault_words import KINDS, parse
from wiretape.cassette.lint import RULES
from wiretape.cassette.pace import PaceOptions
from wiretape.cassette.plan import Mode
from wiretape.cli.cassette import cassette
from wiretape.config import Config, load, upstreams
from wiretape.ledger.reader import reading
from wiretape.pytest_plugin import SETTINGS
from wiretape.sandbox.acts import VERBS, read
from wiretape.telemetry.vocabulary import INSTRUMENTS

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "deploy/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")
NAMES = (ROOT / "docs" / "reference" / "telemetry.md").read_text("utf-8")
TESTING = (ROOT / "docs" / "testing.md").read_text("utf-8")
SANDBOX = (ROOT / "docs" / "sandbox.md").read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    """What a page prints as code of this language."""
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


BLOCKS = blocks((ROOT / "README.md").read_text("utf-8"), "sh")
FREE_PORTS = "--listen 127.0.0.1:0 --admin 127.0.0.1:0"


def as_tested(block: str) -> str:
    """Make a block end by itself: what would listen is checked instead; what runs a command gets free ports."""
    if block.startswith("make "):
        return f"grep -q '^{block.split()[1]}:' {ROOT}/Makefile"
    block = re.sub(r"wiretape serve", "wiretape config check", block)
    block = re.sub(r"wiretape sandbox .*", "wiretape sandbox --help", block)
    return re.sub(r"(wiretape (?:record|replay) \S+)", rf"\1 {FREE_PORTS}", block)


async def test_the_readmes_commands_work_as_printed(tmp_path: Path) -> None:
    """One after the other, in one empty folder with an empty home, as a reader would type them."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    assert len(BLOCKS) >= 8
    for block in BLOCKS:
        process = await asyncio.create_subprocess_exec(
            "sh", "-ec", as_tested(block), cwd=tmp_path, env=environment(tmp_path, PATH=path),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        assert process.returncode == 0, f"{block}\n{said.decode()}"


async def test_the_commands_of_the_cassettes_page_work_as_printed(tmp_path: Path) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    page = (ROOT / "docs" / "cassette.md").read_text("utf-8").partition("## Import and export")[2]
    ran = subprocess.run(
        ["sh", "-ec", blocks(page, "sh")[0]], cwd=tmp_path, capture_output=True, check=False,
        env=environment(tmp_path, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}"),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout.decode().splitlines()[-1] == "4 interactions in cassettes/again.tape.jsonl"


def test_the_settings_that_the_cassettes_page_prints_are_valid(tmp_path: Path) -> None:
    printed = blocks((ROOT / "docs" / "cassette.md").read_text("utf-8"), "toml")
    (about_matching,) = [block for block in printed if "[match]" in block]
    (tmp_path / "wiretape.toml").write_text(about_matching)
    assert load({}, {}, tmp_path / "wiretape.toml").config.match.misses_max == 20


def test_the_commands_of_the_ledgers_page_work_as_printed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "cassettes", tmp_path / "cassettes")
    page = (ROOT / "docs" / "ledger.md").read_text("utf-8")
    ran = subprocess.run(
        ["sh", "-ec", *blocks(page, "sh")], cwd=tmp_path, capture_output=True, check=False,
        env=environment(tmp_path, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}"),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr.decode()
    assert "0 runs, 0 steps, 0 requests, 0 corrections from before" in ran.stdout.decode().splitlines()[-1]
    assert len(list((tmp_path / "lake" / "run").iterdir())) == 1
    with reading(tmp_path / "all.db") as connection:
        assert connection.execute(*blocks(page, "sql")).fetchall() == [("gpt-4o-mini", 1, 130, 34, None, 1)]


def test_the_settings_that_the_ledgers_page_prints_are_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "ledger.md").read_text("utf-8")
    for block in blocks(page, "toml"):
        (tmp_path / "wiretape.toml").write_text(block)
        config = load({}, {}, tmp_path / "wiretape.toml").config
        assert config.audit != Config().audit
    assert {f"`{name}`" for name in ("run", "step", "request", "price", "correction")} <= set(page.split())


async def test_the_commands_of_the_sandboxs_page_start_one(tmp_path: Path) -> None:
    """With the script that the page prints."""
    (tmp_path / "rehearsal.toml").write_text(blocks(SANDBOX, "toml")[0], "utf-8")
    commands = blocks(SANDBOX, "sh")[0].splitlines()
    assert len(commands) == 2
    for command in commands:
        words = re.sub(r" --listen \S+", "", command).split()[1:]
        process = await start((*words, "--listen", "127.0.0.1:0"), tmp_path, {})
        assert process.stdout is not None
        assert b"listens on" in await process.stdout.readline()
        process.kill()
        await process.communicate()


def test_the_sandboxs_example_for_pytest_passes(tmp_path: Path) -> None:
    (tmp_path / "rehearsal.toml").write_text(blocks(SANDBOX, "toml")[0], "utf-8")
    (tmp_path / "test_weather.py").write_text(blocks(SANDBOX, "python")[0], "utf-8")
    asked = [sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(asked, cwd=tmp_path, env=environment(tmp_path), capture_output=True, check=False)
    assert b"1 passed" in ran.stdout, ran.stdout.decode()


def test_the_sandboxs_page_explains_every_act_as_it_is_told() -> None:
    rows = re.findall(r"^\| `(.+?)` \|", SANDBOX, re.MULTILINE)
    told = [tomllib.loads(f"act = {{{row.replace('{…}', '{}')}}}")["act"] for row in rows]
    assert [next(iter(one)) for one in told] == [*VERBS]
    assert all(read(one, "row") for one in told)


@pytest.mark.parametrize(("place", "cassette", "tests"), [(0, "greeting", 2), (1, "budget", 1)])
def test_the_testing_pages_examples_record_and_replay_as_printed(
    tmp_path: Path, place: int, cassette: str, tests: int
) -> None:
    (tmp_path / "test_it.py").write_text(blocks(TESTING, "python")[place], "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = ignore::DeprecationWarning\n")
    for command in blocks(TESTING, "sh")[0].splitlines():
        asked = [sys.executable, "-m", *command.split(), "-q", "-p", "no:cacheprovider"]
        ran = subprocess.run(asked, cwd=tmp_path, env=environment(tmp_path), capture_output=True, check=False)
        assert b"%d passed" % tests in ran.stdout, ran.stdout.decode()
    assert (tmp_path / "cassettes" / f"{cassette}.tape.jsonl").exists()


async def test_the_testing_pages_calls_of_the_admin_listener_work(tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    shutil.copytree(ROOT / "cassettes", tmp_path / "cassettes")
    async with running("serve", "--mode", "replay", "--cassette", "text-run", cwd=tmp_path) as (_, at):
        for command in blocks(TESTING, "sh")[1].splitlines():
            curl = await asyncio.create_subprocess_exec(
                "sh", "-ec", command, env=environment(tmp_path, ADMIN=at["admin"]), stdout=subprocess.PIPE
            )
            said, _ = await curl.communicate()
            assert curl.returncode == 0
            assert b'"error":{' not in said, said
            assert (b'"base_url"' in said) == ("DELETE" not in command)


def test_the_testing_pages_faults_pace_and_marker_are_as_they_are() -> None:
    words = re.findall(r"^\| `([a-z]+(?::[a-z_]+=\S+?)+)` \|", TESTING, re.MULTILINE)
    assert {parse(word).word.partition(":")[0] for word in words} == set(KINDS)
    told = tomllib.loads(blocks(TESTING, "toml")[0])
    assert set(told["pace"]) == set(PaceOptions.__struct_fields__)
    assert convert({"mode": "replay", "cassette": ["a"], **told}, Config).pace.jitter == 0.2
    marker = TESTING.partition("| marker | means |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)=", marker, re.MULTILINE) == list(SETTINGS)


def test_the_configuration_on_the_page_of_edges_is_one(tmp_path: Path) -> None:
    (text,) = blocks((ROOT / "docs" / "edges.md").read_text("utf-8"), "toml")
    authority = Authority(tmp_path)
    cert, key = authority.issued()
    for name, file in (("ca.pem", authority.file), ("client.crt", cert), ("client.key", key)):
        text = text.replace(f"/etc/wiretape/{name}", file)
    (tmp_path / "wiretape.toml").write_text(text)
    config = load({}, {}, tmp_path / "wiretape.toml").config
    assert [one.place for one in upstreams(config)] == ["https://llm.example.com", "unix:/run/llm.sock"]


def test_the_rules_on_the_page_of_cassettes_are_a_configuration(tmp_path: Path) -> None:
    (text,) = (one for one in blocks((ROOT / "docs" / "cassette.md").read_text("utf-8"), "toml") if "[redact]" in one)
    (tmp_path / "wiretape.toml").write_text(text)
    redact = load({}, {}, tmp_path / "wiretape.toml").config.redact
    assert all(getattr(redact, name) for name in redact.__struct_fields__)


def test_the_page_of_cassettes_names_every_rule_of_lint_and_every_command() -> None:
    page = (ROOT / "docs" / "cassette.md").read_text("utf-8")
    rows = "".join(re.findall(r"^\| (.+?) \|", page, re.MULTILINE))
    assert [rule for rule in RULES if f"`{rule}`" not in rows] == []
    assert [name for name in cassette.commands if f"`{name}" not in rows and name not in {"import", "export"}] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_the_reference_has_a_line_for_every_setting() -> None:
    missing = [
        name for name in Config.__struct_fields__ if f"`{name}`" not in REFERENCE and f"[{name}]" not in REFERENCE
    ]
    assert missing == []


def test_the_reference_has_a_line_for_every_error_code() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.WiretapeError)
    ]
    assert [kind.code for kind in kinds if f"| `{kind.code}` |" not in REFERENCE] == []
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)


def test_the_reference_has_a_line_for_every_metric() -> None:
    assert [one.name for one in INSTRUMENTS if f"| `{one.name}` |" not in REFERENCE] == []


def test_the_reference_names_every_mode() -> None:
    assert [mode for mode in Mode if f"`{mode}`" not in REFERENCE] == []


@pytest.mark.parametrize(("name", "least"), [("relay.md", 50), ("telemetry.md", 25)])
def test_a_page_of_faults_names_what_is_there(name: str, least: int) -> None:
    """Every test, setting, error code, metric, signal and line of the log in a code span of the page."""
    page = (ROOT / "docs" / name).read_text("utf-8")
    page = page if name == "relay.md" else page.partition("## Faults")[2]
    spans = set(re.findall(r"`([a-z][a-z0-9_.]+)`", page))
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    asked = {span for span in spans if span.startswith("test_")}
    assert [span for span in asked if f"def {span}(" not in tests] == []
    others = {span for span in spans - asked if "_" in span or "." in span}
    known = REFERENCE + NAMES
    unknown = [span for span in others if not any(f"`{part}`" in known for part in (span, span.rpartition(".")[2]))]
    assert unknown == []
    assert len(asked) > least


def rows_of_faults(name: str) -> list[list[str]]:
    page = (ROOT / "docs" / name).read_text("utf-8").partition("## Faults")[2]
    return [row.split("|") for row in re.findall(r"(?m)^\| (?:\d.*)?\|.*|^\| \d.*", page)]


def numbers(rows: list[list[str]]) -> set[int]:
    return {int(number) for row in rows for number in row[1].split(",") if number.strip()}


def test_every_fault_that_touches_traffic_has_its_row_with_a_test() -> None:
    rows = rows_of_faults("relay.md")
    assert numbers(rows) == {*range(1, 18), *range(24, 28), 30, 31}
    assert [row for row in rows if "`test_" not in row[5]] == []


def test_every_fault_of_what_is_told_and_written_down_has_its_row_with_a_test() -> None:
    rows = rows_of_faults("telemetry.md")
    assert numbers(rows) == {*range(18, 24), 25, 30}
    assert [row for row in rows if "`test_" not in row[5]] == []
    assert len(rows) > 12


def test_nothing_that_lands_names_a_registry() -> None:
    """A lock that carries addresses would tie every user to one registry; hashes tie them to the bytes."""
    words = ("python" + "hosted.org", "py" + "pi.org", "npm" + "js.org")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=False).stdout.decode().split()
    files = [ROOT / name for name in listed if (ROOT / name).is_file()]
    found = [path for path in files for word in words if word.encode() in path.read_bytes()]
    assert found == []
