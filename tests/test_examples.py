"""The examples that ship run as they stand: nothing but their folder, and the cassette in it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.command import environment

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


@pytest.mark.parametrize("words", [(), ("-n", "2"), ("--wiretape=record", "-k", "greeted")], ids=" ".join)
def test_the_tests_of_the_example_for_python_pass(tmp_path: Path, words: tuple[str, ...]) -> None:
    shutil.copytree(EXAMPLES / "python", tmp_path / "python")
    asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    ran = subprocess.run(asked, cwd=tmp_path / "python", env=environment(tmp_path), capture_output=True, check=False)
    assert b"1 passed" in ran.stdout if words[:1] == ("--wiretape=record",) else b"3 passed" in ran.stdout, ran.stdout
