"""`wiretape cassette lint`, as a person, a program and a hook run it."""

import json
import shlex
from pathlib import Path

import yaml

from support.command import wiretape
from support.golden import FOLDER

ROOT = Path(__file__).parents[2]
WHOLE = (FOLDER / "text-run.tape.jsonl").read_bytes()


def folder(tmp_path: Path, **cassettes: bytes) -> Path:
    made = tmp_path / "cassettes"
    made.mkdir()
    for name, data in cassettes.items():
        (made / f"{name}.tape.jsonl").write_bytes(data)
    return made


async def test_the_golden_cassettes_are_clean(tmp_path: Path) -> None:
    ran = await wiretape("cassette", "lint", "--strict", "--cassette-dir", str(FOLDER), cwd=tmp_path)
    assert (ran.code, ran.out, ran.err) == (0, "19 cassettes, 0 errors, 0 warnings\n", "")


async def test_an_error_is_a_line_and_an_exit_code(tmp_path: Path) -> None:
    folder(tmp_path, good=WHOLE, bad=WHOLE[:-30])
    ran = await wiretape("cassette", "lint", cwd=tmp_path)
    assert ran.code == 1
    first, second, last = ran.out.splitlines()
    assert first.startswith("cassettes/bad.tape.jsonl:")
    assert "#7 error unfinished: it has no `end` line" in first
    assert "error truncated: the file breaks off inside this line" in second
    assert last == "2 cassettes, 2 errors, 0 warnings"
    assert (await wiretape("cassette", "lint", "good", cwd=tmp_path)).code == 0


async def test_a_warning_fails_only_where_it_is_asked_to(tmp_path: Path) -> None:
    folder(tmp_path, old=WHOLE.replace(b'"asst#1":', b'"run#9":"run_abc123","asst#1":', 1))
    ran = await wiretape("cassette", "lint", cwd=tmp_path)
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "1 cassettes, 0 errors, 1 warnings")
    assert (await wiretape("cassette", "lint", "--strict", cwd=tmp_path)).code == 1
    assert (await wiretape("cassette", "lint", "--strict", "--ignore", "unused", cwd=tmp_path)).code == 0


async def test_programs_get_json(tmp_path: Path) -> None:
    folder(tmp_path, bad=WHOLE.replace(b'"name":"Golden","d', b'"name":"Gilded","d', 1))
    ran = await wiretape("cassette", "lint", "--json", cwd=tmp_path)
    (linted,) = json.loads(ran.out)
    (found,) = linted["findings"]
    assert (ran.code, linted["file"]) == (1, "cassettes/bad.tape.jsonl")
    assert (found["rule"], found["line"], found["severity"], found["interaction"]) == ("edited", 3, "error", 1)


async def test_a_cassette_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    ran = await wiretape("cassette", "lint", "nowhere", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("wiretape: cassettes/nowhere.tape.jsonl: cannot be read: ")


async def test_the_hook_lints_the_files_it_is_given(tmp_path: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    made = folder(tmp_path, bad=WHOLE[:-30])
    name, *words = shlex.split(hook["entry"])
    assert (name, hook["language"], hook["files"]) == ("wiretape", "python", r"\.tape\.jsonl$")
    ran = await wiretape(*words, str(made.relative_to(tmp_path) / "bad.tape.jsonl"), cwd=tmp_path)
    assert ran.code == 1
