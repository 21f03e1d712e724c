"""The unit and its configuration agree, and the unit is shut as far as the proxy allows."""

import tomllib

import pytest

from support.deployed import DEPLOY

UNIT = (DEPLOY / "systemd" / "wiretape.service").read_text("utf-8")
TOLD = tomllib.loads((DEPLOY / "systemd" / "wiretape.toml").read_text("utf-8"))
SETTINGS = dict(line.split("=", 1) for line in UNIT.splitlines() if "=" in line and line[0] not in "#[")


def test_there_is_time_to_drain_and_to_flush() -> None:
    assert int(SETTINGS["TimeoutStopSec"].rstrip("s")) > TOLD["drain_s"] + 3


def test_the_ledger_lies_in_the_one_folder_that_may_be_written() -> None:
    assert SETTINGS["ProtectSystem"] == "strict"
    assert TOLD["ledger"].startswith(f"sqlite:////var/lib/{SETTINGS['StateDirectory']}/")


def test_the_profile_outlives_an_edit_of_the_file() -> None:
    assert "WIRETAPE_PROFILE=production" in SETTINGS["Environment"].split()


@pytest.mark.parametrize("name", ["NoNewPrivileges", "DynamicUser", "PrivateTmp", "RestrictNamespaces", "ProtectHome"])
def test_what_it_does_not_need_is_taken_away(name: str) -> None:
    assert SETTINGS[name] == "yes"
