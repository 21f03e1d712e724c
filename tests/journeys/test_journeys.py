"""The official SDK for Python, unmodified, newest and oldest that speaks v2: one conversation, the same three ways."""

import sys
from pathlib import Path

import pytest

from support.ways import HIGHLIGHTS, Ways, comparable, differences, discrepancies, highlights, walk_all

HERE = Path(__file__).parent
OLDEST = HERE.parents[1] / ".venv" / "oldest-sdk" / "bin" / "python"  # `make setup` makes it
PYTHONS = {"oldest": str(OLDEST), "newest": sys.executable}


@pytest.fixture(scope="module")
def journeys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ways]:
    commands = {name: (python, str(HERE / "journey.py")) for name, python in PYTHONS.items()}
    return walk_all(commands, tmp_path_factory.mktemp("journeys"))


@pytest.mark.parametrize("name", PYTHONS)
def test_a_journey_is_the_same_straight_recorded_and_replayed(journeys: dict[str, Ways], name: str) -> None:
    assert discrepancies(journeys[name]) == []


@pytest.mark.parametrize("client", ["sync", "async"])
@pytest.mark.parametrize("name", PYTHONS)
def test_a_journey_went_through_all_its_chapters(journeys: dict[str, Ways], name: str, client: str) -> None:
    assert highlights(journeys[name].replayed[client]) == HIGHLIGHTS


@pytest.mark.parametrize("name", PYTHONS)
def test_the_blocking_and_the_asynchronous_client_see_the_same(journeys: dict[str, Ways], name: str) -> None:
    told = journeys[name].straight
    assert list(differences(comparable(told["sync"]), comparable(told["async"]))) == []


def test_the_oldest_sdk_sees_what_the_newest_sees_save_what_it_lacks(journeys: dict[str, Ways]) -> None:
    oldest, newest = (journeys[name].straight["sync"] for name in PYTHONS)
    found = {name: [*differences(comparable(oldest[name]), comparable(newest[name]))] for name in newest}
    paths = [f"{name}{one.partition(':')[0].removeprefix('$')}" for name, some in found.items() for one in some]
    assert paths == [
        "threads.less",  # no `messages.delete`
        "bounded.run.expires_at",  # no status `incomplete`: its helper keeps the run as it was before
        "bounded.run.incomplete_details",
        "bounded.run.status",
        "bounded.run.usage",
        "bounded.polled",
    ]


def test_the_two_sdks_are_those_that_were_meant(journeys: dict[str, Ways]) -> None:
    versions = [journeys[name].straight["sdk"] for name in PYTHONS]
    assert versions[0] == "1.21.0"
    assert tuple(int(part) for part in versions[1].split(".")[:2]) >= (3, 54)
