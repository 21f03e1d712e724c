"""The official SDK for Node, unmodified, oldest that speaks v2 and newest that this Node runs: the same three ways.

`make test-node` installs them and names this file to pytest, which does not find it by itself: it wants Node.
"""

import shutil
from pathlib import Path

import pytest

from support.command import wiretape
from support.ways import HIGHLIGHTS, Ways, discrepancies, highlights, walk_all

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[2] / "docs" / "examples"
SDKS = ("openai-oldest", "openai-newest")


@pytest.fixture(scope="module")
def journeys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ways]:
    commands = {name: ("node", "--throw-deprecation", str(HERE / "journey.mjs"), name) for name in SDKS}
    return walk_all(commands, tmp_path_factory.mktemp("journeys"))


@pytest.mark.parametrize("name", SDKS)
def test_a_journey_is_the_same_straight_recorded_and_replayed(journeys: dict[str, Ways], name: str) -> None:
    assert discrepancies(journeys[name]) == []


@pytest.mark.parametrize("name", SDKS)
def test_a_journey_went_through_all_its_chapters(journeys: dict[str, Ways], name: str) -> None:
    assert highlights(journeys[name].replayed) == HIGHLIGHTS


async def test_the_example_for_node_replays_what_the_one_for_python_recorded(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    modules = tmp_path / "examples" / "node" / "node_modules"
    modules.mkdir()
    (modules / "openai").symlink_to(HERE / "node_modules" / "openai-newest")
    words = ["replay", "../python/cassettes/greet", "--strict", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    ran = await wiretape(*words, "--", "npm", "test", cwd=tmp_path / "examples" / "node")
    assert ran.code == 0, ran
    assert "pass 1" in ran.out
